"""A storm: very many pushes to one checkout during one import must not make very many imports."""

from __future__ import annotations

import time
from pathlib import Path

from benchmarks import deliveries, servers
from benchmarks.deliveries import send_all
from benchmarks.fake_platform import Platform
from benchmarks.repos import COURSE, Remote
from benchmarks.servers import wait_until
from benchmarks.table import Row, Section, seconds

NEEDS = ()
GOAL = 3
IMPORT_SECONDS = 0.5
CONNECTIONS = 16


def measure(scratch: Path, *, quick: bool) -> Section:
    number = 200 if quick else 1000
    remote = Remote(scratch / "forge", COURSE)
    remote.clone(scratch / "repos/course")
    revisions = remote.commit_many(number)
    pushes = [deliveries.push(remote.url, revision) for revision in revisions]
    platform = Platform(scratch / "platform", IMPORT_SECONDS)
    with servers.gitreload(scratch / "gitreload", scratch / "repos", **platform.settings) as server:
        send_all(server.port, "/gitreload", [deliveries.push(remote.url, remote.first)], 1)
        wait_until(lambda: bool(platform.imports()), "the first import", 30)
        remote.push()
        began = time.perf_counter()
        send_all(server.port, "/gitreload", pushes, CONNECTIONS)
        took = time.perf_counter() - began
        server.wait_idle()
    imports = platform.imports()
    at_tip = imports[-1] == revisions[-1]
    return Section(
        "Storm",
        (
            Row(
                f"imports for {number + 1:,} pushes",
                str(len(imports)),
                goal=f"≤ {GOAL}",
                met=len(imports) <= GOAL,
            ),
            Row(
                "revision of the last import",
                "the tip" if at_tip else imports[-1],
                goal="the tip",
                met=at_tip,
            ),
            Row("all of them acknowledged after", seconds(took)),
        ),
        f"One push starts an import of {IMPORT_SECONDS:g} s; while it runs, {number:,} commits "
        f"are pushed and each is announced by a delivery, over {CONNECTIONS} connections.",
    )
