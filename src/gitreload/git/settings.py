"""Under which settings git runs: an environment that nothing of ours or of a payload leaks into.

What the operator configured for git and ssh stays in force (credentials, proxies, certificates,
`core.sshCommand`); what would run code of the checkout, ask at a terminal or work in the
background does not. Everything is passed by the environment, as git does since 2.31:
https://git-scm.com/docs/git-config#Documentation/git-config.txt-GITCONFIGCOUNT
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from gitreload.process import environment

# The kinds of flaws that old clients left in many histories, and that do no harm. GitLab lets
# the same three pass: https://docs.gitlab.com/administration/gitaly/consistency_checks/
_OLD_FLAWS = ("badTimezone", "missingSpaceBeforeDate", "zeroPaddedFilemode")
# For `git fsck`, to let pass what was let pass when it was fetched.
OLD_FLAWS_PASS = tuple((f"fsck.{flaw}", "warn") for flaw in _OLD_FLAWS)

_SETTINGS = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "fetch.recurseSubmodules": "no",
    "submodule.recurse": "false",
    "fetch.writeCommitGraph": "false",
    "transfer.fsckObjects": "true",
    "fetch.fsckObjects": "true",
    **{f"fetch.fsck.{flaw}": "warn" for flaw in _OLD_FLAWS},
    "transfer.bundleURI": "false",
    "http.followRedirects": "initial",
    # A server that packs sends a few bytes every 5 s, so that only silence counts as a stall.
    "http.lowSpeedLimit": "1",
    "http.lowSpeedTime": "60",
    "color.ui": "false",
    "advice.fetchShowForcedUpdates": "false",
}

_VARIABLES = {
    "GIT_TERMINAL_PROMPT": "0",
    "SSH_ASKPASS_REQUIRE": "never",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_LFS_SKIP_SMUDGE": "1",
    "GIT_ADVICE": "0",
    "LC_ALL": "C",  # so that messages are those we know
}

_LFS_FILTER = Path(__file__).with_name("lfs_filter.py")

# For files that were copied with their times: all else that `stat` tells of them is new. Version 2
# is what `git.index` reads.
_OWN_INDEX = (
    ("core.checkStat", "minimal"),
    ("core.trustctime", "false"),
    ("core.splitIndex", "false"),
    ("index.sparse", "false"),
    ("index.version", "2"),
)


def git_environment(
    path: str, protocol: str, more: Sequence[tuple[str, str]] = ()
) -> dict[str, str]:
    """For a git command in the checkout at `path`; of all protocols it may speak this one.

    `more` are further settings, keys and values; a key may be there several times.
    """
    variables = environment() | _VARIABLES
    variables["GIT_ALLOW_PROTOCOL"] = protocol
    # A checkout whose .git is damaged must not be taken for a part of a repository around it.
    variables["GIT_CEILING_DIRECTORIES"] = str(Path(path).parent)
    return variables | configuration([*_SETTINGS.items(), *more])


def with_own_index(variables: dict[str, str], folder: Path, index: Path) -> dict[str, str]:
    """`variables` for files in `folder`, and `index` instead of the checkout's own."""
    own = {"GIT_WORK_TREE": str(folder), "GIT_INDEX_FILE": str(index)}
    return variables | own | configuration(_OWN_INDEX, after=int(variables["GIT_CONFIG_COUNT"]))


def lfs_settings(git_dir: Path) -> tuple[tuple[str, str], ...]:
    """For a repository with contents of Git LFS in `git_dir`: a filter that finds them there."""
    program = (sys.executable, "-I", "-S", str(_LFS_FILTER), str(git_dir / "lfs/objects"))
    return (
        ("filter.lfs.process", shlex.join(program)),
        ("filter.lfs.required", "true"),
        ("lfs.skipdownloaderrors", "false"),
    )


def configuration(settings: Sequence[tuple[str, str]], after: int = 0) -> dict[str, str]:
    """Variables that hold `settings`, `after` so many that are there already."""
    variables = {"GIT_CONFIG_COUNT": str(after + len(settings))}
    for number, (key, value) in enumerate(settings, start=after):
        variables[f"GIT_CONFIG_KEY_{number}"] = key
        variables[f"GIT_CONFIG_VALUE_{number}"] = value
    return variables
