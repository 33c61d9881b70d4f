"""The signals of the modulestore."""

from __future__ import annotations

from django.dispatch import Signal


def modulestore() -> None:
    """The plugin's command asks only of what type it is."""


class SignalHandler:
    course_published = Signal()
