"""From deliveries to committed jobs: what reaches which checkout, and what cannot be promised."""

from __future__ import annotations

import asyncio
import errno
import gc
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from gitreload import receiver as module
from gitreload import second_look
from gitreload.authority import GLOBAL, Grant, Rules
from gitreload.checkouts import Checkouts, Match, RepodirError
from gitreload.ledger import Arrival, Ledger, LedgerUnavailable
from gitreload.model import Action, Delivery, Outcome, Push
from gitreload.receiver import Receipt, Receiver, ReceiverBusy
from gitreload.second_look import Reached
from helpers import Remote, counts, git, wait_until

FOREIGN = "https://forge.example/other/repository"


class Counting(Checkouts):
    """Real checkouts; counts looks, and does first what the test says."""

    hang: threading.Event | None = None
    error: Exception | None = None

    def __init__(self, repodir: Path, tags: str | None = None) -> None:
        super().__init__(repodir, {}, tags={"course": tags} if tags else {})
        self.looks: list[float] = []

    def match_many(self, queries: Sequence[tuple[Sequence[str], str]]) -> list[Match]:
        if self.hang is not None:
            self.hang.wait(30)
        if self.error is not None:
            raise self.error
        return super().match_many(queries)

    def look(self) -> None:
        self.looks.append(time.monotonic())
        super().look()


class Desk:
    def __init__(self, folder: Path, empty: Path, remote: Remote) -> None:
        self.url = remote.url
        self.repodir = folder / "repos"
        remote.clone(self.repodir / "course")
        state_dir = folder / "state"
        state_dir.mkdir()
        shutil.copy(empty, state_dir)
        self.ledger = Ledger.open(state_dir)
        self.checkouts = Counting(self.repodir)
        self.checkouts.look()
        self.checkouts.looks.clear()
        self.wakes = 0
        self.wake_error: Exception | None = None
        self.receiver = Receiver(self.ledger, lambda: self.checkouts, self.wake)
        self.receiver.start()

    def wake(self) -> None:
        self.wakes += 1
        if self.wake_error is not None:
            raise self.wake_error

    def push(self, ref: str = "refs/heads/main", url: str = "", *, deleted: bool = False) -> Push:
        return Push(ref, (url or self.url,), deleted=deleted)

    def receive(self, *deliveries: Delivery) -> list[Receipt | BaseException]:
        """Deliver all at once."""

        async def gather() -> list[Receipt | BaseException]:
            arrivals = [Arrival(each, Action.UPDATE, 1.0, None, (), b"{}") for each in deliveries]
            return await asyncio.gather(
                *map(self.receiver.receive, arrivals), return_exceptions=True
            )

        return asyncio.run(gather())

    def receipt(self, *pushes: Push) -> Receipt:
        [receipt] = self.receive(Delivery("github", "push", pushes=pushes))
        assert isinstance(receipt, Receipt)
        return receipt


@pytest.fixture
def desk(tmp_path: Path, empty_ledger: Path, remote: Remote) -> Iterator[Desk]:
    made = Desk(tmp_path, empty_ledger, remote)
    yield made
    made.receiver.stop(30)
    made.ledger.close()


def test_a_hit_needs_no_look_and_wakes(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    looking, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        looking.set()
        go_on.wait(30)

    monkeypatch.setattr(desk.checkouts, "look", slow)
    assert desk.receipt(desk.push()).outcome is Outcome.QUEUED
    assert desk.wakes == 1
    assert looking.wait(30), "what else it may reach is looked for afterwards"
    assert desk.receipt(desk.push()).outcome is Outcome.COALESCED
    go_on.set()


def test_each_delivery_is_a_line_of_the_log(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "gitreload.receiver")
    desk.receipt(desk.push())
    desk.receipt(desk.push("refs/tags/v1"))
    assert caplog.messages == [
        "delivery 1 of github: queued update of course at main",
        "delivery 2 of github: ignored: refs/tags/v1 is not a branch",
    ]


class TestSecondLook:
    """What a push reaches besides the checkouts that were known when it came."""

    @pytest.fixture
    def staging(self, desk: Desk, tmp_path: Path) -> Path:
        """A checkout of another repository."""
        other = Remote(tmp_path / "other", "other")
        other.commit({"README.md": "other\n"})
        staging = other.clone(desk.repodir / "staging")
        desk.checkouts.look()
        return staging

    def jobs(self, desk: Desk) -> dict[str, list[int]]:
        """The deliveries of each checkout's job."""
        return {
            job.directory: [each.id for each in desk.ledger.deliveries(job.id)]
            for job in desk.ledger.unfinished()
        }

    def test_a_remote_that_was_set_a_moment_ago(self, desk: Desk, staging: Path) -> None:
        git("remote", "set-url", "origin", desk.url, cwd=staging)
        receipt = desk.receipt(desk.push())
        assert receipt.message == "queued update of course at main"
        both = {"course": [receipt.delivery], "staging": [receipt.delivery]}
        wait_until(lambda: self.jobs(desk) == both, what="the second checkout's job")
        wait_until(lambda: desk.wakes == 2)

    def test_a_second_clone(self, desk: Desk, remote: Remote) -> None:
        remote.clone(desk.repodir / "org/second")
        desk.receipt(desk.push(), desk.push("refs/tags/v1"))
        wait_until(lambda: set(self.jobs(desk)) == {"course", "org/second"})

    def test_the_newest_of_pushes_alike_counts(
        self, desk: Desk, staging: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(second_look, "PAUSE_SECONDS", 0.3)
        desk.receipt(desk.push())
        wait_until(lambda: len(desk.checkouts.looks) == 2)  # one is the fixture's
        git("remote", "set-url", "origin", desk.url, cwd=staging)
        for _ in range(2):
            last = desk.receipt(desk.push())
        wait_until(lambda: self.jobs(desk).get("staging") == [last.delivery])

    def test_one_that_fails_is_repeated(
        self,
        desk: Desk,
        staging: Path,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        monkeypatch.setattr(second_look, "RETRY_SECONDS", 0.05)
        reach, full = desk.ledger.reach, [True]

        def fails_once(*args: Any) -> None:
            if full:
                full.clear()
                raise LedgerUnavailable("the disk is full")
            reach(*args)

        monkeypatch.setattr(desk.ledger, "reach", fails_once)
        git("remote", "set-url", "origin", desk.url, cwd=staging)
        desk.receipt(desk.push())
        wait_until(lambda: "staging" in self.jobs(desk))
        assert "has to wait: the disk is full" in caplog.text

    def test_what_it_reached_before_it_failed_is_not_queued_again(
        self, desk: Desk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(second_look, "RETRY_SECONDS", 0.05)
        monkeypatch.setattr(second_look, "PAUSE_SECONDS", 0.0)
        monkeypatch.setattr(second_look, "LOOK_SHARE", 1.0)
        calls: list[int] = []

        def fails_at_the_second(delivery: int, *_: Any) -> None:
            calls.append(delivery)
            if len(calls) == 2:
                raise LedgerUnavailable("the disk is full")

        monkeypatch.setattr(desk.ledger, "reach", fails_at_the_second)
        desk.receiver._second_look.note(
            {
                number: Reached(number, action, desk.push(), (), None)
                for number, action in ((1, Action.IMPORT), (2, Action.UPDATE))
            }
        )
        wait_until(lambda: len(calls) == 3)
        desk.receiver.stop(30)
        assert calls == [1, 2, 2]

    def test_a_delivery_that_was_pruned_meanwhile_ends_nothing(
        self,
        desk: Desk,
        staging: Path,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        monkeypatch.setattr(second_look, "PAUSE_SECONDS", 0.0)
        monkeypatch.setattr(second_look, "LOOK_SHARE", 1.0)
        git("remote", "set-url", "origin", desk.url, cwd=staging)
        gone = Reached(999, Action.UPDATE, desk.push(), (), None)
        desk.receiver._second_look.note({999: gone})
        wait_until(lambda: "delivery 999 cannot be linked" in caplog.text)
        desk.receipt(desk.push())
        wait_until(lambda: "staging" in self.jobs(desk), what="the next second look")

    def test_an_error_that_should_not_be_ends_nothing(
        self, desk: Desk, staging: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(second_look, "PAUSE_SECONDS", 0.0)
        monkeypatch.setattr(second_look, "LOOK_SHARE", 1.0)
        git("remote", "set-url", "origin", desk.url, cwd=staging)
        looked = threading.Event()

        def broken() -> None:
            looked.set()
            raise ZeroDivisionError

        with monkeypatch.context() as patch:
            patch.setattr(desk.checkouts, "look", broken)
            desk.receipt(desk.push())
            assert looked.wait(30)
        desk.receipt(desk.push())
        wait_until(lambda: "staging" in self.jobs(desk), what="the next second look")

    def test_it_reaches_only_what_the_delivery_may_act_on(
        self, desk: Desk, staging: Path, remote: Remote
    ) -> None:
        git("remote", "set-url", "origin", desk.url, cwd=staging)
        remote.clone(desk.repodir / "second")
        of_staging = Rules(frozenset({"staging"}), {})
        grant = Grant(of_staging, "github", frozenset({GLOBAL}))
        delivery = Delivery("github", "push", pushes=(desk.push(),))
        arrival = Arrival(delivery, Action.UPDATE, 1.0, None, (), b"{}")
        asyncio.run(desk.receiver.receive(arrival, grant))
        desk.receiver.stop(30)
        assert set(self.jobs(desk)) == {"course", "second"}

    def test_it_is_taken_before_the_receiver_ends(self, desk: Desk, staging: Path) -> None:
        git("remote", "set-url", "origin", desk.url, cwd=staging)
        for _ in range(2):
            desk.receipt(desk.push())
        desk.receiver.stop(30)
        assert "staging" in self.jobs(desk)


@pytest.mark.parametrize(
    ("ref", "url", "cloned", "reason"),
    [
        ("refs/heads/main", FOREIGN, False, "not cloned here"),
        ("refs/heads/devel", "", True, "course follows main, not devel"),
    ],
)
def test_misses_that_come_together_share_a_look(
    desk: Desk, ref: str, url: str, cloned: bool, reason: str
) -> None:
    misses = [Delivery("github", "push", pushes=(desk.push(ref, url),))] * 20
    for receipt in desk.receive(*misses):
        assert isinstance(receipt, Receipt)
        assert (receipt.outcome, receipt.cloned) == (Outcome.IGNORED, cloned)
        assert reason in receipt.message
    assert 1 <= len(desk.checkouts.looks) <= 2


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://ada:sesame@forge.example/ada/course.git", "course follows file:///"),
        (FOREIGN, f"pushed to {FOREIGN}"),
    ],
)
def test_what_is_near_a_miss_is_kept_and_not_answered(desk: Desk, url: str, kept: str) -> None:
    receipt = desk.receipt(desk.push(url=url))
    assert receipt.message == "ignored: this repository is not cloned here"
    recorded = desk.ledger.delivery(receipt.delivery)
    assert recorded is not None
    assert kept in recorded.detail
    assert "sesame" not in recorded.detail


def test_looks_come_no_closer_than_their_distance(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.2)
    for _ in range(3):
        desk.receipt(desk.push("refs/heads/devel"))
    first, second, third = desk.checkouts.looks
    assert min(second - first, third - second) >= 0.2


@pytest.mark.parametrize("known_too", [False, True])
def test_a_checkout_that_got_its_remote_or_branch_a_moment_ago_counts(
    desk: Desk, tmp_path: Path, known_too: bool
) -> None:
    other = Remote(tmp_path / "other", "other")
    other.commit({"README.md": "other\n"})
    staging = other.clone(desk.repodir / "staging")
    desk.receipt(desk.push())
    git("remote", "set-url", "origin", desk.url, cwd=staging)
    git("switch", "-q", "-c", "devel", cwd=staging)
    devel = desk.push("refs/heads/devel")
    receipt = desk.receipt(desk.push(), devel) if known_too else desk.receipt(devel)
    assert "staging at devel" in receipt.message
    [*_, job] = desk.ledger.unfinished()
    assert job.directory == "staging"


def test_a_delivery_that_cannot_mean_a_checkout_waits_for_no_look(desk: Desk) -> None:
    deleted = desk.push(url=FOREIGN, deleted=True)
    for delivery in (
        Delivery("github", "ping", ping=True),
        Delivery("github", "issues", ignored="issues are not followed"),
        Delivery("github", "push", pushes=(desk.push("refs/tags/v1", FOREIGN), deleted)),
    ):
        [receipt] = desk.receive(delivery)
        assert isinstance(receipt, Receipt)
    assert desk.checkouts.looks == []


def test_hits_do_not_wait_for_the_look_of_a_miss(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DEADLINE_SECONDS", 2.0)
    looking, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        looking.set()
        go_on.wait(30)

    monkeypatch.setattr(desk.checkouts, "look", slow)
    miss = Delivery("github", "push", pushes=(desk.push(url=FOREIGN),))
    thread = threading.Thread(target=desk.receive, args=(miss,))
    thread.start()
    assert looking.wait(30)
    assert desk.receipt(desk.push()).outcome is Outcome.QUEUED
    go_on.set()
    thread.join()


@pytest.mark.parametrize(
    ("ref", "deleted", "reason"),
    [
        ("refs/tags/v1", False, "refs/tags/v1 is not a branch"),
        ("refs/heads/main", True, "the branch main was deleted"),
        ("refs/heads/devel", False, "devel"),
    ],
)
def test_what_no_checkout_follows_is_ignored_with_the_reason(
    desk: Desk, ref: str, deleted: bool, reason: str
) -> None:
    receipt = desk.receipt(desk.push(ref, deleted=deleted))
    assert (receipt.outcome, receipt.cloned, receipt.jobs) == (Outcome.IGNORED, True, ())
    assert reason in receipt.message


@pytest.mark.parametrize(
    ("ref", "deleted", "reason"),
    [
        ("refs/heads/main", False, "course follows tags v*, not main"),
        ("refs/heads/v1", False, "course follows tags v*, not v1"),
        ("refs/tags/x1", False, "course follows tags v*, not the tag x1"),
        ("refs/tags/v1.lock", False, "course follows tags v*, not the tag v1.lock"),
        ("refs/heads/v1", True, "the branch v1 was deleted"),
        ("refs/pull/1/head", False, "refs/pull/1/head is not a branch"),
    ],
)
def test_a_checkout_that_follows_tags_takes_nothing_else(
    desk: Desk, ref: str, deleted: bool, reason: str
) -> None:
    desk.checkouts = Counting(desk.repodir, tags="v*")
    receipt = desk.receipt(desk.push(ref, deleted=deleted))
    assert (receipt.outcome, receipt.jobs) == (Outcome.IGNORED, ())
    assert receipt.message == f"ignored: {reason}"


@pytest.mark.parametrize("deleted", [False, True])
def test_a_tag_that_comes_or_goes_acts_on_what_follows_it(desk: Desk, deleted: bool) -> None:
    desk.checkouts = Counting(desk.repodir, tags="v*")
    receipt = desk.receipt(desk.push(), desk.push("refs/tags/v1", deleted=deleted))
    assert receipt.outcome is Outcome.QUEUED
    assert receipt.message == "queued update of course at the tag v1"


def test_two_refs_that_lead_to_one_checkout_make_one_job(desk: Desk) -> None:
    receipt = desk.receipt(desk.push(), desk.push("refs/tags/v1"), desk.push())
    assert len(receipt.jobs) == len(desk.ledger.unfinished()) == 1


def test_a_ping_passes_in_a_batch_that_fails(desk: Desk) -> None:
    desk.checkouts.error = RepodirError("REPODIR is away: mount it")
    push = Delivery("github", "push", pushes=(desk.push(),))
    refused, pong, again = desk.receive(push, Delivery("github", "ping", ping=True), push)
    assert isinstance(pong, Receipt)
    assert pong.outcome is Outcome.PONG
    for busy in (refused, again):
        assert isinstance(busy, ReceiverBusy)
        assert str(busy) == "REPODIR is away: mount it"


def test_a_repodir_that_hangs_is_answered_before_the_forge_gives_up(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DEADLINE_SECONDS", 0.05)
    desk.checkouts.hang = threading.Event()
    [busy] = desk.receive(Delivery("github", "push", pushes=(desk.push(),)))
    assert isinstance(busy, ReceiverBusy)
    assert "REPODIR" in str(busy)
    desk.checkouts.hang.set()


def test_a_look_that_hangs_keeps_no_bodies(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    gone: list[int] = []

    class Body(bytes):
        def __del__(self) -> None:
            gone.append(1)

    monkeypatch.setattr(module, "DEADLINE_SECONDS", 0.05)
    go_on = threading.Event()
    monkeypatch.setattr(desk.checkouts, "look", lambda: go_on.wait(30))
    foreign = Delivery("github", "push", pushes=(desk.push(url=FOREIGN),))

    async def miss() -> None:
        arrival = Arrival(foreign, Action.UPDATE, 1.0, None, (), Body(b"{}"))
        with pytest.raises(ReceiverBusy, match="REPODIR"):
            await desk.receiver.receive(arrival)

    for _ in range(5):
        asyncio.run(miss())
    gc.collect()
    assert len(gone) >= 4, "all but the last, whose thread waits for the next"
    go_on.set()


def test_what_hangs_is_left_behind_at_the_end(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    looking, go_on = threading.Event(), threading.Event()

    def hang() -> None:
        looking.set()
        go_on.wait(30)

    monkeypatch.setattr(desk.checkouts, "look", hang)
    desk.receipt(desk.push())
    assert looking.wait(30)
    desk.receiver.stop(0.05)
    assert "ends without waiting for what hangs (second look)" in caplog.text
    go_on.set()


def test_what_is_on_disk_is_told_even_if_no_worker_can_be_woken(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    desk.wake_error = OSError(errno.EMFILE, "Too many open files")
    pushes = [Delivery("github", "push", pushes=(desk.push(),))] * 3
    outcomes = [each.outcome for each in desk.receive(*pushes) if isinstance(each, Receipt)]
    assert outcomes == [Outcome.QUEUED, Outcome.COALESCED, Outcome.COALESCED]
    assert counts(desk.ledger) == (3, 1), "nothing twice"
    assert "workers could not be woken" in caplog.text


def test_a_ledger_that_is_away_promises_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise LedgerUnavailable("the disk is full")

    monkeypatch.setattr(desk.ledger, "record", full)
    [busy] = desk.receive(Delivery("github", "ping", ping=True))
    assert isinstance(busy, ReceiverBusy)
    assert desk.wakes == 0


def test_a_receiver_that_stopped_says_so(desk: Desk) -> None:
    desk.receiver.stop(30)
    [busy] = desk.receive(Delivery("github", "ping", ping=True))
    assert isinstance(busy, ReceiverBusy)
    assert "stopping" in str(busy)
