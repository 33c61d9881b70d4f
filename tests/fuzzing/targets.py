"""What is fuzzed: each target's promise, and inputs to begin with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fuzzing import courses, deliveries, parsers, routes

CORPUS = Path(__file__).with_name("corpus")


@dataclass(frozen=True)
class Target:
    """`check` raises where the bytes break its promise."""

    name: str
    check: Callable[[bytes], None]
    seeds: Sequence[bytes]

    @property
    def corpus(self) -> Path:
        return CORPUS / self.name

    def kept(self) -> list[bytes]:
        """The inputs of the corpus, in a fixed order."""
        return [path.read_bytes() for path in sorted(self.corpus.glob("*"))]


TARGETS = {
    target.name: target
    for target in (
        Target("genuine", deliveries.genuine, deliveries.seeds()),
        Target("forged", deliveries.forged, deliveries.forged_seeds()),
        Target("routes", routes.request, routes.seeds()),
        Target("form", parsers.form, parsers.form_seeds()),
        Target("url", parsers.url, parsers.URLS),
        Target("json-path", parsers.json_path, parsers.PATHS),
        Target("git-config", parsers.git_config, parsers.GIT_CONFIGS),
        Target("head", parsers.head, parsers.HEADS),
        Target("configuration", parsers.configuration, parsers.CONFIGS),
        Target("proxies", parsers.proxies, parsers.PROXIES),
        Target("credentials", parsers.credentials, parsers.CREDENTIALS),
        Target("log", parsers.log, parsers.LOGS),
        Target("document", courses.document, courses.DOCUMENTS),
        Target("course", courses.course, courses.COURSES),
    )
}
