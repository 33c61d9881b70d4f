"""The story: a push, a course; a mistake, its message; the mended course."""

from __future__ import annotations

import json
import shlex
import subprocess
from datetime import datetime

from demo.forge import last_answer
from demo.server import Server
from demo.stage import BIN, COURSE, DemoError, Stage
from demo.terminal import Terminal, course_of

FIRST = {"Rivers": "<p>Water runs downhill, and takes a little of the hill along.</p>"}
SECOND = {**FIRST, "Deltas": "<p>Where it slows down, it leaves what it carried.</p>"}
THIRD = {**SECOND, "Lakes": "<p>Still water runs deep.</p>"}


def play(stage: Stage, terminal: Terminal, server: Server) -> None:
    """Play it all on a stage that has the course of `FIRST`. Raises DemoError."""
    terminal.heading("A server: a clone in repos/, and gitreload with its usual gr.env.json")
    terminal.prompt("gitreload &", stage.server)
    terminal.say(server.start_up().rstrip())
    terminal.heading("What is cloned already is imported by hand, once")
    terminal.run(f"gitreload sync {COURSE}", stage.server)
    _finish(stage, 1)
    first = course_of(stage)
    terminal.course(first, "before the push")

    terminal.heading("The author adds a chapter and pushes. The forge signs it and delivers it")
    stage.write_course(SECOND)
    push(stage, terminal, "A chapter on deltas")
    terminal.heading("The push was on disk before that answer. Now its job runs")
    job = _last_job(stage)
    terminal.run(f"gitreload logs -f {job}", stage.server)
    terminal.times(_steps(stage, job))
    second = course_of(stage)
    terminal.course(second, "after the push", since=first)

    terminal.heading("Now a mistake, a tag that is never closed: learners must not suffer from it")
    stage.write_course(THIRD)
    broken = stage.author / "chapter/lakes.xml"
    broken.write_text(broken.read_text().replace("</chapter>", ""))
    push(stage, terminal, "A chapter on lakes")
    _finish(stage, _last_job(stage))
    terminal.run("gitreload jobs --state failed", stage.server)
    terminal.course(course_of(stage), "as before", since=second)

    terminal.heading("Mended, and pushed again")
    stage.write_course(THIRD)
    push(stage, terminal, "Close the tag")
    _finish(stage, _last_job(stage))
    terminal.run("gitreload list", stage.server)
    terminal.course(course_of(stage), "now", since=second)


def push(stage: Stage, terminal: Terminal, message: str) -> None:
    """Have the author commit all and push it. Raises DemoError."""
    terminal.run("git add -A", stage.author)
    terminal.run(f"git commit -q -m {shlex.quote(message)}", stage.author)
    terminal.run("git push -q", stage.author)


def _last_job(stage: Stage) -> int:
    answer = last_answer(stage.webhook)
    if answer is None or len(answer.jobs) != 1:
        raise DemoError("the push led to no job: gitreload's answer, behind `remote:`, says why")
    return answer.jobs[0]


def _finish(stage: Stage, job: int) -> None:
    """Wait for the end of a job, however it ends."""
    _gitreload(stage, "logs", "-f", str(job))


def _steps(stage: Stage, job: int) -> list[tuple[str, float, str]]:
    """How long each step of a job took, in seconds; it may begin before the answer has arrived."""
    sent = last_answer(stage.webhook)
    assert sent is not None, "it made the job"
    attempt = json.loads(_gitreload(stage, "show", str(job), "--json"))["attempts"][-1]
    started_at = datetime.fromisoformat(attempt["started_at"]).timestamp()
    finished_at = datetime.fromisoformat(attempt["finished_at"]).timestamp()
    # `git reset` moves the branch last, when all files are in place.
    fetched_at = (stage.checkout / ".git/refs/heads/main").stat().st_mtime
    return [
        ("accepted in", sent.answered_at - sent.sent_at, "the delivery is on disk and answered"),
        ("fetched in", fetched_at - started_at, "the checkout is at the branch's tip"),
        ("imported in", finished_at - fetched_at, "the platform has proved that it has the course"),
        ("total", finished_at - sent.sent_at, "from the delivery to the live course"),
    ]


def _gitreload(stage: Stage, *arguments: str) -> str:
    """What a command prints that is not shown."""
    done = subprocess.run(
        [str(BIN / "gitreload"), *arguments],
        cwd=stage.server,
        env=stage.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout


def tell_what_next(stage: Stage, terminal: Terminal) -> None:
    """Commands for a second terminal, to be pasted as they are."""
    terminal.heading("The server runs on. What to try next, in a second terminal")
    path = shlex.quote(str(BIN))
    lines = [
        "As the author: change a page, push it, and watch this terminal",
        f"  cd {shlex.quote(str(stage.author))}",
        "  echo '<p>Some of it stays there for long.</p>' >> html/lakes.html",
        "  git commit -am 'More on lakes' && git push",
        "",
        "As the operator",
        f'  export PATH={path}:"$PATH"',
        f"  export GITRELOAD_CONFIG={shlex.quote(str(stage.config))}",
        "  gitreload jobs",
        f"  gitreload logs {_last_job(stage)}",
        "  gitreload list",
        "  gitreload send",
        "",
        "In a browser",
        f"  {stage.address}/queue",
    ]
    for line in lines:
        terminal.say(line, "" if line.startswith("  ") else "bold")
