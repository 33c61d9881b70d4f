"""What people and workers ask of the ledger. Nothing here changes it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from gitreload.ledger import after, alarms, claiming, courses, logs, queue, received, reports, views
from gitreload.ledger.after import LastAfter
from gitreload.ledger.courses import KnownCourse
from gitreload.ledger.database import Database
from gitreload.ledger.received import AskedFor, Kept, Received
from gitreload.ledger.reports import Owed, Report
from gitreload.ledger.views import CheckoutRecord, LinkedDelivery
from gitreload.model import Action, Attempt, Job, Outcome, State


class Questions:
    """The half of `Ledger` that reads; every method is one transaction. Raises LedgerUnavailable.

    A checkout may be held by hand, which its row says, or by the configuration, which is laid over
    what is read: `held_by_configuration` has the directories.
    """

    def __init__(self, database: Database, pool: str, clock: Callable[[], float]) -> None:
        self.database = database
        self.pool = pool
        self.clock = clock
        self.held_by_configuration: frozenset[str] = frozenset()

    def unfinished(self, path: str | None = None, *, held: bool = False) -> list[Job]:
        """The jobs that run or wait, with `held` those that wait for their checkout's release too.

        With a `path`, those of that checkout.
        """
        with self.database.read() as connection:
            found = views.unfinished(connection, self.pool, path)
        return [job for job in map(self._with_hold, found) if held or not job.held]

    def find_jobs(
        self,
        *,
        states: Collection[State] = (),
        actions: Collection[Action] = (),
        directories: Collection[str] = (),
        limit: int = 50,
    ) -> list[Job]:
        with self.database.read() as connection:
            found = views.find_jobs(
                connection, states=states, actions=actions, directories=directories, limit=limit
            )
        return [self._with_hold(job) for job in found]

    def job(self, job_id: int) -> Job | None:
        with self.database.read() as connection:
            job = queue.get(connection, job_id)
        return job and self._with_hold(job)

    def follow(self, job_id: int) -> Job | None:
        """The job that now stands for `job_id`, at the end of its supersessions."""
        with self.database.read() as connection:
            job = views.follow(connection, job_id)
        return job and self._with_hold(job)

    def _with_hold(self, job: Job) -> Job:
        held = job.directory in self.held_by_configuration
        waits = held and job.state is State.QUEUED and not job.only_after
        return replace(job, held=True) if waits else job

    def attempts(self, job_id: int) -> list[Attempt]:
        with self.database.read() as connection:
            return views.attempts_of(connection, job_id)

    def deliveries(self, job_id: int) -> list[LinkedDelivery]:
        with self.database.read() as connection:
            return views.deliveries_of(connection, job_id)

    def find_deliveries(
        self,
        *,
        forges: Collection[str] = (),
        repositories: Collection[str] = (),
        outcomes: Collection[Outcome] = (),
        since: float | None = None,
        limit: int = 50,
    ) -> list[Received]:
        with self.database.read() as connection:
            return received.find(
                connection,
                forges=forges,
                repositories=repositories,
                outcomes=outcomes,
                since=since,
                limit=limit,
            )

    def delivery(self, number: int) -> Received | None:
        with self.database.read() as connection:
            return received.get(connection, number)

    def kept(self, delivery: Received) -> Kept:
        """What is kept of its request."""
        with self.database.read() as connection:
            return received.kept(connection, delivery.id)

    def asked_for(self, delivery: Received) -> list[AskedFor]:
        """The jobs that it has asked for, oldest first."""
        with self.database.read() as connection:
            return received.asked_for(connection, delivery.id)

    def log(self, attempt_id: int, after: int = 0) -> list[tuple[int, str]]:
        with self.database.read() as connection:
            return logs.read(connection, attempt_id, after)

    def last_results(self) -> dict[str, CheckoutRecord]:
        with self.database.read() as connection:
            found = views.last_results(connection, self.pool)
        configured = self.held_by_configuration
        return {
            path: replace(
                record,
                held=record.held or record.directory in configured,
                last_job=record.last_job and self._with_hold(record.last_job),
            )
            for path, record in found.items()
        }

    def held(self, job: Job) -> bool:
        """Whether the checkout of the job, which may run, is held now."""
        if job.directory in self.held_by_configuration:
            return True
        with self.database.read() as connection:
            return views.held(connection, job.checkout_id)

    def imported(self, job: Job) -> tuple[str | None, str | None]:
        """Revision and importer settings of the last successful import of the job's checkout."""
        with self.database.read() as connection:
            return views.imported(connection, job.checkout_id)

    def settled(self, job: Job) -> str | None:
        """Up to which revision nothing of the job's checkout is left to import."""
        with self.database.read() as connection:
            return views.settled(connection, job.checkout_id)

    def courses(self, job: Job) -> dict[str, KnownCourse]:
        """What was imported from the job's checkout, by the courses' keys."""
        with self.database.read() as connection:
            return courses.known(connection, job.checkout_id)

    def approved(self, job: Job) -> frozenset[str]:
        """Digests of the losses that were approved for the next import of the job's checkout."""
        with self.database.read() as connection:
            return courses.approved(connection, job.checkout_id)

    def last_after(self, job: Job) -> LastAfter:
        """For what AFTER of the job's checkout succeeded last."""
        with self.database.read() as connection:
            return after.last(connection, job.checkout_id)

    def held_paths(self) -> set[str]:
        """The resolved paths of the checkouts that are held."""
        with self.database.read() as connection:
            return views.held_paths(connection, self.pool)

    def next_due(self) -> float | None:
        with self.database.read() as connection:
            return claiming.next_due(connection, self.clock(), self.pool)

    def cancelling(self) -> Sequence[int]:
        with self.database.read() as connection:
            return queue.cancelling(connection)

    def untold(self) -> Sequence[int]:
        """The jobs that there is news of which reporters were not asked about yet."""
        with self.database.read() as connection:
            return reports.untold(connection, self.pool)

    def announced(self) -> dict[int, str]:
        """The unfinished jobs, and the revision that was announced to each."""
        with self.database.read() as connection:
            return reports.announced(connection, self.pool)

    def due_reports(self, longest: float) -> list[Owed]:
        """What is to be told now, one report of each place; none waits longer than `longest` s."""
        with self.database.read() as connection:
            return reports.due(connection, self.pool, self.clock(), longest)

    def refused(self, since: float) -> list[tuple[str, str]]:
        """Repositories whose genuine deliveries are refused since (epoch seconds), and why."""
        with self.database.read() as connection:
            return alarms.refused(connection, since)

    def newest_report(self) -> int:
        """The id of the report that was made last, 0 where none was."""
        with self.database.read() as connection:
            return reports.newest(connection)

    def reports(self, job_id: int) -> list[Report]:
        """What was told of a job, or is to be, oldest first."""
        with self.database.read() as connection:
            return reports.of_job(connection, job_id)

    def refused_reports(self) -> dict[str, list[Report]]:
        """By the paths of checkouts: what each reporter told last, where that was refused."""
        with self.database.read() as connection:
            return reports.refused(connection, self.pool)

    def running_workers(self) -> set[str]:
        with self.database.read() as connection:
            return queue.running_workers(connection)

    def running_attempts(self) -> list[tuple[Job, Attempt]]:
        with self.database.read() as connection:
            return queue.running_attempts(connection)
