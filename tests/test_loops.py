"""Pushes of Studio's exporter are not imported into Studio; what people push is."""

from __future__ import annotations

import pytest

from gitreload.git import subjects
from gitreload.ledger import LinkedDelivery
from gitreload.loops import Loops
from gitreload.model import Action, Job, PermanentError, State
from gitreload.process import Runner
from gitreload.reconcile import owed
from helpers import git
from workbench import Bench

EXPORT = "Export course from Studio at 2026-11-24 18:30:00+00:00"
GLOB = "Export*from Studio at *"
BOT = "studio[bot]"


def export(bench: Bench, *, pusher: str | None = BOT, message: str = EXPORT) -> Job:
    """Somebody pushes a commit, and its job runs."""
    before = git("rev-parse", "HEAD", cwd=bench.remote.work)
    after = bench.remote.commit({}, message)
    bench.push(after, before=before, pusher=pusher, action=Action.IMPORT)
    return bench.run()


def human(bench: Bench) -> Job:
    return export(bench, pusher="ada", message="A chapter on lakes")


@pytest.fixture(params=["IGNORE_PUSHERS", "IGNORE_COMMITS"])
def ignoring(request: pytest.FixtureRequest, bench: Bench) -> Bench:
    """Knows the exporter by one of its marks, and has imported the course once."""
    bench.configured(**{request.param: [BOT if request.param == "IGNORE_PUSHERS" else GLOB]})
    human(bench)
    return bench


def broken(_runner: Runner) -> None:
    raise PermanentError("the course is broken")


class TestJobs:
    def test_an_export_is_checked_out_and_not_imported(self, ignoring: Bench) -> None:
        job = export(ignoring)
        assert job.state is State.SUCCEEDED
        assert job.skipped is not None
        assert "not imported (`gitreload sync --force course` imports it)" in job.skipped
        assert len(ignoring.importer.imported) == 1
        tip = git("rev-parse", "HEAD", cwd=ignoring.repodir / "course")
        assert tip == git("rev-parse", "HEAD", cwd=ignoring.remote.work)
        [record] = ignoring.ledger.last_results().values()
        assert owed(record, tip) is None, "reconciling is content"

    def test_nor_by_a_retry_or_by_hand_unless_forced(self, ignoring: Bench) -> None:
        job = export(ignoring)
        ignoring.ledger.retry(job)
        assert "which was left out" in (ignoring.run().skipped or "")
        ignoring.sync()
        assert ignoring.run().skipped is not None
        ignoring.sync(force=True)
        assert ignoring.run().skipped is None
        assert ignoring.importer.imported[1:] == [job.to_revision]

    def test_exports_one_after_the_other_are_left_out_one_by_one(self, ignoring: Bench) -> None:
        assert export(ignoring).skipped
        assert export(ignoring).skipped

    def test_several_exports_in_one_job_are_left_out_in_whatever_order_they_are_told(
        self, ignoring: Bench
    ) -> None:
        at = [git("rev-parse", "HEAD", cwd=ignoring.remote.work)]
        at += [ignoring.remote.commit({}, EXPORT) for _ in range(3)]
        for before, after in [(at[1], at[2]), (at[0], at[1]), (at[2], at[3])]:
            ignoring.push(after, before=before, pusher=BOT, action=Action.IMPORT)
        assert ignoring.run().skipped

    def test_what_somebody_pushes_on_top_is_imported(self, ignoring: Bench) -> None:
        export(ignoring)
        assert human(ignoring).skipped is None
        assert len(ignoring.importer.imported) == 2

    def test_and_below_an_export_whatever_announced_it(self, ignoring: Bench) -> None:
        ignoring.remote.commit({}, "whose webhook never came")
        assert export(ignoring).skipped is None

    def test_a_failed_import_of_somebody_is_not_forgotten(self, ignoring: Bench) -> None:
        ignoring.importer.action = broken
        assert human(ignoring).state is State.FAILED
        ignoring.importer.action = lambda _runner: None
        assert export(ignoring).skipped is None

    def test_a_rewritten_history_is_imported(self, ignoring: Bench) -> None:
        export(ignoring)
        git("reset", "-q", "--hard", "HEAD~2", cwd=ignoring.remote.work)
        git("commit", "-q", "--allow-empty", "-m", EXPORT, cwd=ignoring.remote.work)
        ignoring.remote.push("main", "--force")
        ignoring.sync()
        assert ignoring.run().skipped is None

    def test_before_the_first_import_the_newest_decides(self, bench: Bench) -> None:
        bench.configured(IGNORE_PUSHERS=[BOT], IGNORE_COMMITS=[GLOB])
        assert export(bench).skipped
        assert human(bench).skipped is None

    def test_an_update_has_nothing_to_leave_out(self, ignoring: Bench) -> None:
        after = ignoring.remote.commit({}, EXPORT)
        ignoring.push(after, pusher=BOT)
        assert ignoring.run().skipped is None

    def test_who_is_ignored_everywhere_is_so_in_each_checkout(self, bench: Bench) -> None:
        settings = bench.configured(IGNORE_PUSHERS=["bot"]).settings
        both = settings.model_copy(update={"ignore_pushers": ("other",)})
        loops = Loops.of(both, "course")
        assert loops is not None
        assert loops.pushers == ("other", "bot")
        assert Loops.of(settings, "another") is None


@pytest.mark.parametrize(
    ("pusher", "glob", "ignored"),
    [
        ("studio-bot", "studio-bot", True),
        ("Studio-Bot", "studio-*", True),
        ("studio[bot]", "studio[bot]", True),
        ("studiob", "studio[bot]", True),
        ("astudio-bot", "studio-*", False),
        ("studio-bot", "studio", False),
        (None, "*", False),
    ],
)
def test_names_are_matched_whole_and_in_any_case(
    pusher: str | None, glob: str, *, ignored: bool
) -> None:
    push = LinkedDelivery(1, 0.0, "github", None, "push", None, "refs/heads/main", "a", "b", pusher)
    loops = Loops("course", (glob,), ())
    assert bool(loops.why("b", "a", [push], lambda _tip, _since: None)) is ignored


class TestSubjects:
    def told(self, bench: Bench, since: str | None) -> list[str] | None:
        path = bench.repodir / "course"
        git("pull", "-q", cwd=path)
        tip = git("rev-parse", "HEAD", cwd=path)
        return subjects(bench.checkout(), Runner(log=print), tip, since, timeout=60)

    def test_all_that_is_new_is_told(self, bench: Bench) -> None:
        since = git("rev-parse", "HEAD", cwd=bench.remote.work)
        git("config", "i18n.logOutputEncoding", "latin1", cwd=bench.repodir / "course")
        git("config", "log.showSignature", "true", cwd=bench.repodir / "course")
        for message in ("Über Flüsse\n\nand more", "commit x", "x" * 1000):
            bench.remote.commit({}, message)
        assert self.told(bench, since) == ["x" * 500, "commit x", "Über Flüsse"]
        assert self.told(bench, None) == ["x" * 500]

    def test_what_cannot_be_told_is_not(self, bench: Bench) -> None:
        assert self.told(bench, "f" * 40) is None, "unknown here"
        tip = git("rev-parse", "HEAD", cwd=bench.remote.work)
        assert self.told(bench, tip) is None, "nothing is new"

    def test_nor_of_thousands_of_commits(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        since = git("rev-parse", "HEAD", cwd=bench.remote.work)
        monkeypatch.setattr("gitreload.git.messages.MOST", 2)
        bench.remote.commit({}, EXPORT)
        bench.remote.commit({}, EXPORT)
        assert self.told(bench, since) == [EXPORT] * 2
        bench.remote.commit({}, EXPORT)
        assert self.told(bench, since) is None
