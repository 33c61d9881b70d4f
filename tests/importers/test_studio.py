"""Imports into a stand-in for Studio, over real sockets, in all the ways that they may end."""

from __future__ import annotations

import json
import random
import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from fakes import course
from fakes.studio import CLIENT_SECRET, KEY, STEPS, StudioServer, studio
from gitreload.attempt import Tools
from gitreload.importers import Source
from gitreload.importers import studio as importer
from gitreload.importers.choice import Importers
from gitreload.importers.studio import Studio
from gitreload.model import (
    Action,
    Checkout,
    Imported,
    Interrupted,
    Job,
    PermanentError,
    Reason,
    State,
    TransientError,
)
from gitreload.olx import Course
from gitreload.process import Runner
from gitreload.settings import Settings
from helpers import wait_until
from importers.studio_rows import ROWS, Row
from reporters.hearing import check_heard
from workbench import Bench

NAME = "MITx/6.001/2026"


class Log(list[str]):
    """Calls `told` with each line."""

    def __init__(self, told: Callable[[str], object]) -> None:
        self._told = told

    def append(self, line: str) -> None:
        super().append(line)
        self._told(line)


@dataclass
class Site:
    """A host with one course checked out, and a Studio elsewhere."""

    server: StudioServer
    folder: Path
    log: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def path(self) -> Path:
        return self.folder / "repos/sicp"

    @property
    def source(self) -> Source:
        checkout = Checkout("sicp", str(self.path), "x", frozenset(), "main", "main")
        job = Job(
            *(1, 1, "sicp", str(self.path), "x", Action.IMPORT, State.RUNNING, Reason.PUSH),
            queued_at=0,
            due_at=0,
        )
        return Source(job, checkout, self.path, "a" * 40, course=Course(".", NAME, frozenset()))

    def importer(self, **keys: Any) -> Studio:
        values = {
            "REPODIR": str(self.folder / "repos"),
            "STATE_DIR": str(self.folder / "state"),
            "STUDIO": self.server.settings,
        }
        return Studio(Settings.model_validate(values | keys))

    def run(self, made: Studio | None = None, **keys: Any) -> Imported:
        made = made or self.importer(**keys)
        made.accept(self.source)
        return made.run(self.source, Runner(log=self.log.append, stop=self.stop))

    def stop_at(self, start: str) -> Callable[[str], None]:
        """Stop the attempt at a line of its log."""

        def told(line: str) -> None:
            if line.startswith(start):
                self.stop.set()

        return told

    def leave(self) -> None:
        """Stop an import that Studio has begun, at `held_at`, and go on from there."""
        log, self.log = self.log, Log(self.stop_at("Studio: "))
        with pytest.raises(Interrupted):
            self.run()
        self.stop.clear()
        self.log = log
        self.server.held_at = None

    @property
    def files(self) -> dict[str, bytes]:
        return {
            str(path.relative_to(self.path)): path.read_bytes()
            for path in self.path.rglob("*")
            if path.is_file()
        }


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importer, "FIRST_POLL_SECONDS", 0.01)
    monkeypatch.setattr(importer, "LONGEST_POLL_SECONDS", 0.02)
    monkeypatch.setattr(importer, "PATIENCE_SECONDS", 0.1)


@pytest.fixture
def server() -> Iterator[StudioServer]:
    with studio() as running:
        yield running


@pytest.fixture
def site(server: StudioServer, tmp_path: Path) -> Site:
    made = Site(server, tmp_path)
    course.write_course(made.path, "MITx", "6.001")
    return made


def test_the_course_in_studio_is_the_one_that_was_pushed(site: Site) -> None:
    made = site.importer()
    digest = made.settings_digest(site.source.checkout)
    assert site.run(made) == Imported(NAME, digest)
    assert site.server.courses == {KEY: site.files}
    assert [line for line in site.log if line.startswith("Studio: ")] == [
        f"Studio: {state}" for state in STEPS[1:]
    ]
    assert any(line.startswith("uploading 0.0 MiB for course-v1:MITx") for line in site.log)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_what_studio_answers(server: StudioServer, bench: Bench, row: Row) -> None:
    course.write_course(bench.remote.work, "MITx", "6.001")
    bench.remote.commit({})
    row.arrange(server)
    keys: dict[str, Any] = {
        "IMPORTER": "studio",
        "STUDIO": server.settings,
        "REPODIR": str(bench.repodir),
    }
    keys |= {"STATE_DIR": str(bench.ledger.state_dir)}
    keys["SUBPROCESS_TIMEOUT_MINUTES"] = row.minutes
    settings = Settings.model_validate(keys)
    bench.tools = Tools(settings, bench.checkouts, Importers(settings))
    bench.sync()
    job = bench.run()
    failed = State.QUEUED if row.kind is TransientError else State.FAILED
    assert job.state is (State.SUCCEEDED if row.kind is None else failed), job.error
    assert re.search(row.error, job.error or "")
    check_heard(bench.ledger, job)
    told = "\n".join([job.error or "", bench.log(job.id)])
    for secret in (CLIENT_SECRET, *server.tokens):
        assert secret not in told
    assert all(given is None or given[4:] in server.tokens for *_, given in server.requests)


def test_one_token_serves_many_imports(site: Site) -> None:
    made = site.importer()
    for _ in range(2):
        site.run(made)
    assert len(site.server.tokens) == 1


def test_a_token_that_expires_is_renewed(site: Site) -> None:
    made = site.importer()
    site.run(made)
    site.server.tokens = ["another"]  # as after the platform's keys are changed
    site.run(made)
    site.server.token_seconds = 30
    site.server.tokens.clear()
    site.run(made)
    assert len(site.server.tokens) > 1


def test_a_secret_in_a_file_may_be_changed(site: Site) -> None:
    file = site.folder / "secret"
    file.write_text("an-older-secret\n")
    made = site.importer(STUDIO=site.server.settings | {"CLIENT_SECRET": {"FILE": str(file)}})
    with pytest.raises(PermanentError, match="invalid_client"):
        site.run(made)
    file.write_text(f"{CLIENT_SECRET}\n")
    site.run(made)


def test_the_token_goes_nowhere_but_to_studio(site: Site) -> None:
    """Neither with a redirect, nor where the API names addresses of others."""
    site.server.error = "Error of ours"
    with pytest.raises(PermanentError, match="Error of ours"):
        site.run()
    name = f"Import of {KEY} from {site.server.uploads[0].filename}"
    with studio() as other:
        foreign = [f"{other.url}/api/tasks/v0/artifacts/1/", f"{other.url}/", 5]
        listed = json.dumps({"results": [{"name": name, "artifacts": foreign}]})
        for answer in (
            (307, "", {"Location": f"{other.url}/api/tasks/v0/tasks/"}),
            (200, listed, {}),
        ):
            site.server.answers["GET /api/tasks/v0/tasks/"] = answer
            with pytest.raises(PermanentError, match="does not tell why"):
                site.run()
        assert other.requests == []


def test_studio_need_not_know_its_own_scheme(site: Site) -> None:
    site.server.own_scheme, site.server.error = "https", "Error of ours"
    with pytest.raises(PermanentError, match="Error of ours"):
        site.run()


def test_a_short_absence_of_studio_is_waited_for(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importer, "PATIENCE_SECONDS", 60)
    site.server.held_at = "Updating"
    poll = "GET /api/courses/v0/import/"
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(site.run)
        wait_until(lambda: "Studio: Updating" in site.log)
        site.server.answers[poll] = (503, "restarting", {})
        wait_until(lambda: any("restarting; asking again" in line for line in site.log))
        site.server.answers.clear()
        site.server.held_at = None
        running.result()
    assert len(site.server.uploads) == 1


def test_what_an_earlier_attempt_left_in_studio_is_waited_for_and_counts(site: Site) -> None:
    site.server.held_at = "Updating"
    site.leave()
    site.run()
    assert len(site.server.uploads) == 1
    site.run()
    assert len(site.server.uploads) == 2


def test_another_course_is_uploaded_once_an_earlier_import_is_over(site: Site) -> None:
    """Two at once would break each other."""
    site.server.held_at = "Updating"
    site.leave()
    course.write_course(site.path, "MITx", "6.001", title="Another title")
    site.run()
    assert [task.state for task in site.server.uploads] == ["Succeeded", "Succeeded"]
    assert site.server.courses == {KEY: site.files}


def test_an_earlier_import_that_never_ends_is_waited_for_once(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pass_hours(line: str) -> None:
        if line.endswith("waiting for that"):
            monkeypatch.setattr(importer, "monotonic", lambda: time.monotonic() + 10_000)

    site.server.held_at = "Updating"
    site.leave()
    site.server.held_at = "Updating"
    site.log = Log(pass_hours)
    with pytest.raises(TransientError, match="did not end within 60 minutes"):
        site.run()
    site.server.uploads[0].state, site.server.held_at = "Failed", None
    site.run()
    assert sum("by an earlier attempt" in line for line in site.log) == 1


def test_an_import_that_studio_lost_is_not_waited_for(site: Site) -> None:
    site.server.answers["GET /api/courses/v0/import/"] = (500, "{}", {})
    with pytest.raises(TransientError, match="has lost"):
        site.run()
    site.server.answers.clear()
    site.server.tasks.clear()
    site.log.clear()
    site.run()
    assert not any("by an earlier attempt" in line for line in site.log)


def test_an_earlier_import_that_studio_forgot_is_uploaded_again(site: Site) -> None:
    site.server.held_at = "Updating"
    site.leave()
    site.server.tasks.clear()
    site.run()
    assert "Studio does not know it any more" in site.log
    assert len(site.server.uploads) == 1


def test_an_import_goes_on_where_it_cannot_be_noted(site: Site) -> None:
    (site.folder / "state").write_text("no directory")
    site.run()
    assert any("cannot be written: " in line for line in site.log)


@pytest.mark.parametrize("noted", ["", "[]", '{"id": 1}'])
def test_half_a_note_is_none(site: Site, noted: str) -> None:
    site.server.held_at = "Updating"
    site.leave()
    site.server.uploads[0].state = "Failed"
    [note] = (site.folder / "state/studio").iterdir()
    note.write_text(noted)
    site.run()
    assert not any("by an earlier attempt" in line for line in site.log)


def test_it_stops_in_the_middle_of_the_upload(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.log = Log(site.stop_at("uploaded "))
    monkeypatch.setattr(importer, "_PROGRESS_SECONDS", 0)
    (site.path / "static/video.mp4").write_bytes(random.Random(1).randbytes(2**20))
    with pytest.raises(Interrupted):
        site.run()
    wait_until(lambda: site.server.asked("POST /api/courses/v0/import/"))
    assert site.server.uploads == []


def test_progress_is_told_while_it_uploads(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importer, "_PROGRESS_SECONDS", 0)
    (site.path / "static/video.mp4").write_bytes(random.Random(1).randbytes(2**20))
    site.run()
    told = [line for line in site.log if line.startswith("uploaded ")]
    assert len(told) > 2
    assert told[-1].startswith("uploaded 100 % of ")


def test_without_studio_nothing_is_begun(site: Site) -> None:
    with pytest.raises(PermanentError, match="sicp cannot be imported: STUDIO is not set"):
        site.run(STUDIO=None)


def test_a_checkout_may_have_a_studio_of_its_own(site: Site) -> None:
    with studio() as other:
        site.run(REPOS={"sicp": {"STUDIO": other.settings}})
        assert (len(other.uploads), len(site.server.uploads)) == (1, 0)


def test_the_digest_tells_another_studio_and_not_another_secret(site: Site) -> None:
    def digest(**keys: str) -> str:
        made = site.importer(STUDIO=site.server.settings | keys)
        return made.settings_digest(site.source.checkout)

    assert digest(CLIENT_SECRET="another-secret") == digest()
    assert digest(URL="https://studio.example") != digest()


def test_a_check_asks_studio_and_its_lms(site: Site) -> None:
    site.importer().check()
    assert site.server.asked("GET /heartbeat") == 2
    site.server.answers["GET /heartbeat"] = (503, "{}", {})
    with pytest.raises(TransientError, match="has troubles: it answers 503"):
        site.importer().check()
    gone = site.server.settings | {"URL": "http://127.0.0.1:1"}
    with pytest.raises(TransientError, match=r"cannot be reached at http://127.0.0.1:1/heartbeat"):
        site.importer(REPOS={"a": {"STUDIO": gone}}, STUDIO=None).check()
    with pytest.raises(TransientError, match="STUDIO is not set"):
        site.importer(STUDIO=None).check()


def test_one_studio_that_is_away_does_not_keep_others_waiting(site: Site) -> None:
    gone = site.server.settings | {"URL": "http://127.0.0.1:1"}
    site.importer(REPOS={"a": {"STUDIO": gone}}).check()
