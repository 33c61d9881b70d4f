"""The words of the project, as data. Everything else speaks in these; nothing of ours is imported.

Times are seconds since the epoch (float, UTC). Revisions are full lower-case commit ids. What is
made for every push is a frozen struct, which takes an eighth of a frozen dataclass's time.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import msgspec

# Below REPODIR, for what has to be on the file system of the checkouts; no look finds it there.
HIDDEN = ".gitreload"


class Action(StrEnum):
    """What a job does to its checkout."""

    IMPORT = "import"
    UPDATE = "update"

    @property
    def queue_name(self) -> str:
        """The name that 0.2 used in `/queue`, kept for those who read it."""
        return "COURSE_IMPORT" if self is Action.IMPORT else "GET_LATEST"


class State(StrEnum):
    """Where a job stands. Only `queued` and `running` are unfinished."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"

    @property
    def finished(self) -> bool:
        return self not in (State.QUEUED, State.RUNNING)


class Outcome(StrEnum):
    """What became of a delivery, weakest last; the strongest of its pushes is reported."""

    QUEUED = "queued"
    COALESCED = "coalesced"
    DUPLICATE = "duplicate"
    IGNORED = "ignored"
    PONG = "pong"
    REFUSED = "refused"


class Mark(StrEnum):
    """How a commit stands, for those who are told: what is done with it is on its way, or ended."""

    PENDING = "pending"
    SUCCESS = "success"
    FAILURE = "failure"


class Reason(StrEnum):
    """Why a job exists."""

    PUSH = "push"
    SYNC = "sync"
    RETRY = "retry"
    REPLAY = "replay"
    RECONCILE = "reconcile"
    ROLLBACK = "rollback"


class Push(msgspec.Struct, frozen=True):
    """One ref moved in one repository, as a forge told it. Nothing here is trusted.

    `urls` are all clone URLs of the payload, as sent; they only select checkouts.
    `before` and `after` are 40 or 64 lower-case hex digits, or None where the forge sent none
    or zeros (creation, deletion); they are only ever compared.
    """

    ref: str
    urls: tuple[str, ...]
    repository: str | None = None
    before: str | None = None
    after: str | None = None
    deleted: bool = False
    pusher: str | None = None

    @property
    def branch(self) -> str | None:
        """The branch's name, None for a tag or any other ref."""
        prefix = "refs/heads/"
        return self.ref[len(prefix) :] if self.ref.startswith(prefix) else None


class Delivery(msgspec.Struct, frozen=True):
    """One HTTP request of a forge, understood.

    `ping` is a forge's test call. `ignored` says why a genuine delivery asks for nothing
    (another event, say); then `pushes` is empty. `never_disabled` tells that this forge does not
    switch a hook off after refusals, so that a 404 is safe. `nonces` are what the forge signs once
    only, to be remembered against replays: a request with any that came before is a copy. After
    `fresh_until` (epoch seconds) the time in its signature stops a copy too; None means never.
    `proven_by` are the places, among the secrets it was read with, of those that prove it genuine;
    there is none where a Basic credential, a public key or nobody does.
    """

    forge: str
    event: str
    delivery_id: str | None = None
    hook: str | None = None
    pushes: tuple[Push, ...] = ()
    ping: bool = False
    ignored: str | None = None
    never_disabled: bool = False
    nonces: tuple[str, ...] = ()
    fresh_until: float | None = None
    proven_by: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Checkout:
    """A clone below `REPODIR`.

    `directory` is its name there ("course" or "org/course"), `path` the resolved absolute path,
    which is its identity. `aliases` are further names that lead to the same path. `origin` is the
    URL as configured, `url` what git's `insteadOf` rules make of it, its user and password masked
    (None where nobody looked); `identities` are the canonical forms under which a payload may name
    it. `branch` is what `HEAD` names (None when detached), `follows` the branch of the remote that
    it tracks; where `tags` is set, it follows the newest of the tags with this pattern instead, and
    `branch` is brought there. `problem` says why it cannot be followed, with the cure; None when
    all is well.
    """

    directory: str
    path: str
    origin: str | None
    identities: frozenset[str]
    branch: str | None
    follows: str | None
    aliases: tuple[str, ...] = ()
    problem: str | None = None
    url: str | None = None
    tags: str | None = None

    @property
    def followed(self) -> str:
        """What it follows, for people: the name of a branch, or the pattern of tags."""
        return f"tags {self.tags}" if self.tags is not None else self.follows or ""


@dataclass(frozen=True, slots=True)
class Job:
    """One action owed to one checkout, as the ledger holds it.

    `due_at` is when it may run; `tries` counts attempts that failed for a transient cause;
    `failing` is set once the fast retries are used up. `lags` counts attempts that found the remote
    behind `wanted`, the `after` of the newest delivery. `held` tells that it waits for its checkout
    to be released. `force` runs an import even where nothing
    changed. `only_after` is one that runs AFTER for what is served, held or not, and nothing else.
    `error` is the last failure's sentence; `skipped` says why a job that succeeded had nothing to
    do, `guarded` has digests of the losses that `GUARD` refused it for. `exclusion` is a key (a
    course key) that no two running jobs share. `follows` is what its checkout followed when it was
    asked for something last, for people.
    """

    id: int
    checkout_id: int
    directory: str
    path: str
    origin: str | None
    action: Action
    state: State
    reason: Reason
    queued_at: float
    due_at: float
    tries: int = 0
    failing: bool = False
    lags: int = 0
    force: bool = False
    wanted: str | None = None
    error: str | None = None
    exclusion: str | None = None
    superseded_by: int | None = None
    started_at: float | None = None
    finished_at: float | None = None
    from_revision: str | None = None
    to_revision: str | None = None
    held: bool = False
    only_after: bool = False
    skipped: str | None = None
    follows: str | None = None
    guarded: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Group:
    """A process group that runs for an attempt: its id, and its leader's start time.

    `started` is in clock ticks since boot (field 22 of /proc/PID/stat): with it, a recycled
    process id is told from the process that we started.
    """

    pgid: int
    started: int


@dataclass(frozen=True, slots=True)
class Attempt:
    """One run of a job.

    `result` is `running`, `succeeded`, `failed`, `interrupted` (stopped before its end, the job
    is queued again), `postponed` (the remote lags, or the course key is taken) or `cancelled`.
    `marker` stands in the environment of all its children, so that they are found after a crash.
    """

    id: int
    job_id: int
    worker: str
    marker: str
    started_at: float
    finished_at: float | None = None
    result: str = "running"
    error: str | None = None
    group: Group | None = None
    from_revision: str | None = None
    to_revision: str | None = None


@dataclass(frozen=True, slots=True)
class Imported:
    """What an importer can prove: the course key, and what it would have to repeat for it.

    `settings` digests everything besides the revision that decides an import's result.
    """

    course_key: str | None
    settings: str


class GitreloadError(Exception):
    """An error with a sentence for people: what is wrong, where, and what to do."""


class TransientError(GitreloadError):
    """An attempt failed for a cause that may pass by itself: it is tried again.

    `seconds` is how long to wait before that, where somebody said so.
    """

    seconds: float | None = None


class PermanentError(GitreloadError):
    """An attempt failed for a cause that a person has to mend: it is final."""


class Interrupted(GitreloadError):  # noqa: N818 - nothing went wrong
    """An attempt was told to stop (cancelled, or the program stops)."""
