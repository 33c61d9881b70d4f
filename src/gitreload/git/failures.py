"""What git's words mean: whether a failure may pass by itself, and what a person can do about it.

Pure: text in, an error out. The patterns are those of git 2.32 to 2.51 under `LC_ALL=C`, of curl,
of OpenSSH, and of what the forges send along.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from gitreload.git.errors import AccessError, BranchGoneError, DamagedError
from gitreload.git.place import Place
from gitreload.model import GitreloadError, PermanentError, TransientError
from gitreload.remotes import mask
from gitreload.visible import quoted, visible

_LONGEST = 300


@dataclass(frozen=True, slots=True)
class _Rule:
    pattern: re.Pattern[str]
    kind: type[GitreloadError]
    sentence: str
    only_with: Literal["ssh_key", "token", "of_app"] | None
    """What the checkout has to have of its own."""


def _rule(
    kind: type[GitreloadError],
    sentence: str,
    *patterns: str,
    only_with: Literal["ssh_key", "token", "of_app"] | None = None,
) -> _Rule:
    pattern = re.compile("|".join(patterns), re.IGNORECASE | re.MULTILINE)
    return _Rule(pattern, kind, sentence, only_with)


# What the other side says; its damage is not ours.
_THEIRS = re.compile(r"^remote:.*\n?", re.MULTILINE)

_DAMAGE = _rule(
    DamagedError,
    "the objects in {directory} are damaged: {said}. Clone it again: mv {path} {path}.damaged "
    "&& git clone --branch {quoted_branch} {quoted_url} {path}",
    r"object file .* is empty",
    r"(?:loose |packed )?object .* is corrupt",
    r"packfile .*(?:corrupt|cannot be|does not match|is not a)",
    r"is far too short to be a packfile",
    r"index file .*\.idx is too small",
    r"non-monotonic index",
    r"(?:commit-graph|multi-pack-index) .*(?:too small|corrupt|does not match)",
    r"inflate: data stream error",
    r"unable to unpack .* header",
    r"unable to (?:read|parse) (?:tree|object|commit|sha1|[0-9a-f]{40})",
    r"(?:could not|failed to) (?:read|parse|unpack) (?:object|commit|tree)",
    r"could not (?:read|parse) [0-9a-f]{40}",
    r"bad (?:object|tree)",
    r"missing (?:blob|tree|commit|object)",
    r"did not (?:send all necessary|receive expected) object",
    r"unresolved deltas?\b",
    r"unable to resolve delta",
    r"not a valid object",
)

_GONE = (
    "the branch {branch}, which {directory} follows, is not at {url}: it was deleted, or nothing "
    "was pushed yet. Push it, or check out another one: git -C {path} switch BRANCH"
)

_KEY_REFUSED = (
    r"permission denied \([a-z,-]*(?:publickey|password|keyboard|gssapi)",
    r"too many authentication failures",
    r"no supported authentication methods",
)
_LOGIN_REFUSED = (
    r"authentication (?:failed|required)",
    r"invalid username or (?:password|token)",
    r"access denied(?! or repository)",
    r"requested url returned error: 40[13]",
)

# The first that matches counts: what is specific comes before what it entails.
_RULES = (
    _rule(
        PermanentError,
        "git does not trust {other}, because it belongs to another user than {user}. Give it to "
        "{user} (chown -R {user} {other}), or let {user} trust it: "
        "sudo -u {user} git config --global --add safe.directory {other}",
        # The checkout, or a remote that is a local path.
        r"dubious ownership in repository at '(?P<other>.*)'",
        r"unsafe repository",
    ),
    _rule(
        BranchGoneError,
        _GONE,
        r"couldn't find remote ref",
    ),
    _rule(
        PermanentError,
        "a file of {directory} is not in the store of Git LFS: {said}. Who has it pushes it there: "
        "git lfs push --all origin",
        r"remote missing object",
        r"\[404\] object does not exist",
    ),
    _rule(
        PermanentError,
        "{url} uses a protocol that is not allowed for {directory}: {said}. Use another one: "
        "{correct}",
        r"transport '.*' not allowed",
    ),
    _rule(
        AccessError,
        "the host of {url} shows another key than the one that is known: {said}. Either it has a "
        "new one, or somebody is in between. To see the new one's fingerprint, compare it with "
        "what the host publishes and have it trusted: sudo -u {user} gitreload trust {quoted_url}",
        r"remote host identification has changed",
        r"host key for \S+ has changed",
        r"host key .* revoked",
    ),
    _rule(
        AccessError,
        "the host key of {url} is not known to {user}: {said}. To see its fingerprint, compare it "
        "with what the host publishes and have it trusted: sudo -u {user} gitreload trust "
        "{quoted_url}",
        r"no .* host key is known for",
        r"host key verification failed",
    ),
    _rule(
        AccessError,
        "{url} does not take the SSH_KEY of {directory}: {said}. Give its public half read access "
        "there, as a deploy key; to see it: sudo -u {user} ssh-keygen -y -f {key}",
        *_KEY_REFUSED,
        only_with="ssh_key",
    ),
    _rule(
        AccessError,
        "{url} does not let {user} in: {said}. Give the public key of {user} read access there, or "
        "{own_key}, then try: {try}",
        *_KEY_REFUSED,
    ),
    _rule(
        PermanentError,
        "the repository {url} has moved: {said}. Follow it, to the URL that the forge's page of it "
        "has: {correct}",
        # GitLab, over ssh: https://docs.gitlab.com/user/project/repository/#repository-path-changes
        r"project '.*' was moved to",
        r"repository (?:has been |was |has )?moved",
        r"unable to update url base from redirection",
        r"requested url returned error: 30\d",
    ),
    _rule(
        AccessError,
        "{url} leads to another site now, {other}, which asks for credentials and is not given the "
        "{token}: {said}. If that is right: {correct}",
        r"could not read username for '(?P<other>[^']*)'",
        only_with="token",
    ),
    _rule(
        # It was good a moment ago; where the App was removed, the next one is not given.
        TransientError,
        "{url} does not take the {token}: {said}. Another one is got for the next try",
        *_LOGIN_REFUSED,
        only_with="of_app",
    ),
    _rule(
        AccessError,
        "{url} does not take the {token}: {said}. It has expired or was revoked, or may not read "
        "there. Make a new one at the forge that may read this repository, put it in its place, "
        "then run: {again}",
        *_LOGIN_REFUSED,
        only_with="token",
    ),
    _rule(
        AccessError,
        "{url} does not accept the credentials that git has as {user}, or needs some: {said}. "
        "Put them right ({own_token}, or a credential helper of {user}), then try: "
        "{try}",
        *_LOGIN_REFUSED,
        r"could not read (?:username|password)",
        r"terminal prompts disabled",
    ),
    _rule(
        PermanentError,
        "{url} is no repository, or none that may be seen with what {user} has: {said}. Correct it "
        "({correct}), or give read access, then try: {try}",
        r"repository (?:'.*' |or object )?not found",
        r"repository not exported",
        r"does not appear to be a git repository",
        r"requested url returned error: 404",
        r"is this a git repository\?",
        r"project you were looking for could not be found",
        r"repository either does not exist",
        r"repository '.*' does not exist",
    ),
    _rule(
        PermanentError,
        "the certificate of {url} is not trusted: {said}. Install its authority, or name it: "
        "sudo -u {user} git config --global http.sslCAInfo FILE",
        r"ssl certificate problem",
        r"certificate verif",
        r"ssl: no alternative certificate subject name",
        r"certificate (?:has expired|subject name)",
    ),
    _rule(
        TransientError,
        "the disk of {directory} cannot be read or written: {said}. Look into the kernel's log",
        r"input/output error",
        r"stale (?:nfs )?file handle",
    ),
    _rule(
        TransientError,
        "the disk of {directory} is full: {said}. Free some space on the file system of {path}",
        r"no space left on device",
        r"disk quota exceeded",
    ),
    _rule(
        TransientError,
        "the remote sent nothing for a minute, {url}: {said}",
        r"operation too slow",
    ),
    _rule(
        TransientError,
        "{url} has a fault of its own or too much to do: {said}",
        r"requested url returned error: (?:5\d\d|429|408)",
        r"too many requests",
    ),
    _rule(
        TransientError,
        "{url} cannot be reached: {said}. If it stays so, try: {try}",
        r"could ?n[o']t resolve",
        r"name or service not known",
        r"temporary failure in name resolution",
        r"unable to look up",
        r"(?:failed|could ?n[o']t|unable) to connect",
        r"could ?n[o']t connect",
        r"connection refused",
        r"timed out",
        r"no route to host",
        r"is unreachable",
        r"connection (?:was )?(?:reset|closed|aborted)",
        r"kex_exchange_identification",
    ),
    _rule(
        TransientError,
        "the connection to {url} broke off: {said}",
        r"early eof",
        r"hung up",
        r"unexpected disconnect",
        r"rpc failed",
        r"transfer closed",
        r"unexpected eof",
        r"empty reply from server",
        r"broken pipe",
        r"(?:gnutls|openssl|ssl_read|ssl_connect|ssl_error|schannel|http/2)",
    ),
    _rule(
        TransientError,
        "what {url} sent was damaged on its way: {said}",
        r"pack has bad object at offset",
        r"pack is corrupted",
        r"pack signature mismatch",
        r"protocol error: bad line length",
    ),
    _rule(
        PermanentError,
        "a malformed object of {url} is refused: {said}. Have it taken out of the history, or "
        "let that kind pass: sudo -u {user} git config --global fetch.fsck.KIND warn",
        r"^error: object [0-9a-f]{40,64}: \w+: ",
        r"fsck error",
    ),
    _DAMAGE,
    _rule(
        DamagedError,
        "{path} is no complete git repository: {said}. Clone it again: mv {path} {path}.damaged "
        "&& git clone --branch {quoted_branch} {quoted_url} {path}",
        r"not a git repository",
        r"(?:unexpected|unterminated) line in .*packed-refs",
        r"bad shallow line",
    ),
    _rule(
        PermanentError,
        "the configuration that git reads for {directory} is wrong: {said}. Correct it",
        r"bad (?:\w+ )*config",
        r"unknown repository extension",
        r"expected git repo version",
        r"unknown ref storage",
    ),
    _rule(
        PermanentError,
        "git lacks a program that {directory} needs: {said}. Install it for the user {user}",
        r"unable to find remote helper",
        r"is not a git command",
        r"cannot run .*no such file",
        r"(?:command )?not found$",
    ),
    _rule(
        TransientError,
        "the file system of {directory} can only be read: {said}",
        r"read-only file system",
    ),
    _rule(
        PermanentError,
        "{user} may not write everything in {directory}: {said}. Give it to {user}: "
        "chown -R {user} {path}",
        r"permission denied",
        r"operation not permitted",
        r"insufficient permission",
    ),
    _rule(
        PermanentError,
        "{fetched} has a file name that cannot exist in {directory}: {said}. Rename it",
        r"file name too long",
        r"cannot create directory at '.{2000}",  # git cuts its own message short
        r"invalid path",
    ),
    _rule(
        TransientError,
        "another git command holds a lock in {directory}: {said}",
        r"\.lock': file exists",
        r"cannot lock ref",
    ),
)


def failure(command: str, output: str, place: Place) -> GitreloadError:
    """Why `command` (as in "git fetch") failed, from its `output`: transient unless we know better.

    Takes any output. The message quotes one line of it at most, and no credentials.
    """
    ours = _THEIRS.sub("", output)
    for rule in _RULES:
        text = ours if rule.kind is DamagedError else output
        fits = rule.only_with is None or getattr(place, rule.only_with)
        found = rule.pattern.search(text) if fits else None
        if found:
            said = _shown(_line_around(text, found.start()))
            other = found.groupdict().get("other") or place.path
            return rule.kind(rule.sentence.format_map(place.words(said, other)))
    return TransientError(
        f"{command} failed in {visible(place.directory)}: {_shown(_last_line(output))}"
    )


def gone(place: Place, tags: str | None) -> BranchGoneError:
    """The remote has no such branch; where there is a pattern `tags`, none of those."""
    words = place.words("", place.path)
    if tags is None:
        return BranchGoneError(_GONE.format_map(words))
    name = visible(place.directory)
    return BranchGoneError(
        f"no tag {visible(tags)}, which {name} follows, is at {words['url']}: push one, or correct "
        f"REPOS.{name}.REF"
    )


def damage(output: str, place: Place) -> DamagedError | None:
    """The damage of objects that the `output` of a command tells of which went on all the same."""
    for line in output.splitlines():
        if line.startswith("error:") and _DAMAGE.pattern.search(line):
            return DamagedError(_DAMAGE.sentence.format_map(place.words(_shown(line), place.path)))
    return None


def moved_note(place: Place, target: str) -> str:
    """The remote sent us on to the URL `target`."""
    words = place.words("", place.path)
    return (
        "origin of {directory} moved: {url} redirects to {target}, which was fetched. Pushes are "
        "announced under the new URL: git -C {path} remote set-url origin {quoted}"
    ).format_map(
        {
            **words,
            "target": mask(visible(target)),
            "quoted": mask(quoted(target)),
        }
    )


def _line_around(text: str, position: int) -> str:
    start = text.rfind("\n", 0, position) + 1
    end = text.find("\n", position)
    return text[start:] if end < 0 else text[start:end]


def _last_line(text: str) -> str:
    """The last line that says something; git's hints, and its advice after an error, do not."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("hint:")]
    told = [line for line in lines if line.startswith(("fatal:", "error:"))]
    return (told or lines or ["it said nothing"])[-1]


def _shown(line: str) -> str:
    line = re.sub(r"^(?:(?:fatal|error|remote|warning): *)+", "", line.strip(), flags=re.IGNORECASE)
    line = mask(visible(line)).rstrip(".")
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"
