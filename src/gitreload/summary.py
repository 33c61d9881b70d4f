"""What the log says at the start, whatever LOG_LEVEL is: what is followed, and who is believed."""

from __future__ import annotations

import logging
import sqlite3
import threading

from gitreload import __version__, git, logs
from gitreload.attempt import Tools
from gitreload.checkouts import RepodirError
from gitreload.config import Config, Settings
from gitreload.ledger.database import FILE_NAME
from gitreload.model import Checkout, GitreloadError
from gitreload.remotes import mask

logger = logging.getLogger(__name__)

# So many checkouts are named.
NAMED = 10


def versions() -> str:
    """Of what we stand on. Raises PermanentError where git is missing or too old."""
    return f"git {git.check_version()}, SQLite {sqlite3.sqlite_version}"


def tell_start(doing: str, found: str, trouble: str | None) -> None:
    """Log what this process does, with the versions that it `found`; or why it cannot yet."""
    if trouble is None:
        logs.start.info("gitreload %s %s; %s", __version__, doing, found)
    else:
        logger.error(
            "gitreload %s %s, but takes neither pushes nor jobs yet: %s; %s",
            *(__version__, doing, trouble, found),
        )


def tell_all(loaded: Config, tools: Tools) -> None:
    """Log what is configured. Checkouts come a little later: nobody waits for a slow REPODIR."""
    settings = loaded.settings
    logs.start.info("configuration: %s", _origin(loaded))
    open_to_all = settings.allow_unsigned and not settings.authenticated
    level = logging.WARNING if open_to_all else logging.INFO
    logs.start.log(level, "deliveries: %s", authentication(settings))
    logs.start.info(
        "ledger: %s; workers on this host: %d", settings.state_dir / FILE_NAME, settings.num_threads
    )
    for warning in loaded.warnings:
        logger.warning("%s", warning)
    threading.Thread(target=_tell_more, args=(tools,), name="summary", daemon=True).start()


def _origin(loaded: Config) -> str:
    sources = dict.fromkeys(source for source in loaded.sources.values() if source != "default")
    sources.pop(str(loaded.path), None)
    file = "no gr.env.json found, so defaults" if loaded.path is None else str(loaded.path)
    return ", ".join([file, *sources])


def authentication(settings: Settings) -> str:
    """How it is told who may send."""
    if settings.authenticated:
        return f"must be proven by {_proofs(settings)}"
    if settings.allow_unsigned:
        return "accepted unsigned from every host (ALLOW_UNSIGNED): the web server in front decides"
    return (
        "no WEBHOOK_SECRETS: only requests from this machine are served, as behind a web server "
        "that authenticates"
    )


def _proofs(settings: Settings) -> str:
    count = len(settings.webhook_secrets)
    repos = settings.repos.values()
    proofs = {
        "the secret" if count == 1 else f"one of {count} secrets": bool(count),
        "a password of BASIC_AUTH": bool(settings.basic_auth),
        "the secrets that repositories have of their own": any(repo.secrets for repo in repos),
        "SourceHut's key": any(repo.forge == "sourcehut" for repo in repos),
    }
    return ", or ".join(proof for proof, there in proofs.items() if there)


def _tell_more(tools: Tools) -> None:
    try:
        found = tools.checkouts.all()
    except RepodirError as error:
        logger.warning("%s", error)
    else:
        _tell_checkouts(tools.settings, found)
    try:
        tools.importers.default.check()
    except GitreloadError as error:
        logger.warning("imports will fail until this is mended: %s", error)


def _tell_checkouts(settings: Settings, found: tuple[Checkout, ...]) -> None:
    sound = [checkout for checkout in found if checkout.problem is None]
    broken = [checkout.problem for checkout in found if checkout.problem is not None]
    logs.start.info("checkouts followed below %s: %d", settings.repodir, len(sound))
    for checkout in sound[:NAMED]:
        logs.start.info("follows %s", followed(checkout))
    if len(sound) > NAMED:
        logs.start.info("follows %d more; `gitreload list` names all", len(sound) - NAMED)
    for problem in broken[:NAMED]:
        logger.warning("%s", problem)
    if len(broken) > NAMED:
        logger.warning("%d more cannot be followed; see `gitreload list`", len(broken) - NAMED)


def followed(checkout: Checkout) -> str:
    return f"{checkout.directory} ← {mask(checkout.origin or '')} ({checkout.followed})"
