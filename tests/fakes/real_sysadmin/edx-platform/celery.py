"""Tasks, which the command calls as the functions that they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

F = TypeVar("F")


def shared_task() -> Callable[[F], F]:
    return lambda function: function
