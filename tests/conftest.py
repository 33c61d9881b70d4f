"""Every test gets a home of its own, and git an identity that is nobody's."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import Phase, settings

from gitreload.ledger import Ledger
from helpers import Remote
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


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(folder))
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "GITRELOAD_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "Ada Author")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "ada@example.org")
    return folder


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    """A remote with one commit on `main`."""
    remote = Remote(tmp_path / "forge")
    remote.commit({"README.md": "first\n"}, "first")
    return remote


@pytest.fixture
def site(remote: Remote, tmp_path: Path) -> Site:
    """A clone of `remote`."""
    return Site(remote, remote.clone(tmp_path / "repos/course"))


@pytest.fixture(scope="session")
def empty_ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger's file with all tables and nothing in them, to copy from."""
    state_dir = tmp_path_factory.mktemp("empty")
    Ledger.open(state_dir).close()
    return state_dir / "ledger.sqlite3"


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
