"""What the documentation tells people to write or type is understood."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer.main

from gitreload import config
from gitreload.cli import app
from gitreload.config import Config
from gitreload.model import Action, State
from gitreload.settings import KEYS
from workbench import Bench

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Snippet:
    page: str
    language: str
    text: str


SNIPPETS = [
    Snippet(str(page.relative_to(ROOT)), language, text)
    for page in PAGES
    for language, text in _BLOCK.findall(page.read_text())
]
JSON = [snippet for snippet in SNIPPETS if snippet.language == "json"]
# Some name keys to sign with, which have tests of their own.
CONFIGURATIONS = [
    each
    for each in JSON
    if set(json.loads(each.text)) <= {*KEYS}
    and not re.search("PRIVATE_KEY|VERIFY_SIGNATURES", each.text)
]


# A command at the start of a line, up to its comment.
_CALL = re.compile(r"^(?:sudo -u \w+ )?gitreload (?P<name>[a-z]+)(?P<rest>[^#\n]*)", re.MULTILINE)
_OPTION = re.compile(r"(?<=\s)--?[a-z][a-z-]*")

# What the files hold that secrets are in; a password, but for these.
PASSWORD = "correct-horse-battery-staple"
CONTENTS = {
    "ops-mail": "mailto://127.0.0.1/?from=gitreload@example.org&to=ops@example.org",
    "bot-secret": f"whsec_{base64.b64encode(PASSWORD.encode()).decode()}",
}


def loaded(folder: Path, snippet: Snippet) -> Config:
    """The snippet as a configuration, whose paths start in `folder`."""
    text = re.sub(r'"/(?=\w)', f'"{folder}/', snippet.text)
    for secret in re.findall(r'"FILE": "([^"]+)"', text):
        Path(secret).parent.mkdir(parents=True, exist_ok=True)
        Path(secret).write_text(f"{CONTENTS.get(Path(secret).name, PASSWORD)}\n")
        Path(secret).chmod(0o600)
    file = folder / "gr.env.json"
    file.write_text(text)
    return config.load({"GITRELOAD_CONFIG": str(file), "HOME": str(folder)}, folder)


@pytest.mark.parametrize("snippet", CONFIGURATIONS, ids=lambda each: each.page)
def test_configurations_are_taken(tmp_path: Path, snippet: Snippet) -> None:
    assert loaded(tmp_path, snippet).warnings == (), snippet.page


def test_of_0_2_only_what_does_nothing_any_more_is_warned_about(tmp_path: Path) -> None:
    first = next(each for each in JSON if each.page == "docs/from-0.2.md")
    doubts = loaded(tmp_path, first).warnings
    assert ["LINKED_REPOS" in doubts[0], "ALSO_CLONE_REPOS" in doubts[1]] == [True, True]
    assert len(doubts) == 2


def test_commands_have_the_options_that_the_pages_name() -> None:
    group: Any = typer.main.get_command(app)
    calls = [
        (snippet.page, call["name"], set(_OPTION.findall(call["rest"])))
        for snippet in SNIPPETS
        if snippet.language == "sh"
        for call in _CALL.finditer(snippet.text)
    ]
    assert len(calls) > 20
    for page, name, used in calls:
        command = group.commands.get(name)
        assert command is not None, f"{page}: gitreload {name}"
        known = {"-h", "--help"}.union(
            *(each.opts + each.secondary_opts for each in command.params)
        )
        assert used <= known, f"{page}: gitreload {name} {used - known}"


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    unit = (ROOT / "contrib/systemd/gitreload.service").read_text()
    command = Path(sys.executable).with_name("gitreload")
    here = tmp_path / "gitreload.service"
    here.write_text(unit.replace("/opt/gitreload/bin/gitreload", str(command)))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(here)],
        capture_output=True,
        text=True,
        check=False,
    )
    told = [line for line in done.stderr.splitlines() if "gitreload" in line]
    assert (done.returncode, told) == (0, []), done.stderr


def test_a_watcher_grades_each_submission_with_one_revision(bench: Bench, tmp_path: Path) -> None:
    """As the guide says: https://github.com/openedx/xqueue-watcher (grader.py, jailedgrader.py)."""
    ours, watchers = [each for each in JSON if each.page == "docs/graders.md"]
    repo = json.loads(ours.text)["REPOS"]["graders"]
    root = Path(json.loads(watchers.text)["org-course"]["HANDLERS"][0]["KWARGS"]["grader_root"])
    assert repo["PUBLISH"]["LINK"] == str(root)
    link = tmp_path / "graders/current"
    repo["VALIDATE"][0] = sys.executable
    bench.configured(**repo | {"PUBLISH": {**repo["PUBLISH"], "LINK": str(link)}})

    def push(number: int) -> State:
        files = {"ps1/grader.py": f"TESTS = {number}\n", "ps1/answer.py": f"ANSWERS = {number}\n"}
        bench.remote.commit(files)
        bench.sync(action=Action.UPDATE)
        return bench.run().state

    assert push(1) is State.SUCCEEDED
    grader = (link / "ps1/grader.py").resolve()
    assert grader.is_relative_to(link.resolve()), "else the watcher refuses it"
    assert push(2) is State.SUCCEEDED
    assert grader.read_text() == "TESTS = 1\n", "a submission that is being graded"
    assert (grader.parent / "answer.py").read_text() == "ANSWERS = 1\n"
    assert (link / "ps1/grader.py").read_text() == "TESTS = 2\n", "the next one"
    bench.remote.commit({"ps1/grader.py": "def broken(:\n"})
    bench.sync(action=Action.UPDATE)
    assert bench.run().state is State.FAILED
    assert (link / "ps1/grader.py").read_text() == "TESTS = 2\n"
