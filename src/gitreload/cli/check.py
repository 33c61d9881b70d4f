"""`gitreload check`: whether checkouts are all right, and what to do where they are not."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from gitreload.cli import output
from gitreload.cli.checkouts import named, none_at_all, records
from gitreload.cli.errors import FAILED
from gitreload.cli.output import Json, held_because, note, say, short
from gitreload.cli.state import ledger_exists, load_settings, open_ledger
from gitreload.model import Checkout, Interrupted
from gitreload.visible import visible

if TYPE_CHECKING:
    from gitreload.checkup import Checkup
    from gitreload.config import Settings
    from gitreload.ledger import Report
    from gitreload.process import Runner
    from gitreload.tips import Seen


def check(
    directories: Annotated[
        list[str] | None,
        typer.Argument(metavar="[DIR]...", help="Checkouts below REPODIR; all without any."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Look for what is wrong with checkouts and their remotes.

    It changes nothing, and exits with 1 where something is wrong.
    """
    from gitreload.checkouts import Checkouts

    settings = load_settings()
    checkouts = Checkouts.of(settings)
    chosen = (
        [named(checkouts, settings, name) for name in directories]
        if directories
        else list(checkouts.all())
    )
    found: list[Checkup] = []
    for each in _checkups(chosen, settings):
        found.append(each)
        if not as_json:
            _print(each, settings, whole=bool(directories))
    wrong = sum(not each.ok for each in found)
    if as_json:
        # By name, for those who compare; people see each as soon as its remote answers.
        found.sort(key=lambda each: each.directory)
        output.print_json([{**output.data(each), "ok": each.ok} for each in found])
    elif not found:
        note(none_at_all(settings))
    elif wrong:
        note(f"something is wrong with {wrong} of {len(found)}")
    if wrong:
        raise typer.Exit(FAILED)


def _checkups(checkouts: Sequence[Checkout], settings: Settings) -> Iterator[Checkup]:
    from gitreload.checkup import checkup
    from gitreload.github_hooks import Hooks
    from gitreload.process import Runner

    known, refused = records(settings), _refused(settings)
    stop = threading.Event()
    # An exception in the middle would wait for all that is being asked.
    signal.signal(signal.SIGINT, lambda _number, _frame: stop.set())
    runner = Runner(log=lambda _: None, stop=stop)
    try:
        with ExitStack() as opened:
            hooks = None
            if settings.github_token is not None:
                hooks = opened.enter_context(Hooks(settings))
            for seen in _look(checkouts, settings, runner):
                record = known.get(seen.checkout.path)
                untold = refused.get(seen.checkout.path, ())
                yield checkup(seen, record, settings, runner, time.time(), hooks, untold)
    except Interrupted as error:
        raise KeyboardInterrupt from error


def _refused(settings: Settings) -> Mapping[str, Sequence[Report]]:
    """What reporters could not tell of checkouts last, by their paths."""
    if not ledger_exists(settings):
        return {}
    with open_ledger(settings) as ledger:
        return ledger.refused_reports()


def _look(checkouts: Sequence[Checkout], settings: Settings, runner: Runner) -> Iterator[Seen]:
    from gitreload import tips

    for checkout in checkouts:
        if checkout.problem is not None:
            yield tips.Seen(checkout)
    sound = [checkout for checkout in checkouts if checkout.problem is None]
    for answers in tips.look(tips.by_remote(sound, settings), settings, runner):
        yield from answers


def _print(found: Checkup, settings: Settings, *, whole: bool) -> None:
    """A line where all is well, with `whole` the facts besides; else one for each problem."""
    name = visible(found.directory)
    if found.ok:
        at = "at the tip" if found.revision == found.tip else "waits for its job"
        of = found.follows or "" if found.tag is None else f"the tags {found.tags} ({found.tag})"
        say(f"{name}: all is well, {at} of {visible(of)}, {short(found.revision)}")
        _print_hold(found, settings)
        if whole:
            free = f"{found.free_bytes / 1024**3:,.1f} GiB free"
            served = None if found.served is None else short(found.served)
            facts = {"served": served, "remote": found.origin, "key": found.key}
            facts |= {"importer": found.importer}
            facts |= {"owner": found.owner, "disk": free}
            output.facts([(f"  {about:<8}", text) for about, text in facts.items()])
        return
    say(f"{name}: {'a problem' if len(found.problems) == 1 else f'{len(found.problems)} problems'}")
    for problem in found.problems:
        say(f"  {problem.about:<8}  {visible(problem.text)}")
    _print_hold(found, settings)


def _print_hold(found: Checkup, settings: Settings) -> None:
    """That its jobs wait: no problem, but perhaps why something does not come."""
    if found.held:
        configured = found.directory in settings.held
        say(f"  {'held':<8}  {held_because(visible(found.directory), by_configuration=configured)}")
