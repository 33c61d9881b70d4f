"""Whether a checkout is all right, and what to do where it is not. Nothing is changed."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gitreload.checkouts.revision import revision
from gitreload.config import Settings
from gitreload.git import Access, Extent, Git, submodules
from gitreload.git.deploy_key import fingerprint
from gitreload.git.errors import AccessError, DamagedError
from gitreload.git.renewal import renewable
from gitreload.git.space import check_space
from gitreload.github_hooks import Hooks, explained
from gitreload.importers.choice import Importers
from gitreload.late import late
from gitreload.ledger import CheckoutRecord, Report
from gitreload.model import (
    Action,
    Checkout,
    GitreloadError,
    Interrupted,
    Reason,
    State,
    TransientError,
)
from gitreload.process import Runner, user_name
from gitreload.publish import Published
from gitreload.reconcile import owed
from gitreload.remotes import mask
from gitreload.tips import Seen
from gitreload.visible import quoted, visible

About = Literal[
    "checkout",
    "owner",
    "disk",
    "remote",
    "key",
    "changes",
    "behind",
    "job",
    "webhook",
    "importer",
    "told",
]


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, as a sentence with the cure."""

    about: About
    text: str


@dataclass(frozen=True, slots=True)
class Checkup:
    """What was found. None is what could not be told.

    `tags` is the pattern of the tags that it follows instead of the branch `follows`, `tag` the
    newest of them at the remote. `behind` is how many commits it lacks; None also where they are
    not fetched yet. `served` is what its readers have, where it is published; `held` tells that its
    jobs wait. `clean` tells that an update would take nothing away. `free_bytes` is the room on its
    disk. `key` is what it is fetched with of its own, with the fingerprint of an SSH_KEY.
    `importer` is what imports it, and why that.
    """

    directory: str
    path: str
    origin: str | None
    follows: str | None
    tags: str | None
    tag: str | None
    revision: str | None
    served: str | None
    held: bool
    tip: str | None
    behind: int | None
    clean: bool | None
    owner: str
    free_bytes: int
    key: str | None
    importer: str | None
    problems: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        return not self.problems


def checkup(
    seen: Seen,
    record: CheckoutRecord | None,
    settings: Settings,
    runner: Runner,
    now: float,
    hooks: Hooks | None = None,
    untold: Sequence[Report] = (),
) -> Checkup:
    """Look at a checkout whose remote was asked, and at what the ledger has of it.

    `now` is in epoch seconds, `hooks` are those of GitHub, where there is a token for them,
    `untold` what reporters told last of it and nobody took.

    Raises OSError where it is gone meanwhile, and `Interrupted`.
    """
    checkout = seen.checkout
    head = revision(checkout.path)
    problems = list(_place_problems(checkout))
    access = Access.of(settings, checkout.directory)
    key = None if access.ssh_key is None else fingerprint(access.ssh_key, runner)
    behind: int | None = None
    clean: bool | None = None
    if checkout.problem is not None:
        problems.append(Problem("checkout", checkout.problem))
    else:
        timeout = settings.git_timeout_seconds
        extent = Extent.of(settings, checkout.directory)
        git = Git(checkout, runner, timeout=timeout, extent=extent, reading=True)
        try:
            policy = settings.repo(checkout.directory).clean
            clean = not (git.changes(policy).matter(policy) or submodules.changed(git, policy))
            behind = _commits_behind(git, head, seen.tip)
        except Interrupted:
            raise
        except GitreloadError as error:
            # Where git does not work at all, its word about the remote means nothing.
            problems.append(Problem("checkout", _fault(git, error)))
        else:
            if seen.error is not None:
                problems += _remote_problems(seen.error, access, key)
    if clean is False:
        problems.append(Problem("changes", _changes(checkout)))
    if seen.tip is not None:
        problems += _lag_problems(seen, head, seen.tip, behind, record)
    importers = Importers(settings)
    if record is not None:
        problems += _ledger_problems(record, now)
        problems += _importer_problems(importers, checkout, record)
    if hooks is not None:
        problems += _webhook_problems(checkout, record, hooks)
    problems += (Problem("told", f"{each.reporter} was refused: {each.error}") for each in untold)
    published = Published.of(settings, checkout.directory)
    return Checkup(
        directory=checkout.directory,
        path=checkout.path,
        origin=mask(checkout.origin) if checkout.origin else None,
        follows=checkout.follows,
        tags=checkout.tags,
        tag=seen.tag,
        revision=head,
        served=None if published is None else published.served(),
        held=checkout.directory in settings.held or (record is not None and record.held),
        tip=seen.tip,
        behind=behind,
        clean=clean,
        owner=_owner(checkout.path),
        free_bytes=_free_bytes(checkout.path),
        key=_key(access, key),
        importer=_importer(importers, checkout),
        problems=tuple(problems),
    )


def _importer(importers: Importers, checkout: Checkout) -> str | None:
    try:
        choice = importers.choice(checkout)
    except TransientError:
        return None
    return f"{choice.name} ({choice.why})"


def _importer_problems(
    importers: Importers, checkout: Checkout, record: CheckoutRecord
) -> Iterator[Problem]:
    if record.action is not Action.IMPORT:
        return
    try:
        importers.of(checkout).check()
    except TransientError as error:
        yield Problem("importer", f"imports will fail until this is mended: {error}")


def _remote_problems(error: GitreloadError, access: Access, key: str | None) -> Iterator[Problem]:
    """What the remote said; `key` is the SSH_KEY's fingerprint, if it can be had."""
    if not isinstance(error, AccessError):
        yield Problem("remote", str(error))
        return
    yield Problem("key", str(error))
    if access.ssh_key is None or key is not None or access.key_fault() is not None:
        return
    path = str(access.ssh_key)
    yield Problem(
        "key",
        f"the SSH_KEY {visible(path)} has a passphrase, which nobody enters, or is no private key: "
        f"take the passphrase away (ssh-keygen -p -N '' -f {quoted(path)}), or name "
        "another file",
    )


def _key(access: Access, fingerprint: str | None) -> str | None:
    """What the checkout is fetched with of its own, for people; None where it has nothing."""
    ssh_key = f"SSH_KEY {access.ssh_key} {fingerprint or ''}".rstrip() if access.ssh_key else None
    return ", ".join(filter(None, [ssh_key, access.token_place])) or None


def _commits_behind(git: Git, head: str | None, tip: str | None) -> int | None:
    return None if head is None or tip is None else git.commits_between(head, tip)


def _place_problems(checkout: Checkout) -> Iterator[Problem]:
    name, path = visible(checkout.directory), quoted(checkout.path)
    if not all(os.access(place, os.W_OK | os.X_OK) for place in _written(checkout.path)):
        user = user_name()
        yield Problem(
            "owner",
            f"{user} may not write in {name}, which belongs to {_owner(checkout.path)}. Give it "
            f"to {user}: chown -R {user} {path}",
        )
    try:
        check_space(checkout.directory, checkout.path)
    except TransientError as error:
        yield Problem("disk", str(error))


def _written(path: str) -> Iterator[str]:
    yield path
    own = Path(path, ".git")
    if own.is_dir():  # not a file that leads elsewhere
        yield str(own)
        yield str(own / "objects")


def _fault(git: Git, error: GitreloadError) -> str:
    """Why git does not work there; of damage that the next update heals, that it does."""
    try:
        if not isinstance(error, DamagedError) or not renewable(git):
            return str(error)
    except OSError:
        return str(error)
    sync = f"gitreload sync --update {quoted(git.checkout.directory)}"
    return f"{error.found}. The next update fetches everything anew: {sync}"


def _changes(checkout: Checkout) -> str:
    name, path = visible(checkout.directory), quoted(checkout.path)
    return (
        f"{name} has changes, which the next update takes away: see git -C {path} status, and "
        "commit and push what is worth it elsewhere"
    )


def _lag_problems(
    seen: Seen,
    head: str | None,
    tip: str,
    behind: int | None,
    record: CheckoutRecord | None,
) -> Iterator[Problem]:
    job = record.last_job if record else None
    action = owed(record, tip) if record else None
    # What is being done about it is no problem, and what has failed is told of the job.
    if job is not None and job.state not in (State.SUCCEEDED, State.CANCELLED) and action is None:
        return
    checkout = seen.checkout
    name = visible(checkout.directory)
    asked = record.action if record and record.action else Action.UPDATE
    option = "--update " if asked is Action.UPDATE else ""
    sync = f"gitreload sync {option}{quoted(checkout.directory)}"
    if head != tip:
        tag = f"the newest tag, {visible(seen.tag)}" if seen.tag else "its branch's tip"
        yield Problem("behind", f"{name} is {_distance(behind)} {tip[:12]}, {tag}: {sync}")
    elif action is not None:
        yield Problem("behind", f"{name} is at {tip[:12]}, but its {action} is still owed: {sync}")


def _distance(behind: int | None) -> str:
    if behind is None:
        return "behind by commits that are not fetched yet, up to"
    if behind == 0:
        return "not at, but has commits of its own beyond,"
    return f"{behind} {'commit' if behind == 1 else 'commits'} behind"


def _ledger_problems(record: CheckoutRecord, now: float) -> Iterator[Problem]:
    job = record.last_job
    if job is not None and job.state is State.FAILED:
        again = f"once that is mended: gitreload retry {job.id}"
        yield Problem("job", f"its last job, {job.id}, failed: {job.error}; {again}")
    elif (waits := late(record, now)) is not None:
        yield Problem("job", waits)
    elif job is not None and job.failing:
        yield Problem("job", f"job {job.id} fails again and again: {job.error}")
    elif job is not None and job.state is State.QUEUED and job.tries:
        yield Problem("job", f"job {job.id} failed and is tried again: {job.error}")
    if record.missed is not None:
        yield Problem("webhook", record.missed.alarm(now))


def _webhook_problems(
    checkout: Checkout, record: CheckoutRecord | None, hooks: Hooks
) -> Iterator[Problem]:
    repository = hooks.repository(checkout)
    if repository is None:
        return
    name = visible(repository)
    try:
        found = hooks.of_repository(repository) or list(filter(None, [hooks.of_app()]))
    except GitreloadError as error:
        text = f"the webhooks of {name} cannot be looked at: {explained(error)}"
        yield Problem("webhook", text)
        return
    for hook in found:
        for trouble in hook.troubles():
            yield Problem("webhook", trouble)
    job = record.last_job if record else None
    # One of its organization is not seen here.
    if not found and (job is None or job.reason is not Reason.PUSH):
        yield Problem(
            "webhook",
            f"no webhook of {name} sends to {hooks.public_url}, so its pushes are only found by "
            "RECONCILE_MINUTES: add one as docs/forges/github.md says",
        )


def _owner(path: str) -> str:
    number = Path(path).stat().st_uid
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"#{number}"


def _free_bytes(path: str) -> int:
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize
