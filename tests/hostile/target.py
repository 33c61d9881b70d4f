"""A running server below one folder, and what must hold after every attack."""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from e2e.deployment import Deployment
from helpers import Remote, git
from hostile.cases import (
    ALL_SECRETS,
    COURSE,
    NEXT_SECRET,
    OTHER_SECRET,
    PASSWORD,
    SECRET,
    SIGNING,
    Case,
    Place,
)
from hostile.slow import SlowClients
from hostile.wire import Reply, exchange

# What one attack may add to the server's memory: the greatest body that is taken, whole and in
# pieces, and what parsing it takes.
MEMORY_BOUND = 96 * 1024 * 1024
LOG_BOUND = 16 * 1024  # bytes that one attack may add to the log
TEXT_BOUND = 8 * 1024  # characters of any text that the ledger keeps of a delivery
FIELDS = {"msg", "outcome", "delivery", "jobs"}
OTHER = "https://github.com/Org/other"
HOSTILE_BRANCHES = ("$(touch${IFS}PWNED)", "--upload-pack=touch${IFS}PWNED")


class Target:
    def __init__(self, here: Deployment) -> None:
        self._here = here
        self._process = here.start()
        self._status = Path(f"/proc/{self._process.pid}/status")
        self._files = self._outside()
        self.slow = SlowClients(here.port)
        self._logged = 0
        token = (here.state_dir / "token").read_text().strip()
        remote = here.folder / "forge" / "course.git"
        self.place = Place(
            url=f"file://{remote}",
            outside=f"file://{here.folder / 'forge' / 'outside.git'}",
            token=token,
        )

    @property
    def port(self) -> int:
        return self._here.port

    def attack(self, case: Case) -> list[Reply]:
        """The replies to a case, after looking at all that it must not have done."""
        with self.watched():
            return exchange(self.port, case.send(self.place))

    def attack_together(self, cases: Sequence[Case]) -> dict[str, list[Reply]]:
        """The replies to many cases at once, by their names: each may wait for a look."""

        def one(case: Case) -> list[Reply]:
            return exchange(self.port, case.send(self.place))

        with self.watched(len(cases)), ThreadPoolExecutor(24) as threads:
            return dict(zip(map(str, cases), threads.map(one, cases), strict=True))

    @contextlib.contextmanager
    def watched(self, times: int = 1, memory: int = MEMORY_BOUND) -> Iterator[None]:
        """What goes on must leave the server as it was. It is `times` attacks that may log."""
        Path(f"/proc/{self._process.pid}/clear_refs").write_text("5")  # the peak starts anew
        before = self._memory("VmRSS")
        yield
        assert self._memory("VmHWM") - before < memory
        assert self._process.poll() is None
        self._look_at_log(LOG_BOUND * times)
        assert self._outside() == self._files

    def check_at_the_end(self) -> None:
        """After all of them it still works, and every checkout is at its remote's tip."""
        assert self._here.get("/healthz").status == 200
        for folder in self._here.repodir.iterdir():
            assert git("status", "--porcelain", cwd=folder) == ""
            branch = git("branch", "--show-current", cwd=folder)
            tip = git("ls-remote", "origin", f"refs/heads/{branch}", cwd=folder)
            assert tip.split()[0] == git("rev-parse", "HEAD", cwd=folder)
        assert self._jobs_of_all() <= {"course", "other", "staging", "dollar", "dashes"}

    def _memory(self, field: str) -> int:
        found = re.search(rf"^{field}:\s+(\d+) kB$", self._status.read_text(), re.MULTILINE)
        assert found is not None
        return int(found[1]) * 1024

    def _look_at_log(self, most: int) -> None:
        with self._here.log.open("rb") as log:
            log.seek(self._logged)
            new = log.read()
        self._logged += len(new)
        assert len(new) <= most, new[:2000]
        text = new.decode()
        assert "Traceback" not in text, text
        for secret in ALL_SECRETS:
            assert secret not in new, text
        acting = [
            char for char in text if char != "\n" and unicodedata.category(char) in ("Cc", "Cf")
        ]
        assert not acting, text
        for line in text.splitlines():
            assert re.match(r"\d{4}-\d\d-\d\dT", line), f"a line that is not ours: {line!r}"

    def _jobs_of_all(self) -> set[str]:
        query = "SELECT DISTINCT directory FROM jobs JOIN checkouts ON checkouts.id = checkout_id"
        with self._ledger() as ledger:
            return {row[0] for row in ledger.execute(query)}

    @contextlib.contextmanager
    def _ledger(self) -> Iterator[sqlite3.Connection]:
        path = self._here.state_dir / "ledger.sqlite3"
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            yield connection

    def jobs(self, replies: Iterable[Reply]) -> frozenset[str]:
        """The directories for which the answered deliveries made jobs."""
        reached: set[str] = set()
        for reply in replies:
            number = reply.json.get("delivery") if reply.body.startswith(b'{"msg"') else None
            if number is not None:
                reached |= self._reached(number)
        return frozenset(reached)

    def deliveries(self) -> int:
        """How many were recorded."""
        with self._ledger() as ledger:
            return int(ledger.execute("SELECT count(*) FROM deliveries").fetchone()[0])

    def _reached(self, delivery: int) -> set[str]:
        query = (
            "SELECT directory, job_deliveries.* FROM job_deliveries"
            " JOIN jobs ON jobs.id = job_id JOIN checkouts ON checkouts.id = checkout_id"
            " WHERE delivery_id = ?"
        )
        with self._ledger() as ledger:
            linked = ledger.execute(query, (delivery,)).fetchall()
            kept = ledger.execute("SELECT * FROM deliveries WHERE id = ?", (delivery,)).fetchall()
        texts = [value for row in [*linked, *kept] for value in row if isinstance(value, str)]
        assert max(map(len, texts)) <= TEXT_BOUND
        return {row[0] for row in linked}

    def _outside(self) -> frozenset[str]:
        """All files that are neither git's own, nor in STATE_DIR."""
        found = set()
        for folder, directories, files in os.walk(self._here.folder):
            if Path(folder) == self._here.folder:
                directories.remove("state")
            if ".git" in directories:
                directories.remove(".git")
            found |= {f"{folder}/{name}" for name in [*directories, *files]}
        return frozenset(found)


def lay_out(here: Deployment) -> None:
    """Two repositories with checkouts, one of them twice, one without, and strange branches."""
    remote = Remote(here.folder / "forge", "course")
    remote.commit({"README.md": "first\n"}, "first")
    remote.commit({"draft.md": "draft\n"}, "draft", branch="draft")
    for branch in HOSTILE_BRANCHES:
        ref = f"refs/heads/{branch}"
        git("push", "-q", "origin", f"main:{ref}", cwd=remote.work)
    remote.clone(here.repodir / "course")
    remote.clone(here.repodir / "staging", "-b", "draft")
    for name, branch in zip(("dollar", "dashes"), HOSTILE_BRANCHES, strict=True):
        folder = remote.clone(here.repodir / name)
        git("symbolic-ref", "HEAD", f"refs/heads/{branch}", cwd=folder)
        git("reset", "-q", "--hard", f"origin/{branch}", cwd=folder)
    other = Remote(here.folder / "forge", "other")
    other.commit({"README.md": "other\n"}, "first")
    other.clone(here.repodir / "other")
    outside = Remote(here.folder / "forge", "outside")
    outside.commit({"README.md": "outside\n"}, "first")
    (here.folder / "next-secret").write_bytes(NEXT_SECRET + b"\n")
    here.write_config(
        WEBHOOK_SECRETS=[
            SECRET.decode(),
            {"FILE": str(here.folder / "next-secret")},
            SIGNING.decode(),
        ],
        REPOS={"course": {"REMOTES": [COURSE]}, "other": {"REMOTES": [OTHER]}},
    )


def close_up(here: Deployment) -> None:
    """All that limits who may send, as `hostile.strangers` describes it."""
    here.write_config(
        WEBHOOK_SECRETS=[SECRET.decode()],
        BASIC_AUTH={"ada": PASSWORD.decode()},
        TRUSTED_PROXIES=["127.0.0.1"],
        ALLOW_FROM=["192.0.2.0/24"],
        REPOS={
            "course": {"REMOTES": [COURSE]},
            "other": {"REMOTES": [OTHER], "SECRETS": [OTHER_SECRET.decode()]},
            "staging": {"FORGE": "gitlab"},
        },
    )
