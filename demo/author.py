"""Plays what an author sees: a push with a mistake, the red mark at its commit, and what mends it.

`python -m demo.author --stage DIR`. As in the demo all is real but the Open edX platform, and here
the forge's pages: they show the commit statuses that gitreload gives through the forge's API.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from demo.server import serving
from demo.stage import DemoError, Stage, build, take
from demo.story import SECOND, THIRD, push
from demo.terminal import Terminal

# Behind the demo's stage, which says where the stand-ins are.
from fakes.status_api import TOKEN, Given, StatusApi, status_api  # isort: skip

SECONDS = 60
SIGNS = {"pending": ("●", "yellow"), "success": ("✓", "green"), "failure": ("✗", "red")}


def main() -> int:
    parser = argparse.ArgumentParser(prog="demo.author", description=__doc__)
    parser.add_argument("--stage", type=Path, required=True, help="where everything is made")
    root = parser.parse_args().stage.resolve()
    try:
        with take(root) as lock, status_api("github") as forge:
            stage = build(root, SECOND)
            _let_it_tell(stage, forge)
            with serving(stage, lock) as server:
                server.start_up()
                _Walk(stage, forge).play()
    except DemoError as error:
        print(f"\nThe demo stops: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def _let_it_tell(stage: Stage, forge: StatusApi) -> None:
    """Have the checkout come from the forge that has the API, and gitreload mark its commits."""
    config = json.loads(stage.config.read_text())
    config["PUBLIC_URL"] = stage.address
    config["STATUS"] = {"URL": forge.site, "TOKEN": TOKEN}
    stage.config.write_text(json.dumps(config, indent=4) + "\n")
    for key, value in {
        "remote.origin.url": forge.origin,
        f"url.file://{stage.repository}.insteadOf": forge.origin,
    }.items():
        subprocess.run(["git", "-C", str(stage.checkout), "config", key, value], check=True)


class _Walk:
    def __init__(self, stage: Stage, forge: StatusApi) -> None:
        self._stage = stage
        self._forge = forge
        self._terminal = Terminal(stage)
        self._console = Console(highlight=False, markup=False, emoji=False)

    def play(self) -> None:
        terminal, stage = self._terminal, self._stage
        terminal.heading("An author pushes a chapter, in which a tag is never closed")
        stage.write_course(THIRD)
        broken = stage.author / "chapter/lakes.xml"
        broken.write_text(broken.read_text().replace("</chapter>", ""))
        given = self._push("A chapter on lakes")
        terminal.heading("The mark's link leads to the job")
        self._open(given)
        terminal.heading("The author closes the tag, and pushes again")
        stage.write_course(THIRD)
        self._push("Close the tag")

    def _push(self, message: str) -> Given:
        push(self._stage, self._terminal, message)
        given = self._ended()
        self._terminal.heading("A moment later, at the commit on the forge's page")
        sign, color = SIGNS[given.mark]
        self._console.print(Text(f"{given.sha[:7]}  {message}", "bold"))
        told = Text(f"  {sign} {given.context}", color).append(f"  {given.description}", "default")
        self._console.print(told)
        return given

    def _ended(self) -> Given:
        """The mark that the author's commit got at the end. Raises DemoError."""
        sha = subprocess.run(
            ["git", "-C", str(self._stage.author), "rev-parse", "HEAD"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            for given in tuple(self._forge.given):
                if given.sha == sha and given.mark != "pending":
                    return given
            time.sleep(0.05)
        raise DemoError(f"{sha} was not marked in {SECONDS} s: gitreload's log says why")

    def _open(self, given: Given) -> None:
        if given.url is None:
            raise DemoError("the mark has no link, though PUBLIC_URL is set")
        with build_opener(ProxyHandler({})).open(given.url, timeout=SECONDS) as page:
            reader = _Reader()
            reader.feed(page.read().decode())
        shown = reader.text.replace(str(self._stage.root), "…").strip()
        self._console.print(Panel(Text(shown), title=given.url, title_align="left"))


class _Reader(HTMLParser):
    """The text of a job's page, a line for each of its own; without its tables."""

    _LINES = frozenset({"h1", "p", "pre", "dt"})
    _LEFT_OUT = frozenset({"title", "style", "h2", "table"})
    _WIDTH = 12

    def __init__(self) -> None:
        super().__init__()
        self.text = ""
        self._in: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        self._in.append(tag)
        if tag in self._LINES:
            # Blocks of their own have an empty line before them.
            self.text = self.text.rstrip() + ("\n" if tag == "dt" else "\n\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._in:
            # What has no end, such as <meta>, ends with what it is in.
            del self._in[len(self._in) - 1 - self._in[::-1].index(tag) :]

    def handle_data(self, data: str) -> None:
        if not self._LEFT_OUT & set(self._in):
            self.text += f"{data:<{self._WIDTH}}" if self._in[-1:] == ["dt"] else data


if __name__ == "__main__":
    sys.exit(main())
