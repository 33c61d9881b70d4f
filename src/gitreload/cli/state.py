"""What most commands begin with: the settings, the ledger, the checkouts, a job by its number."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from gitreload.cli.output import note
from gitreload.model import GitreloadError, Job

if TYPE_CHECKING:
    from gitreload.config import Settings
    from gitreload.ledger import Ledger


def load_settings() -> Settings:
    """Raises ConfigError."""
    from gitreload import config

    return config.load().settings


def ledger_exists(settings: Settings) -> bool:
    """Whether a ledger is there. Raises GitreloadError where it is not for this user to know."""
    from gitreload.ledger import database, statedir

    try:
        settings.state_dir.stat()
    except FileNotFoundError:
        return False
    except OSError:
        pass  # `prepare` says what is wrong with it
    statedir.prepare(settings.state_dir)
    return (settings.state_dir / database.FILE_NAME).exists()


@contextmanager
def existing_ledger(settings: Settings) -> Iterator[Ledger]:
    """The ledger of a gitreload that has run before: none is made by asking for a job."""
    if not ledger_exists(settings):
        raise GitreloadError(
            f"there is no ledger in STATE_DIR, {settings.state_dir}, yet: start `gitreload serve`, "
            "or give this command the configuration of the one that runs (GITRELOAD_CONFIG)"
        )
    with open_ledger(settings) as ledger:
        yield ledger


@contextmanager
def open_ledger(settings: Settings) -> Iterator[Ledger]:
    """The ledger, made where there is none yet."""
    from gitreload.ledger import Ledger

    with closing(Ledger.open(settings.state_dir)) as ledger:
        ledger.held_by_configuration = settings.held
        yield ledger


def find_job(ledger: Ledger, number: int) -> Job:
    """The job that now stands for `number`; where that is another one, this is said."""
    job = ledger.follow(number)
    if job is None:
        raise GitreloadError(
            f"there is no job {number}: `gitreload jobs` shows the newest, and finished ones are "
            "removed after HISTORY_DAYS"
        )
    if job.id != number:
        note(f"job {number} was superseded by job {job.id}")
    return job
