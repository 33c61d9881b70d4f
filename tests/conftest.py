"""Every test gets a home of its own, and git an identity that is nobody's."""

from __future__ import annotations

import itertools
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import Phase, settings

import helpers
from gitreload.ledger.database import FILE_NAME
from helpers import Pattern, Remote
from sites import Site
from workbench import Bench

# Programs that a shell starts in the background ignore Ctrl-C, and so would all that tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile(
    "tests",
    deadline=None,  # how fast an example runs is no property
    # Explaining a failure means tracing every line of every example before there is one.
    phases=tuple(set(Phase) - {Phase.explain}),
)
settings.load_profile("tests")
settings.register_profile("fuzz", max_examples=300)  # of `make fuzz`


@pytest.fixture(scope="session", autouse=True)
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What git sees of whom the tests belong to: nothing."""
    folder = tmp_path_factory.mktemp("environment")
    # Without the examples of hooks, to copy which takes git as long as all else of a clone.
    for name in ("hooks", "info"):
        (folder / "template" / name).mkdir(parents=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(folder))
        patch.setenv("GIT_TEMPLATE_DIR", str(folder / "template"))
        patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "GITRELOAD_CONFIG"):
            patch.delenv(name, raising=False)
        # With it, each process of ours compiles all of gitreload anew.
        patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
        for who in ("AUTHOR", "COMMITTER"):
            patch.setenv(f"GIT_{who}_NAME", "Ada Author")
            patch.setenv(f"GIT_{who}_EMAIL", "ada@example.org")
        yield


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A new name each time; for one of its own, pytest looks at all that there are."""
    folder = tmp_path_factory.mktemp("homes")
    return (folder / str(number) for number in itertools.count())


@pytest.fixture(autouse=True)
def home(homes: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = next(homes)
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    return folder


@pytest.fixture(scope="session")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> Pattern:
    return Pattern(tmp_path_factory.mktemp("pattern"))


@pytest.fixture
def remote(tmp_path: Path, pattern: Pattern) -> Remote:
    """A remote with one commit on `main`."""
    return Remote(tmp_path / "forge", pattern=pattern)


@pytest.fixture
def site(remote: Remote, tmp_path: Path) -> Site:
    """A clone of `remote`."""
    return Site(remote, remote.clone(tmp_path / "repos/course"))


@pytest.fixture(scope="session")
def empty_ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger's file with all tables and nothing in them, to copy from."""
    file = tmp_path_factory.mktemp("empty") / FILE_NAME
    file.write_bytes(helpers.empty_ledger())
    return file


@pytest.fixture
def bench(tmp_path: Path, empty_ledger: Path, remote: Remote) -> Iterator[Bench]:
    made = Bench(tmp_path, empty_ledger, remote)
    yield made
    made.ledger.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests tell of themselves, which the workers of xdist cannot."""
    for report in terminalreporter.stats.get("passed", []):
        for name, value in report.user_properties:
            if name == "told":
                terminalreporter.write_line(f"{report.nodeid}: {value}")
