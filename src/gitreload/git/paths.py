"""Whether anything below some paths of a checkout differs between two of its revisions."""

from __future__ import annotations

from collections.abc import Sequence

from gitreload.git.commands import Git
from gitreload.model import Checkout
from gitreload.process import Runner

_SAME, _DIFFERENT = 0, 1


def differ(
    checkout: Checkout,
    runner: Runner,
    before: str,
    after: str,
    globs: Sequence[str],
    *,
    timeout: float,
) -> bool:
    """Whether any file below `globs` differs; True too where git cannot tell.

    The latter is so where `before` is unknown here: only a shallow or a fresh clone lacks it.
    Raises `TransientError` and `Interrupted`.
    """
    git = Git(checkout, runner, timeout=timeout, reading=True)
    specs = [spec for glob in globs for spec in pathspecs(glob)]
    done = git.run("diff-tree", "-r", "--quiet", before, after, "--", *specs, quiet=True)
    if done.exit_code not in (_SAME, _DIFFERENT):
        runner.log(f"what changed since {before[:12]} cannot be told, so it counts as changed")
    return done.exit_code != _SAME


def pathspecs(glob: str) -> list[str]:
    """The pathspecs of git for a glob: what it names, and all that is below that.

    A glob that ends in a slash names directories only; `!` before it takes away from the others.
    https://git-scm.com/docs/gitglossary#Documentation/gitglossary.txt-pathspec
    """
    kind = ":(top,exclude,glob)" if glob.startswith("!") else ":(top,glob)"
    name = glob.removeprefix("!")
    below = f"{kind}{name.rstrip('/')}/**"
    return [below] if name.endswith("/") else [kind + name, below]
