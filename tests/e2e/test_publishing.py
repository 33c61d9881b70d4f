"""What readers of a published checkout see while it is pushed to, rolled back, held and killed."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from e2e.deployment import Deployment
from gitreload.git.files import REVISION
from helpers import Remote, wait_until

# For the long run: TEST_PUSHES=500 pytest -s tests/e2e/test_publishing.py
PUSHES = int(os.environ.get("TEST_PUSHES", "10"))
KILL_EVERY = 4

# Resolves the link, then reads two files that belong together, until its stdin ends.
OBSERVER = """
import json, os, select, sys
seen = {"reads": 0, "mixed": 0, "missing": 0}
print("ready", flush=True)
while not select.select([sys.stdin], [], [], 0)[0]:
    for _ in range(100):
        seen["reads"] += 1
        try:
            folder = os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECTORY)
            try:
                texts = []
                for name in ("grader.py", "deep/answers.py"):
                    file = os.open(name, os.O_RDONLY, dir_fd=folder)
                    texts.append(os.read(file, 1 << 20))
                    os.close(file)
            finally:
                os.close(folder)
        except FileNotFoundError:
            seen["missing"] += 1
        else:
            seen["mixed"] += texts[0] != texts[1] or len(texts[0]) < 1000
print(json.dumps(seen))
"""


class Graders:
    """A published checkout with a pair of files that are always alike."""

    def __init__(self, here: Deployment) -> None:
        self.here = here
        self.remote = Remote(here.folder / "forge", "graders")
        others = {f"more/{number}.txt": f"{number}\n" for number in range(50)}
        self.remote.commit({**others, **pair("first")})
        self.remote.clone(here.repodir / "graders")
        self.link = here.folder / "published/graders"
        here.write_config(REPOS={"graders": {"PUBLISH": {"KEEP": 2, "GRACE_SECONDS": 5}}})

    def push(self, text: str) -> str:
        """Push and deliver; the revision."""
        revision = self.remote.commit(pair(text))
        answer = self.here.deliver(self.remote, revision, route="/update")
        assert answer.body["outcome"] in ("queued", "coalesced")
        return revision

    def served(self) -> str:
        return self.link.readlink().name

    def serves(self, revision: str) -> bool:
        return self.served() == revision

    def reads(self) -> str:
        return (self.link / "grader.py").read_text().split()[0]


def pair(text: str) -> dict[str, str]:
    """Of 10 KB each, so that half of one can be told."""
    return dict.fromkeys(("grader.py", "deep/answers.py"), f"{text}\n" * (10_000 // len(text)))


@pytest.fixture
def graders(here: Deployment) -> Graders:
    return Graders(here)


@contextmanager
def observed(link: Path) -> Iterator[dict[str, int]]:
    """Observe the link within the block; what was seen is there after it."""
    seen: dict[str, int] = {}
    with subprocess.Popen(
        [sys.executable, "-c", OBSERVER, str(link)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as observer:
        assert observer.stdout is not None
        assert observer.stdout.readline() == b"ready\n"
        yield seen
        output, _ = observer.communicate()
    seen |= json.loads(output)


@pytest.mark.timeout(120 + 10 * PUSHES)
@pytest.mark.parametrize("killed", [False, True])
def test_readers_see_whole_revisions_whatever_is_killed(graders: Graders, killed: bool) -> None:
    here = graders.here
    seed = random.randrange(1_000_000)
    dice = random.Random(seed)
    server = here.start()
    here.run("sync", "--update", "--wait", "graders")
    kills, last_seconds = 0, 0.2
    with observed(graders.link) as seen:
        for number in range(PUSHES):
            began = time.monotonic()
            revision = graders.push(f"{number}")
            if killed and number % KILL_EVERY == 0:
                # At any moment of an attempt, which the one before tells the length of.
                wait_until(here.running_attempts, what="a running attempt")
                time.sleep(dice.uniform(0, last_seconds))  # the moment is the input
                here.kill(server, tree=True)
                kills += 1
                server = here.start()
            wait_until(partial(graders.serves, revision), what=revision)
            if not killed or number % KILL_EVERY:
                last_seconds = time.monotonic() - began
        here.settle()
    print(f"\nseed {seed}: {PUSHES} revisions published, {kills} kills: {seen}")
    assert seen["reads"] > 100 * PUSHES
    assert (seen["mixed"], seen["missing"]) == (0, 0)
    left = {each.name for each in (graders.link.parent / ".graders.revisions").iterdir()}
    trees = {name for name in left if REVISION.fullmatch(name)} | {"next"}
    assert left == {*trees, *(f".{name}.index" for name in trees), ".lock"}


def test_back_and_held_until_released_also_over_a_restart(graders: Graders) -> None:
    here = graders.here
    server = here.start()
    first = graders.push("one")
    here.settle()
    second = graders.push("two")
    here.settle()
    assert graders.served() == second

    said = here.run("rollback", "graders")
    assert said == (
        f"graders serves {first[:12]} now (before: {second[:12]}), and is held at it; pushes wait "
        "until `gitreload release graders`\n"
    )
    assert graders.reads() == "one"
    graders.push("three")
    fixed = graders.push("four")
    assert here.queue() == []
    here.stop(server)
    server = here.start()
    # Another checkout's job is done all the while: the workers work.
    other = here.course("other")
    here.deliver(other, route="/update")
    wait_until(lambda: here.jobs("--checkout", "other", "--state", "succeeded"))
    [waiting] = here.jobs("--state", "queued")
    assert waiting["held"]
    assert graders.reads() == "one"
    [listed] = [each for each in json.loads(here.run("list", "--json")) if each["held"]]
    assert (listed["directory"], listed["served"]) == ("graders", first)

    said = here.run("release", "graders")
    assert said == f"graders is released, and job {waiting['id']}, its update, can run\n"
    wait_until(lambda: graders.served() == fixed)
    here.settle()
    [done] = [each for each in here.jobs() if each["id"] == waiting["id"]]
    assert done["state"] == "succeeded"
    assert len([each for each in here.jobs() if each["directory"] == "graders"]) == 3


def test_held_by_the_configuration_until_that_is_read_again(graders: Graders) -> None:
    here = graders.here
    here.write_config(REPOS={"graders": {"PUBLISH": True, "HOLD": True}})
    server = here.start()
    graders.push("one")
    last = graders.push("two")
    assert here.queue() == []
    [waiting] = here.jobs("--state", "queued")
    assert waiting["held"]
    [listed] = json.loads(here.run("list", "--json"))
    assert listed["held"]
    why = "graders is held by REPOS.graders.HOLD: take that out and send the server SIGHUP"
    assert why in here.run("release", "graders")
    # Another checkout's job is done all the while: the workers work.
    here.deliver(here.course("other"), route="/update")
    wait_until(lambda: here.jobs("--checkout", "other", "--state", "succeeded"))
    assert not graders.link.is_symlink()

    here.write_config(REPOS={"graders": {"PUBLISH": True}})
    server.send_signal(signal.SIGHUP)
    wait_until(graders.link.is_symlink)
    here.settle()
    assert graders.served() == last
    [done] = here.jobs("--checkout", "graders")
    assert (done["id"], done["state"], done["held"]) == (waiting["id"], "succeeded", False)


def test_a_command_may_refuse_what_is_pushed(graders: Graders) -> None:
    here = graders.here
    check = here.folder / "check"
    check.write_text(
        "#!/bin/sh\ntest -e .git && exit 9\n"
        'echo "$GITRELOAD_JOB_CHECKOUT: $GITRELOAD_JOB_PREVIOUS"\n! grep -q wrong grader.py\n'
    )
    check.chmod(0o755)
    here.write_config(REPOS={"graders": {"PUBLISH": True, "VALIDATE": [str(check)]}})
    here.start()
    good = graders.push("good")
    here.settle()
    graders.push("wrong")
    here.settle()
    assert graders.served() == good
    [failed] = here.jobs("--state", "failed")
    assert failed["error"].endswith(f"exit code 1: graders: {good}")
    better = graders.push("better")
    here.settle()
    assert graders.served() == better
