"""What an import would take away from a course that learners are in.

Their state hangs on the course's key and on the identifiers of its blocks. Whatever of these an
import no longer has is lost to them, and no platform asks.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gitreload.ledger import KnownCourse
from gitreload.model import Job, PermanentError
from gitreload.olx.report import Course
from gitreload.visible import visible

_NAMED = 5


@dataclass(frozen=True, slots=True)
class Losses:
    """What was imported before and is not there any more.

    `keys` are of whole courses ("org/course/run"), `identifiers` the blocks ("category/url_name")
    that are lost of a course, by its key.
    """

    keys: tuple[str, ...]
    identifiers: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, known: Mapping[str, KnownCourse], courses: Sequence[Course]) -> Losses:
        """The losses of importing `courses` where `known` were imported from before."""
        now = {course.key: course.identifiers for course in courses}
        lost = {
            key: tuple(sorted(known[key].identifiers - now[key])) for key in known if key in now
        }
        return cls(
            tuple(sorted(known.keys() - now.keys())),
            {key: identifiers for key, identifiers in sorted(lost.items()) if identifiers},
        )

    def __bool__(self) -> bool:
        return bool(self.keys or self.identifiers)

    @property
    def digests(self) -> frozenset[str]:
        """One for each course that is gone or loses something; short hex."""
        told = [*((key, None) for key in self.keys), *self.identifiers.items()]
        return frozenset(
            hashlib.sha256(json.dumps(each).encode()).hexdigest()[:16] for each in told
        )

    def lines(self) -> list[str]:
        """All of them, a line each."""
        return [
            *(f"the course {key} is not in this checkout any more" for key in self.keys),
            *(
                f"{key} loses {visible(identifier)}"
                for key, lost in self.identifiers.items()
                for identifier in lost
            ),
        ]

    def __str__(self) -> str:
        """In short: how many, and the first ones."""
        parts = [f"the course {key} is gone" for key in self.keys]
        for key, lost in self.identifiers.items():
            named = ", ".join(visible(identifier) for identifier in lost[:_NAMED])
            more = f" and {len(lost) - _NAMED} more" if len(lost) > _NAMED else ""
            parts.append(f"{key} loses {named}{more}")
        return "; ".join(parts)


class GuardedError(PermanentError):
    """`GUARD` refuses an import, until somebody approves of the losses with these `digests`."""

    def __init__(self, job: Job, losses: Losses) -> None:
        self.digests = losses.digests
        super().__init__(
            f"GUARD refuses this import, as learners would lose their state: {losses}. Put the "
            f"url_names back, or import anyhow with: gitreload approve {job.id}"
        )
