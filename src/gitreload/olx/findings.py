"""Collects findings: each once, in the order of their places, and not without end."""

from __future__ import annotations

from dataclasses import replace

from gitreload.olx.report import Finding, Level
from gitreload.visible import visible

MOST = 1000


class Broken(Exception):  # noqa: N818 (what is wrong is the file, and a finding tells it)
    """A file that cannot be used, with why and what to do, and the place in it (from 1)."""

    def __init__(self, message: str, line: int | None = None, column: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.column = column

    def finding(self, file: str, level: Level = "error") -> Finding:
        """What is told of it."""
        return Finding(file, self.message, self.line, self.column, level)


class Findings:
    """What was found so far; beyond `MOST` it is only counted."""

    def __init__(self) -> None:
        self._found: set[Finding] = set()
        self._more = 0

    def add(self, finding: Finding) -> None:
        """Take a finding; what was found before is no other one."""
        finding = replace(finding, file=visible(finding.file), message=visible(finding.message))
        if len(self._found) < MOST:
            self._found.add(finding)
        elif finding not in self._found:
            self._more += 1

    def all(self) -> tuple[Finding, ...]:
        """Errors first, then by their places."""
        found = sorted(self._found, key=_order)
        if self._more:
            found.append(Finding(".", f"and {self._more} more findings"))
        return tuple(found)


def _order(finding: Finding) -> tuple[bool, str, int, int, str]:
    line, column = finding.line or 0, finding.column or 0
    return finding.level != "error", finding.file, line, column, finding.message
