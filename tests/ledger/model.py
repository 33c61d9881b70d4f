"""What a ledger owes to whom, without a table: the measure of `ledger.machine`.

Each checkout owes *debts*: a delivery that was accepted, or a wish made by hand. A debt is
*waiting* until a run that began after it takes it along; it is settled when that run succeeds,
fails for good or is cancelled, and waits again when the run comes to nothing. From that follows
all that the ledger promises:

- no loss: while a debt waits there is a queued job, which carries it and does what it asks for;
- coalescing: there is one such job for each checkout, and none where nothing is owed;
- order: the job that is claimed is the one that is due for longest, of those that may run;
- one at a time for each checkout and for each course.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from gitreload.ledger import Claimed
from gitreload.model import Action, State

DIRECTORIES = ("a", "b", "c")
WORKERS = ("worker-1", "worker-2")
# Both checkouts hold the same course: their imports exclude each other.
COURSES = {"a": "course-v1:X+Y+Z", "b": "course-v1:X+Y+Z", "c": None}


@dataclass(frozen=True)
class Debt:
    """What a checkout owes: `delivery` is the ledger's id, None for a wish made by hand."""

    action: Action
    delivery: int | None
    delivery_id: str | None


@dataclass
class Waiting:
    """The debts that one queued job has to carry, and when that job is due."""

    job: int
    debts: list[Debt]
    due_at: float
    tries: int = 0
    lags: int = 0
    wanted: str | None = None

    @property
    def action(self) -> Action:
        actions = {debt.action for debt in self.debts}
        return Action.IMPORT if Action.IMPORT in actions else Action.UPDATE


@dataclass
class Run:
    """A run, with the debts that it took along."""

    claimed: Claimed
    worker: str
    taken: Waiting
    course: str | None = None
    cancelled: bool = False


@dataclass
class Model:
    """What the ledger should know."""

    waiting: dict[str, Waiting] = field(default_factory=dict)
    runs: dict[str, Run] = field(default_factory=dict)
    courses: dict[str, str] = field(default_factory=dict)
    # Finished jobs: when, how, and what they carried.
    finished: dict[int, tuple[float, State, str, Action, list[Debt]]] = field(default_factory=dict)
    # Which job stands for one that was merged into another, and since when.
    merged: dict[int, tuple[float, int]] = field(default_factory=dict)

    def succeeded(self, directory: str, delivery_id: str, action: Action) -> bool:
        """Whether that delivery's action was done in that checkout."""
        covering = {action, Action.IMPORT}
        return any(
            state is State.SUCCEEDED and place == directory and done in covering
            and any(debt.delivery_id == delivery_id for debt in debts)
            for _, state, place, done, debts in self.finished.values()
        )  # fmt: skip

    def may_run(self, directory: str, now: float) -> bool:
        waiting = self.waiting[directory]
        course = self.courses.get(directory) if waiting.action is Action.IMPORT else None
        taken = {run.course for run in self.runs.values()} - {None}
        return waiting.due_at <= now and directory not in self.runs and course not in taken

    def next(self, now: float) -> str | None:
        """The checkout whose job has to be claimed next."""
        ready = [directory for directory in self.waiting if self.may_run(directory, now)]
        key = lambda directory: (self.waiting[directory].due_at, self.waiting[directory].job)  # noqa: E731
        return min(ready, key=key, default=None)
