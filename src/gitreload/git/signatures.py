"""Whether a tip is signed by somebody who is listed; git itself checks it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from gitreload.git.commands import Git
from gitreload.git.running import text
from gitreload.git.signers import Trust
from gitreload.remotes import mask
from gitreload.visible import quoted, shown, visible

# Where git keeps them: https://git-scm.com/docs/gitformat-signature
_IN_COMMIT = re.compile(r"^gpgsig(?:-sha256)? -----BEGIN ([A-Z ]+)-----$", re.MULTILINE)
_IN_TAG = re.compile(r"^-----BEGIN ([A-Z ]+)-----$", re.MULTILINE)
_KINDS = {"PGP SIGNATURE": "OpenPGP", "PGP MESSAGE": "OpenPGP", "SSH SIGNATURE": "SSH"}
_WHO = re.compile(r"^(?:author|tagger) (.*) \d+ [+-]\d+$", re.MULTILINE)

# What gpg tells: https://github.com/gpg/gnupg/blob/master/doc/DETAILS
_STATUS = re.compile(
    r"^\[GNUPG:\] (GOODSIG|EXPSIG|EXPKEYSIG|REVKEYSIG|BADSIG|ERRSIG) ([0-9A-F]+)(.*)$", re.MULTILINE
)
_VALID = re.compile(r"^\[GNUPG:\] VALIDSIG ([0-9A-F]+) ", re.MULTILINE)
_NO_KEY = "9"
# What ssh-keygen tells, with the principal where the key is listed, and without it where not.
_GOOD_SSH = re.compile(r'^Good "git" signature (?:for \S+ )?with \S+ key (\S+)$', re.MULTILINE)

# What git says of signatures of a kind that it does not know; of tags without one; and of all that
# keeps it from checking.
_UNKNOWN = "bad/incompatible signature"
_CANNOT = re.compile(rf"^(?:error|fatal): (?!{_UNKNOWN}|no signature found)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class _Signed:
    """A commit or a tag that may be signed. `words` are what messages call it."""

    kind: Literal["commit", "tag"]
    name: str
    words: str


def refusal(git: Git, tip: str) -> str | None:
    """Why the commit `tip` must not be checked out, and what to do; None where it may be.

    It may be where nobody's signature is asked for, or it is signed by one who is listed, or the
    tag is that leads to it. Raises `PermanentError` where the keys cannot be used.
    """
    if git.signers is None:
        return None
    with git.signers.trusted(git.run_program) as trust:
        faults = []
        for signed in _signed(git, tip):
            command = (f"verify-{signed.kind}", "--raw", signed.name)
            # What it says, others wrote, so it mends nothing.
            done = git.run_with(trust.settings, trust.variables, *command)
            said = text(done)
            by = _signer(said) if done.ok else None
            if by is not None:
                git.tell(f"{signed.words} is signed by {by}, which {git.signers.key} lists")
                return None
            if _CANNOT.search(said):
                git.check(done)
            faults.append(_fault(git, signed, said, trust))
    # Where a tag is not signed, its commit says more.
    return next((fault for fault in faults if not fault.unsigned), faults[-1]).sentence


def _signed(git: Git, tip: str) -> Iterator[_Signed]:
    if git.place.tag is not None and git.revision(git.tracking) != tip:
        yield _Signed("tag", git.tracking, git.place.fetched)
    yield _Signed("commit", tip, f"the commit {tip[:12]}")


def _signer(said: str) -> str | None:
    """Whose signature is good; None where nobody says that it is."""
    openpgp, ssh = _VALID.search(said), _GOOD_SSH.search(said)
    if openpgp is not None:
        return f"the OpenPGP key {openpgp[1]}"
    return None if ssh is None else f"the SSH key {ssh[1]}"


@dataclass(frozen=True, slots=True)
class _Fault:
    sentence: str
    unsigned: bool


# What to do; `{more}` is what may be pushed instead.
_ANOTHER = "Push {more}"
_LIST = (
    "If that key may be trusted, list its public half in {key}, then run: gitreload reload && "
    "{again}. If not, push {more}"
)
_PROLONG = (
    "Have its owner prolong it, put its public half as it is then into the file that {key} names, "
    "and run: {again}"
)
_OPENPGP = {
    "EXPKEYSIG": ("it is signed by {by}, which has expired", _PROLONG),
    "REVKEYSIG": ("it is signed by {by}, which was revoked", _ANOTHER),
    "EXPSIG": ("its signature by {by} has expired", _ANOTHER),
    "BADSIG": ("its signature by {by} is not valid for it", _ANOTHER),
}


def _fault(git: Git, signed: _Signed, said: str, trust: Trust) -> _Fault:
    done = git.run("cat-file", signed.kind, signed.name, quiet=True)
    git.check(done)
    head, _, body = text(done).partition("\n\n")
    found = _IN_COMMIT.search(head) if signed.kind == "commit" else _IN_TAG.search(body)
    why, cure = _why(found and found[1], said, trust)
    who = _WHO.search(head)
    by = mask(shown(who[1])) if who else "nobody"
    subject = mask(shown(body.partition("\n")[0]))
    directory = visible(git.checkout.directory)
    more = "a commit on top that a listed key signed (git commit -S)"
    if git.place.tag is not None:
        more = "a newer tag that a listed key signed (git tag -s), or one of a signed commit"
    cure = cure.format(
        key=f"REPOS.{directory}.VERIFY_SIGNATURES",
        again=f"gitreload sync {quoted(git.checkout.directory)}",
        more=more,
    )
    return _Fault(
        f'{signed.words} of {directory} ("{subject}", by {by}) is refused: {why}. {cure}',
        unsigned=found is None,
    )


def _why(label: str | None, said: str, trust: Trust) -> tuple[str, str]:
    """Why a signature does not count, and the cure."""
    if label is None:
        return "it is not signed", _ANOTHER
    kind = _KINDS.get(label)
    if kind is None:
        return f"its signature ({shown(label)}) is neither OpenPGP's nor SSH's", _ANOTHER
    if kind not in trust.kinds:
        return f"it is signed with an {kind} key, and none of those is listed", _LIST
    if _UNKNOWN in said:
        return "this git cannot check its signature; SSH's need git 2.34 or newer", _ANOTHER
    return _why_openpgp(said) if kind == "OpenPGP" else _why_ssh(said)


def _why_ssh(said: str) -> tuple[str, str]:
    by = _signer(said)
    if by is not None:
        return f"it is signed by {by}, which is not listed", _LIST
    return "its SSH signature is not valid for it", _ANOTHER


def _why_openpgp(said: str) -> tuple[str, str]:
    found = _STATUS.search(said)
    if found is None:
        return "its OpenPGP signature cannot be read", _ANOTHER
    status, key_id, more = found.groups()
    by = _signer(said) or f"the OpenPGP key {key_id}"
    if status in _OPENPGP:
        why, cure = _OPENPGP[status]
        return why.format(by=by), cure
    # Algorithms, class and time, then why, and the fingerprint where that is known.
    words = more.split()
    if words[4:5] == [_NO_KEY]:
        full = words[5] if words[5:] and words[5] != "-" else key_id
        return f"it is signed by the OpenPGP key {full}, which is not listed", _LIST
    return f"its signature by {by} is of a kind that this gpg cannot check", _ANOTHER
