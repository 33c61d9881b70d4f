"""Where the branches and tags that checkouts follow are at their remotes: one `ls-remote` each."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass

from gitreload.config import Settings
from gitreload.git import Access, Git, following
from gitreload.model import Checkout, GitreloadError, Interrupted
from gitreload.process import Runner
from gitreload.remotes import canonical

# So many remotes are asked at a time: forges limit the connections of one client.
PARALLEL = 8


@dataclass(frozen=True, slots=True)
class Seen:
    """What a checkout's remote says of what it follows: its tip, or an error.

    `tag` is the newest of the tags that it follows, None where it follows a branch.
    """

    checkout: Checkout
    tip: str | None = None
    error: GitreloadError | None = None
    tag: str | None = None


def by_remote(checkouts: Iterable[Checkout], settings: Settings) -> list[list[Checkout]]:
    """The checkouts that have one remote each, in the order of the first of them.

    What lets us in with one key or token may be hidden from another.
    """
    found: defaultdict[object, list[Checkout]] = defaultdict(list)
    for checkout in checkouts:
        repo = settings.repo(checkout.directory)
        origin = checkout.origin or ""
        # Relative paths lead elsewhere from each checkout.
        place = origin if canonical(origin) else f"{os.path.dirname(checkout.path)}\0{origin}"  # noqa: PTH120
        found[place, repo.ssh_key, repo.token].append(checkout)
    return list(found.values())


def look(
    remotes: Sequence[Sequence[Checkout]], settings: Settings, runner: Runner
) -> Iterator[list[Seen]]:
    """What each remote says of its checkouts, as the answers come in.

    Raises `Interrupted` once the runner has to stop.
    """
    with ThreadPoolExecutor(PARALLEL, thread_name_prefix="ls-remote") as pool:
        asked = [pool.submit(ask, checkouts, settings, runner) for checkouts in remotes]
        for answer in as_completed(asked):
            yield answer.result()


def ask(checkouts: Sequence[Checkout], settings: Settings, runner: Runner) -> list[Seen]:
    """What their one remote says of all that these checkouts follow; raises `Interrupted` only.

    It is asked from the first of them that can be used, with the configuration of git there.
    """
    seen: list[Seen] = []
    usable: list[tuple[Checkout, Git]] = []
    for checkout in checkouts:
        try:
            usable.append((checkout, _git(checkout, settings, runner)))
        except GitreloadError as error:
            seen.append(Seen(checkout, error=error))
    if not usable:
        return seen
    try:
        refs = following.listed(usable[0][1], [checkout for checkout, _ in usable])
    except Interrupted:
        raise
    except GitreloadError as error:
        return seen + [Seen(checkout, error=error) for checkout, _ in usable]
    for checkout, git in usable:
        tip = following.tip(checkout, refs)
        if tip is None:
            seen.append(Seen(checkout, error=git.gone()))
        else:
            seen.append(Seen(checkout, tip.revision, tag=tip.tag))
    return seen


def _git(checkout: Checkout, settings: Settings, runner: Runner) -> Git:
    return Git(
        checkout,
        runner,
        timeout=settings.git_timeout_seconds,
        access=Access.of(settings, checkout.directory),
        reading=True,
    )
