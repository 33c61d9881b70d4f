"""What a revision says of its submodules, judged before any of it is used.

Pure: text of git in, names and URLs out. `.gitmodules` comes from whoever may push:
https://git-scm.com/docs/gitmodules
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from urllib.parse import quote

from gitreload.model import PermanentError
from gitreload.remotes import canonical, mask, protocol
from gitreload.visible import visible

_GITLINK = "160000"
# Programs do not agree where a host ends at some of these; no repository needs them in its URL.
_UNSAFE = re.compile(r"[\s\\#?\"<>^`{|}]")
_LOGIN = re.compile(r"^(https?://)[^/@]*@", re.IGNORECASE)
_LONGEST = 255  # of the name of a file, on Linux
_SPOKEN = ("https", "ssh")


@dataclass(frozen=True, slots=True)
class Submodule:
    """A repository within another, at `commit`. `path` is relative to the outer one's top."""

    name: str
    path: str
    url: str
    commit: str


@dataclass(frozen=True, slots=True)
class Hosts:
    """Where submodules may come from: `home`, the host of the checkout's own origin, and others.

    Hosts are written as in canonical URLs, "host" or "host:port". `spoken` is the protocol of that
    origin, allowed besides https and ssh.
    """

    home: str
    spoken: str
    others: Collection[str]

    def check(self, label: str, url: str) -> None:
        """Raise `PermanentError` unless the submodule `label` may be fetched from `url`.

        `url` is what git would use in the end.
        """
        shown = mask(visible(url))
        place = host(url)
        if place is None or protocol(url) not in (*_SPOKEN, self.spoken):
            raise PermanentError(
                f"the submodule {label} is not fetched from {shown}: its URL has to be an https or "
                "ssh URL of a repository. Correct it in .gitmodules, and push"
            )
        if place not in (self.home, *self.others):
            raise PermanentError(
                f"the submodule {label} is not fetched from {shown}: SUBMODULES allows only "
                f"{', '.join(dict.fromkeys((self.home, *self.others)))}. If {place} is to be "
                "trusted, add it there"
            )


def host(url: str) -> str | None:
    """The host that a URL leads to, "host" or "host:port"; None where that is not beyond doubt.

    "file:" for local repositories.
    """
    identity = None if _UNSAFE.search(url) else canonical(url)
    return identity and identity.partition("/")[0]


def absolute(base: str, url: str) -> str:
    """A submodule's URL, which may be relative to `base`, the one of the outer repository.

    The rules are git's: https://git-scm.com/docs/git-submodule#Documentation/git-submodule.txt-add
    A login that `base` has is left out, as it would be written into a file.
    """
    if not url.startswith(("./", "../")):
        return url
    base, colon = _LOGIN.sub(r"\1", base).rstrip("/"), False
    while url.startswith(("./", "../")):
        up, _, url = url.partition("/")
        if up == "..":
            colon = "/" not in base
            base = base.rpartition(":" if colon else "/")[0]
    return f"{base}{':' if colon else '/'}{url}".rstrip("/")


def declared(config: str, base: str) -> Iterator[tuple[str, str, str]]:
    """Name, path and URL of what `git config --list -z` has of a `.gitmodules`.

    `base` is the URL of the repository that it lies in.
    """
    found: dict[str, dict[str, str]] = {}
    for entry in config.split("\0"):
        key, _, value = entry.partition("\n")
        section, _, variable = key.rpartition(".")
        kind, _, name = section.partition(".")
        if kind == "submodule":
            found.setdefault(name, {})[variable] = value
    for name, values in found.items():
        if "path" in values and "url" in values:
            yield name, values["path"], absolute(base, values["url"])


def gitlinks(listing: str) -> dict[str, str]:
    """The commits of submodules by their paths, from `git ls-tree -z`."""
    found = {}
    for entry in listing.split("\0"):
        facts, _, path = entry.partition("\t")
        mode, _, rest = facts.partition(" ")
        if mode == _GITLINK:
            found[path] = rest.partition(" ")[2]
    return found


def check(label: str, modules: Collection[Submodule]) -> None:
    """Raise `PermanentError` where a name or a path leads elsewhere, or is there twice."""
    for module in modules:
        for what, text in (("name", module.name), ("path", module.path), ("URL", module.url)):
            if visible(text) != text:
                raise _refused(label, module, f"its {what} has characters that cannot be seen")
        if set(module.name.split("/")) & {"", ".", ".."}:
            raise _refused(label, module, "its name leads elsewhere")
        if len(folder_name(module.name)) > _LONGEST:
            raise _refused(label, module, "its name is too long for a directory")
        parts = {part.lower() for part in module.path.split("/")}
        if parts & {"", ".", "..", ".git"} or module.path.startswith(":"):
            raise _refused(label, module, "its path leads elsewhere")
    paths = Counter(module.path for module in modules)
    for module in modules:
        if paths[module.path] > 1:
            raise _refused(label, module, "another one has the same path")


def folder_name(name: str) -> str:
    """How the directory of the submodule `name` is called: never one within another's."""
    return quote(name, safe="")


def _refused(label: str, module: Submodule, why: str) -> PermanentError:
    return PermanentError(
        f"the submodule {visible(module.name)!r} of {label} at {visible(module.path)!r} is "
        f"refused: {why}. Correct .gitmodules, and push"
    )
