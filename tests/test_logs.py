from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitreload import logs
from gitreload.config import ConfigError, Settings

log = logging.getLogger("gitreload.test")
FORGED = "2026-01-01T00:00:00.000+00:00 ERROR gitreload: forged"


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Logging as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    for handler in set(root.handlers) - set(handlers):
        handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "gitreload.log"


def configure(file: Path | None = None, level: str | None = None, form: str = "text") -> None:
    logs.configure(
        Settings.model_validate({"LOG_FILE_PATH": file, "LOG_LEVEL": level, "LOG_FORMAT": form})
    )


def fail(message: str) -> None:
    raise ValueError(message)


def fail_and_log(message: str) -> None:
    try:
        fail(message)
    except ValueError:
        log.exception("it failed")


class TestText:
    def test_a_line_has_time_level_logger_and_message(self, file: Path) -> None:
        configure(file)
        log.warning("a %s", "message")
        time, rest = file.read_text().split(" ", 1)
        assert datetime.fromisoformat(time).tzinfo is not None
        assert rest == "WARNING gitreload.test: a message\n"

    def test_goes_to_stderr_by_default(self, capsys: pytest.CaptureFixture[str]) -> None:
        configure()
        log.warning("here")
        assert capsys.readouterr().err.endswith("WARNING gitreload.test: here\n")

    def test_a_message_is_one_visible_line_without_credentials(self, file: Path) -> None:
        configure(file)
        log.warning("ref %s of %s", f"x\n{FORGED}\x1b[2J\u202e", "https://ada:pw@host/x")
        [line] = file.read_text().splitlines()
        assert line.endswith(f"ref x\\n{FORGED}\\x1b[2J\\u202e of https://***@host/x")

    def test_so_is_a_traceback_line_by_line(self, file: Path) -> None:
        configure(file)
        fail_and_log(f"https://ada:pw@host\n{FORGED}\x1b\u2028{FORGED}")
        first, *traceback = file.read_text().split("\n")[:-1]
        assert first.endswith("ERROR gitreload.test: it failed")
        assert all(line.startswith("    ") for line in traceback)
        assert traceback[0].endswith("Traceback (most recent call last):")
        assert any(line.endswith("ValueError: https://***@host") for line in traceback)
        assert traceback[-1] == f"    {FORGED}\\x1b\\u2028{FORGED}"

    def test_so_is_a_stack(self, file: Path) -> None:
        configure(file)
        log.warning("here", stack_info=True)
        assert "    Stack (most recent call last):" in file.read_text()


class TestJson:
    def test_a_line_is_an_object(self, file: Path) -> None:
        configure(file, form="json")
        log.warning("Kürs %s", "https://ada:pw@host/\x1b")
        fields = json.loads(file.read_text())
        assert datetime.fromisoformat(fields.pop("time")).tzinfo is not None
        assert fields == {
            "level": "WARNING",
            "logger": "gitreload.test",
            "message": "Kürs https://***@host/\\x1b",
        }

    def test_a_traceback_is_in_it(self, file: Path) -> None:
        configure(file, form="json")
        fail_and_log("https://ada:pw@host")
        [line] = file.read_text().splitlines()
        assert json.loads(line)["traceback"].endswith("\nValueError: https://***@host")


@given(st.text(st.characters(exclude_categories=())))
def test_any_message_is_one_line_in_both_formats(message: str) -> None:
    record = logging.LogRecord("x", logging.INFO, "", 0, message, None, None)
    for formatter in (logs.Lines(), logs.JsonLines()):
        line = formatter.format(record)
        line.encode()
        assert len(line.splitlines()) == 1


class TestLevels:
    def test_warning_is_the_default_and_start_up_lines_are_shown(self, file: Path) -> None:
        configure(file)
        log.info("hidden")
        logs.start.info("follows 3 checkouts")
        assert file.read_text().endswith("INFO gitreload.start: follows 3 checkouts\n")
        assert "hidden" not in file.read_text()

    def test_that_of_the_configuration_holds_for_the_servers_too(self, file: Path) -> None:
        uvicorn = logging.getLogger("uvicorn.access")
        uvicorn.addHandler(logging.NullHandler())
        uvicorn.propagate = False
        configure(file, "info")
        uvicorn.info("GET /queue")
        uvicorn.debug("hidden")
        assert file.read_text().endswith("INFO uvicorn.access: GET /queue\n")


class TestFile:
    def test_may_be_rotated_from_outside(self, file: Path) -> None:
        configure(file)
        log.warning("one")
        file.rename(file.with_suffix(".1"))
        log.warning("two")
        assert file.with_suffix(".1").read_text().endswith(": one\n")
        assert file.read_text().endswith(": two\n")

    def test_is_written_once_a_record_however_often_it_is_configured(self, file: Path) -> None:
        configure(file.with_suffix(".old"))
        configure(file)
        configure(file)
        log.warning("once")
        assert len(file.read_text().splitlines()) == 1
        assert file.with_suffix(".old").read_text() == ""

    def test_that_cannot_be_opened_is_told_and_the_old_one_stays(self, file: Path) -> None:
        configure(file)
        with pytest.raises(ConfigError, match=r"LOG_FILE_PATH is .*No such file or directory"):
            configure(file.parent / "none/gitreload.log")
        log.warning("still here")
        assert file.read_text().endswith("still here\n")

    def test_while_its_directory_is_away_lines_go_to_stderr(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        folder = tmp_path / "logs"
        folder.mkdir()
        file = folder / "gitreload.log"
        configure(file)
        folder.rename(tmp_path / "away")
        log.warning("at https://ada:pw@host")
        assert capsys.readouterr().err.endswith("gitreload.test: at https://***@host\n")
        folder.mkdir()
        log.warning("back")
        assert file.read_text().endswith("back\n")

    def test_on_a_full_disk_lines_go_to_stderr(self, capsys: pytest.CaptureFixture[str]) -> None:
        configure(Path("/dev/full"))
        log.warning("at https://ada:pw@host")
        configure()
        log.warning("at the next start")
        first, second = capsys.readouterr().err.splitlines()
        assert first.endswith("gitreload.test: at https://***@host")
        assert second.endswith("gitreload.test: at the next start")
