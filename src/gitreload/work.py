"""What a job does to its checkout, step by step: update, publish, import, run AFTER.

Each step looks at what it did last, as far as that is on disk, and does what is missing: a job that
is tried again, or taken up after a crash, goes on where it was. `PATHS` narrow what counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from gitreload import git
from gitreload.building import Build
from gitreload.config import Settings
from gitreload.importers import Importer
from gitreload.importing import EXCLUSION_SECONDS, Import, TakenError, import_digest
from gitreload.ledger import Done, Ledger, Revisions
from gitreload.loops import Loops
from gitreload.model import (
    Action,
    Checkout,
    GitreloadError,
    Imported,
    Interrupted,
    Job,
    PermanentError,
    TransientError,
)
from gitreload.process import Runner
from gitreload.publish import Published, revision_of
from gitreload.steps import Step

# A forge announces a push before all its replicas have it; after these waits its word stands.
LAG_SECONDS = (3.0, 15.0)


class Postponed(Exception):  # noqa: N818 - nothing went wrong
    """The job has to wait so many seconds. `lags` is how often the remote was behind up to now."""

    def __init__(self, why: str, seconds: float, lags: int) -> None:
        super().__init__(why)
        self.seconds = seconds
        self.lags = lags


class Work:
    """One attempt at what `job` asks for; the caller holds the checkout's lock."""

    def __init__(
        self,
        job: Job,
        checkout: Checkout,
        ledger: Ledger,
        settings: Settings,
        importer: Importer,
        runner: Runner,
        access: git.Access,
    ) -> None:
        self._job = job
        self._checkout = checkout
        self._ledger = ledger
        self._settings = settings
        self._importer = importer
        self._runner = runner
        self._access = access
        self._repo = settings.repo(checkout.directory)
        self._extent = git.Extent.of(settings, checkout.directory)
        self._published = Published.of(settings, checkout.directory)
        self._build = Build.of(settings, checkout.directory)
        self._imported: Imported | None = None
        # What there is to tell, and what of it is why something was left out.
        self._told: list[str] = []
        self._skipped: list[str] = []

    def update(self) -> Revisions:
        """Bring the checkout to its tip; raises `Postponed` where the remote lags behind."""
        wanted, lags = self._job.wanted, self._job.lags
        may_lag = wanted is not None and lags < len(LAG_SECONDS)
        try:
            updated = git.update(
                self._checkout,
                self._runner,
                timeout=self._settings.git_timeout_seconds,
                clean_policy=self._repo.clean,
                wanted=() if wanted is None else (wanted,),
                access=self._access,
                extent=self._extent,
                signers=git.Signers.of(self._settings, self._checkout.directory),
            )
        except (git.BranchGoneError, git.UntrustedError) as error:
            if may_lag and error.lagging:
                raise Postponed(str(error), LAG_SECONDS[lags], lags + 1) from error
            raise
        for note in updated.notes:
            self._runner.log(note)
        if updated.lagging and may_lag:
            why = f"the remote does not have {wanted} yet, as announced"
            raise Postponed(why, LAG_SECONDS[lags], lags + 1)
        return Revisions(updated.before, updated.after)

    def finish(self, revisions: Revisions) -> tuple[str, Done]:
        """What comes after the update; a line that tells of it, and what the ledger keeps.

        Raises `Postponed`, and `HeldError` where the checkout was held meanwhile.
        """
        self._publish(revisions.after)
        if self._job.action is Action.IMPORT:
            self._import(revisions.after)
        now = (self._published and self._published.served()) or revisions.after
        served = self._after(now, revisions.after)
        self._prepare_next()
        moved = _moved(revisions)
        head = f"updated: {moved}" if self._job.action is Action.UPDATE else moved
        # The same may be why several steps were left out.
        told = list(dict.fromkeys(self._told))
        why = None if self._acted else "; ".join(told) or None
        return "; ".join([head, *told]), Done(self._imported, served, why)

    @property
    def _acted(self) -> bool:
        return self._told != self._skipped

    def _skip(self, why: str) -> None:
        self._told.append(why)
        self._skipped.append(why)

    def after_alone(self) -> tuple[Revisions, str, Done]:
        """Run AFTER for what is served now, and nothing else: the revisions, and as `finish`.

        Raises `PermanentError` where nothing is served.
        """
        served = None if self._published is None else self._published.served()
        if served is None:
            raise PermanentError(
                f"{self._checkout.directory} is not published any more, so there is nothing that "
                "AFTER could run for until its next update: gitreload sync --update "
                f"{self._checkout.directory}"
            )
        last = self._ledger.last_after(self._job).served
        done = Done(served=self._after(served, served))
        line = "; ".join(self._told or ["AFTER has nothing to do"])
        before = last and revision_of(last)
        return Revisions(before, revision_of(served)), f"serving {served[:12]}; {line}", done

    def _publish(self, revision: str) -> None:
        published = self._published
        if published is None:
            return
        build = None if self._build is None else self._build.digest
        served = published.served()
        before = None if served is None else revision_of(served)
        if self._repo.paths and served in published.kept():
            as_before = published.build(served) == build
            if as_before and self._is_the_same(before, revision):
                return
        switched = published.publish(
            published.name(revision, build, again=self._job.force and build is not None),
            write=lambda folder, index: self._write(folder, index, revision, before),
            validate=lambda folder: self._validate(folder, revision, before),
            may_switch=lambda: not self._ledger.held(self._job),
            afresh=build is not None,
        )
        if switched:
            self._runner.log(f"published as {published.link}")
            self._told.append("published")

    def _write(self, folder: Path, index: Path, revision: str, before: str | None) -> None:
        """What is to be published: what is built of the revision, or else its files."""

        def write_files(folder: Path, index: Path) -> None:
            git.write(
                self._checkout,
                self._runner,
                revision,
                folder=folder,
                index=index,
                timeout=self._settings.git_timeout_seconds,
                access=self._access,
                extent=self._extent,
            )

        if self._build is None:
            write_files(folder, index)
            return
        step = self._step("BUILD", self._build.command, revision, before)
        self._build.write(
            folder,
            index,
            source=write_files,
            run=lambda work: step.run(self._runner, work),
            digits=len(revision),
            anew=self._job.force,
        )

    def _validate(self, folder: Path, revision: str, before: str | None) -> None:
        if self._repo.validator:
            step = self._step("VALIDATE", self._repo.validator, revision, before)
            replace(step, fails="refused").run(self._runner, folder)

    def _import(self, revision: str) -> None:
        checkout, importer = self._checkout, self._importer
        before, settings = self._ledger.imported(self._job)
        digest = import_digest(importer, checkout, self._settings)
        if settings == digest and not self._job.force:
            if before == revision:
                self._skip(
                    f"already imported (`gitreload sync --force {checkout.directory}` "
                    "imports it again)"
                )
                return
            if self._is_the_same(before, revision):
                return
        if before != revision and (why := self._bounces(revision)) is not None:
            self._skip(why)
            return
        done = Import(
            *(self._job, checkout, self._ledger, self._settings, importer, self._runner),
            folder=self._files(),
            revision=revision,
            previous=before,
        )
        try:
            keys = done.run()
        except TakenError as error:
            raise Postponed(str(error), EXCLUSION_SECONDS, self._job.lags) from error
        self._imported = Imported(keys[0] if keys else None, digest)
        self._told.append(f"imported {' and '.join(keys) or 'it'}")

    def _files(self) -> Path:
        """The directory with what is imported: the checkout, or what `BUILD` made of it."""
        if self._build is None or self._published is None:
            return Path(self._checkout.path)
        served = self._published.served()
        return Path(self._checkout.path) if served is None else self._published.folder(served)

    def _bounces(self, revision: str) -> str | None:
        """Why an import would only give back what came from there; None where it would not."""
        loops = Loops.of(self._settings, self._checkout.directory)
        if loops is None or self._job.force:
            return None
        return loops.why(
            revision,
            self._ledger.settled(self._job),
            self._ledger.deliveries(self._job.id),
            lambda tip, since: git.subjects(
                self._checkout,
                self._runner,
                tip,
                since,
                timeout=self._settings.git_timeout_seconds,
            ),
        )

    def _after(self, served: str, revision: str) -> str | None:
        """Run AFTER where it is owed, and say for what; `revision` is what was imported, if any.

        It is owed for all that is done, until it has succeeded once since.
        """
        last = self._ledger.last_after(self._job)
        owed = self._acted or last.owed or self._job.force
        if not self._repo.after or (
            not owed and (last.served == served or self._is_the_same(last.served, served))
        ):
            return None
        self._ledger.owe_after(self._job, revision, self._imported)
        published = self._published
        folder = published.folder(served) if published else Path(self._checkout.path)
        before = last.served and revision_of(last.served)
        step = self._step("AFTER", self._repo.after, revision_of(served), before)
        try:
            step.run(self._runner, folder)
        except Interrupted:
            raise
        except GitreloadError as error:
            # Whatever it is, the update is done: nobody would push again for that.
            raise TransientError(f"{error}; the update is done, only AFTER is owed") from error
        self._told.append("AFTER ran")
        return served

    def _prepare_next(self) -> None:
        """Last of all, as nobody waits for it."""
        if self._published is None:
            return
        try:
            self._published.make_ready()
        except TransientError as error:
            self._runner.log(f"the next revision is not prepared for: {error}")

    def _step(self, key: str, argv: Sequence[str], revision: str, previous: str | None) -> Step:
        checkout = self._checkout
        return Step(
            key,
            argv,
            self._job,
            checkout,
            self._published.link if self._published else Path(checkout.path),
            revision,
            previous,
            self._settings.subprocess_timeout_minutes * 60,
        )

    def _is_the_same(self, before: str | None, now: str) -> bool:
        """Whether `PATHS` are set, and nothing below them differs between what was and is served.

        What was built of one revision twice is never the same.
        """
        if before is None or not self._repo.paths or self._job.force:
            return False
        old, new = revision_of(before), revision_of(now)
        timeout = self._settings.git_timeout_seconds
        if old == new or git.differ(
            self._checkout, self._runner, old, new, self._repo.paths, timeout=timeout
        ):
            return False
        self._skip(f"nothing below PATHS changed since {old[:12]}")
        return True


def _moved(revisions: Revisions) -> str:
    before, after = revisions.before, revisions.after
    if before == after:
        return f"at {after[:12]}, as before"
    return f"{before[:12] if before else 'nothing'} → {after[:12]}"
