"""Group commit: what arrives together is written together, and told only once it is written."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any, TypeVar

import pytest

from gitreload.ledger import Ledger, LedgerUnavailable, Recorded
from gitreload.ledger.group import BATCH, GroupCommit, Stopped
from gitreload.model import Outcome
from helpers import counts

from .builders import Clock, a_checkout, an_entry

T = TypeVar("T")


class Book:
    """Something to write to, which can be held up and can refuse."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.open = threading.Event()
        self.open.set()
        self.begun = threading.Semaphore(0)
        self.refused: Callable[[int], bool] = lambda item: item < 0

    def write(self, items: Sequence[int]) -> list[str]:
        self.begun.release()
        self.open.wait()
        self.batches.append(list(items))
        if any(self.refused(item) for item in items):
            raise ValueError(f"refused among {list(items)}")
        return [f"written {item}" for item in items]


@pytest.fixture
def book() -> Book:
    return Book()


@pytest.fixture
def writer(book: Book) -> Iterator[GroupCommit[int, str]]:
    writer = GroupCommit(book.write, "test")
    writer.start()
    yield writer
    book.open.set()
    writer.stop()


async def submit_behind_a_held_one(
    writer: GroupCommit[int, str], book: Book, items: Sequence[int]
) -> list[asyncio.Task[str]]:
    """Tasks for 0 and then `items`, all arrived while 0 is being written and held up there."""
    book.open.clear()
    first = asyncio.create_task(writer.submit(0))
    await asyncio.to_thread(book.begun.acquire)
    tasks = [asyncio.create_task(writer.submit(item)) for item in items]
    await asyncio.sleep(0)  # each runs until it waits, and so has arrived
    return [first, *tasks]


def test_what_arrives_meanwhile_is_one_batch(writer: GroupCommit[int, str], book: Book) -> None:
    async def scene() -> list[str]:
        tasks = await submit_behind_a_held_one(writer, book, [1, 2, 3])
        book.open.set()
        return await asyncio.gather(*tasks)

    assert asyncio.run(scene()) == [f"written {item}" for item in range(4)]
    assert book.batches == [[0], [1, 2, 3]]


def test_nobody_is_told_before_it_is_written(writer: GroupCommit[int, str], book: Book) -> None:
    async def scene() -> None:
        tasks = await submit_behind_a_held_one(writer, book, [1])
        for _ in range(10):
            await asyncio.sleep(0.001)
        assert not any(task.done() for task in tasks)
        book.open.set()
        await asyncio.gather(*tasks)

    asyncio.run(scene())


def test_a_batch_is_bounded(writer: GroupCommit[int, str], book: Book) -> None:
    async def scene() -> None:
        tasks = await submit_behind_a_held_one(writer, book, range(1, BATCH + 11))
        book.open.set()
        await asyncio.gather(*tasks)

    asyncio.run(scene())
    assert [len(batch) for batch in book.batches] == [1, BATCH, 10]


def test_only_the_guilty_is_refused(writer: GroupCommit[int, str], book: Book) -> None:
    async def scene() -> list[str | BaseException]:
        tasks = await submit_behind_a_held_one(writer, book, [1, -2, 3])
        book.open.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    told = asyncio.run(scene())
    assert told[:2] == ["written 0", "written 1"]
    assert told[3:] == ["written 3"]
    assert isinstance(told[2], ValueError)
    assert str(told[2]) == "refused among [-2]"
    assert book.batches == [[0], [1, -2, 3], [1], [-2], [3]]


def test_the_writer_survives_what_is_refused(writer: GroupCommit[int, str]) -> None:
    async def scene() -> str:
        with pytest.raises(ValueError, match="refused"):
            await writer.submit(-1)
        return await writer.submit(1)

    assert asyncio.run(scene()) == "written 1"


def test_who_gave_up_is_not_replayed(writer: GroupCommit[int, str], book: Book) -> None:
    """A database that is locked fails each of them slowly: nobody waits behind the gone."""

    async def scene() -> list[str | BaseException]:
        tasks = await submit_behind_a_held_one(writer, book, [1, 2, -3])
        tasks[1].cancel()
        await asyncio.sleep(0)
        book.open.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    told = asyncio.run(scene())
    assert isinstance(told[1], asyncio.CancelledError)
    assert told[2] == "written 2"
    assert book.batches == [[0], [1, 2, -3], [2], [-3]]


class HastyLoop(asyncio.SelectorEventLoop):
    """Its clock goes forward as far as a test says."""

    ahead = 0.0

    def time(self) -> float:
        return super().time() + self.ahead


def go_forward(seconds: float) -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, HastyLoop)
    loop.ahead += seconds


def in_haste(scene: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=HastyLoop) as runner:
        return runner.run(scene)


def test_patience_ends_for_those_who_wait_and_begins_anew_for_who_comes_then(book: Book) -> None:
    writer: GroupCommit[int, str] = GroupCommit(book.write, "test", patience=600)
    writer.start()

    async def scene() -> list[str | BaseException]:
        tasks = await submit_behind_a_held_one(writer, book, [1])
        go_forward(601)
        given_up = await asyncio.gather(*tasks, return_exceptions=True)
        book.open.set()
        return [*given_up, await writer.submit(2)]

    told = in_haste(scene())
    assert [type(one) for one in told] == [TimeoutError, TimeoutError, str]
    assert book.batches == [[0], [2]], "who was told no is not written if that can be helped"
    writer.stop()


def test_everyone_has_a_patience_of_their_own(book: Book) -> None:
    writer: GroupCommit[int, str] = GroupCommit(book.write, "test", patience=600)
    writer.start()

    async def scene() -> str:
        early, next_to_it = await submit_behind_a_held_one(writer, book, [1])
        go_forward(300)
        late = asyncio.create_task(writer.submit(2))
        await asyncio.sleep(0)  # it has arrived
        go_forward(301)
        for each in (early, next_to_it):
            with pytest.raises(TimeoutError):
                await each
        book.open.set()
        return await late

    assert in_haste(scene()) == "written 2"
    assert book.batches == [[0], [2]]
    writer.stop()


def test_several_event_loops_share_a_writer(writer: GroupCommit[int, str], book: Book) -> None:
    told: dict[int, list[str]] = {}

    def serve(number: int) -> None:
        async def scene() -> list[str]:
            items = range(number * 100, number * 100 + 100)
            return list(await asyncio.gather(*(writer.submit(item) for item in items)))

        told[number] = asyncio.run(scene())

    threads = [threading.Thread(target=serve, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(4):
        assert told[number] == [f"written {number * 100 + item}" for item in range(100)]
    assert sorted(item for batch in book.batches for item in batch) == list(range(400))


def test_a_loop_that_is_gone_does_not_hinder_the_others(
    writer: GroupCommit[int, str], book: Book
) -> None:
    book.open.clear()

    async def leave() -> None:
        gone = asyncio.create_task(writer.submit(7))
        await asyncio.to_thread(book.begun.acquire)
        gone.cancel()

    asyncio.run(leave())

    async def stay() -> str:
        waiting = asyncio.create_task(writer.submit(8))
        await asyncio.sleep(0)
        book.open.set()
        return await waiting

    assert asyncio.run(stay()) == "written 8"


def test_stopping_writes_what_has_arrived_and_refuses_the_rest(book: Book) -> None:
    writer = GroupCommit(book.write, "test")
    writer.start()

    async def scene() -> list[str | BaseException]:
        tasks = await submit_behind_a_held_one(writer, book, [1, 2])
        writer.stop()
        tasks.append(asyncio.create_task(writer.submit(3)))
        await asyncio.sleep(0)
        book.open.set()
        told = await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.to_thread(writer.thread.join)
        return list(told)

    *written, refused = asyncio.run(scene())
    assert written == ["written 0", "written 1", "written 2"]
    assert isinstance(refused, Stopped)
    assert book.batches == [[0], [1, 2]]


def test_with_a_ledger_each_batch_is_one_transaction(ledger: Ledger, clock: Clock) -> None:
    commits: list[str] = []
    with ledger.database.write() as connection:
        raw = connection.connection.driver_connection
        assert raw is not None
        raw.set_trace_callback(lambda sql: commits.append(sql) if sql == "COMMIT" else None)
    held = threading.Event()
    arrived = threading.Event()

    def write(entries: Sequence[object]) -> list[Recorded]:
        held.set()
        arrived.wait()
        return ledger.record(entries)  # type: ignore[arg-type]

    writer: GroupCommit[object, Recorded] = GroupCommit(write, "ledger")
    writer.start()
    bad = an_entry(a_checkout("bad"), at=clock(), detail="\ud800")

    async def scene() -> list[Recorded | BaseException]:
        tasks = [asyncio.create_task(writer.submit(an_entry(a_checkout(), at=clock())))]
        await asyncio.to_thread(held.wait)
        commits.clear()
        entries = [an_entry(a_checkout(f"c{number % 5}"), at=clock()) for number in range(50)]
        tasks += [asyncio.create_task(writer.submit(entry)) for entry in entries]
        await asyncio.sleep(0)
        arrived.set()
        first = await asyncio.gather(*tasks)
        assert len(commits) == 2, "one for the first alone, one for the fifty that waited"
        arrived.clear()
        held.clear()
        tasks = [asyncio.create_task(writer.submit(an_entry(a_checkout(), at=clock())))]
        await asyncio.to_thread(held.wait)
        tasks += [asyncio.create_task(writer.submit(entry)) for entry in (bad, entries[0])]
        await asyncio.sleep(0)
        arrived.set()
        second = await asyncio.gather(*tasks, return_exceptions=True)
        return [*first, *second]

    told = asyncio.run(scene())
    writer.stop()
    assert isinstance(told[-2], UnicodeEncodeError)
    assert isinstance(told[-1], Recorded)
    recorded = [one for one in told if isinstance(one, Recorded)]
    assert len(recorded) == 53
    assert recorded[0].outcome is Outcome.QUEUED
    assert counts(ledger) == (53, 6), "nothing of the refused one, nothing twice"


def test_a_ledger_that_is_away_is_told_to_each(ledger: Ledger, clock: Clock) -> None:
    with ledger.database.write() as connection:
        raw = connection.connection.driver_connection
        assert raw is not None
    writer = GroupCommit(ledger.record, "ledger")
    writer.start()

    async def scene() -> None:
        raw.execute("PRAGMA query_only = 1")
        tasks = [
            asyncio.create_task(writer.submit(an_entry(a_checkout(), at=clock()))) for _ in range(5)
        ]
        told = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(one) for one in told] == [LedgerUnavailable] * 5
        raw.execute("PRAGMA query_only = 0")
        assert (await writer.submit(an_entry(a_checkout(), at=clock()))).jobs

    asyncio.run(scene())
    writer.stop()
