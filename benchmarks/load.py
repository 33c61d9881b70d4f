"""`wrk` against a server: how many deliveries a second are acknowledged, and how fast."""

from __future__ import annotations

import json
import statistics
import subprocess
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.deliveries import Delivery
from benchmarks.errors import BenchError

CONNECTIONS = 64
SCRIPT = Path(__file__).with_name("push.lua")


@dataclass(frozen=True, slots=True)
class Load:
    """What one round of load brought. Latencies in milliseconds.

    `prefix` is how the ids of its deliveries begin, `acknowledged` how many got a 2xx.
    """

    prefix: str
    acknowledged: int
    rate: float
    p50: float
    p99: float


def run(url: str, delivery: Delivery, seconds: int, scratch: Path) -> Load:
    """One round; raises BenchError where a request was refused or a connection broke."""
    body = scratch / "body"
    body.write_bytes(delivery.body)
    prefix = str(uuid.uuid4())[:-12]
    headers = [part for field in delivery.headers.items() for part in field]
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "30s"]
    done = subprocess.run(
        [*command, "-s", str(SCRIPT), url, "--", str(body), prefix, *headers],
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(done.stdout.splitlines()[-1])
    if told["refused"] or told["broken"]:
        raise BenchError(
            f"{told['refused']} requests to {url} were refused, {told['broken']} got no answer"
        )
    return Load(
        prefix,
        told["requests"],
        told["requests"] / told["microseconds"] * 1e6,
        told["p50"] / 1000,
        told["p99"] / 1000,
    )


def median(rounds: Sequence[Load], figure: Callable[[Load], float]) -> float:
    return statistics.median(map(figure, rounds))
