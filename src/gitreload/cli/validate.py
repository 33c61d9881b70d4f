"""`gitreload validate`: whether courses can be imported, for authors and for their CI."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gitreload.cli import output
from gitreload.cli.arguments import one_of
from gitreload.cli.errors import FAILED, UsageError
from gitreload.cli.output import Json, note, say
from gitreload.cli.state import load_settings

if TYPE_CHECKING:
    from gitreload.olx import Finding, Report


class Format(StrEnum):
    """How findings are printed."""

    TEXT = "text"
    GITHUB = "github"


@dataclass(frozen=True, slots=True)
class _Subject:
    """What is examined: a directory, called `name`, and what is known of the courses in it.

    `built` tells that BUILD makes of it what is imported.
    """

    name: str
    folder: Path
    roots: tuple[str, ...]
    course_key: str | None
    built: bool = False


def validate(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH",
            help="Checkouts below REPODIR, or any directories with courses in OLX.",
        ),
    ],
    subdir: Annotated[
        list[str] | None,
        typer.Option(metavar="DIR", help="Where a course is in there; may be repeated."),
    ] = None,
    course_key: Annotated[
        str | None, typer.Option(metavar="KEY", help="The key that the course has to have.")
    ] = None,
    as_json: Json = False,
    form: Annotated[
        Format,
        typer.Option(
            "--format",
            metavar="text|github",
            parser=one_of(Format),
            help="How to print findings; `github` makes annotations of them in GitHub Actions.",
        ),
    ] = Format.TEXT,
) -> None:
    """Look for what would keep a course from being imported.

    It needs no platform, changes nothing, and exits with 1 where something is wrong.
    """
    from gitreload.olx import examine

    subjects = [_subject(path, tuple(subdir or ()), course_key) for path in paths]
    reports = []
    for subject in subjects:
        report = _advised(subject, examine(subject.folder, subject.roots, subject.course_key))
        reports.append(report)
        if not as_json:
            _print(subject, report, form)
    if as_json:
        output.print_json([*map(_data, subjects, reports)])
    if any(report.errors for report in reports):
        raise typer.Exit(FAILED)


def _subject(path: str, roots: tuple[str, ...], course_key: str | None) -> _Subject:
    """A checkout by its name, or any directory; one that is a checkout has its settings."""
    settings = load_settings()
    named = settings.repodir / path
    folder = named if _is_there(named) and not path.startswith(".") else Path(path)
    if not _is_there(folder):
        raise UsageError(
            f"there is no directory {path}, here or below REPODIR, {settings.repodir}; give the "
            "path of a course's repository"
        )
    directory = os.path.relpath(os.path.realpath(folder), os.path.realpath(settings.repodir))
    repo = settings.repo(directory)
    key = course_key or repo.course_key
    return _Subject(path, folder, roots or repo.subdir, key, built=repo.build is not None)


def _is_there(folder: Path) -> bool:
    return os.path.isdir(folder)  # noqa: PTH112 (no raise where it may not be looked into)


def _advised(subject: _Subject, report: Report) -> Report:
    """With what else may be said, which keeps nothing from being imported."""
    from gitreload.olx.advice import advice
    from gitreload.process import Runner

    if report.errors:
        return report
    roots = [course.root for course in report.courses]
    said = advice(subject.folder, roots, Runner(log=lambda _: None))
    return replace(report, findings=(*report.findings, *said))


def _print(subject: _Subject, report: Report, form: Format) -> None:
    for finding in report.findings:
        # As seen from here, where whoever reads it is.
        file = os.path.normpath(os.path.join(subject.name, finding.file))  # noqa: PTH118
        here = replace(finding, file=file)
        say(_annotation(here) if form is Format.GITHUB else _line(here))
    errors = len(report.errors)
    for course in report.courses:
        if not errors:
            where = "" if course.root == "." else f" in {course.root}"
            say(f"{subject.name}: {course.key}{where} can be imported")
    if errors:
        note(f"{subject.name}: {errors} {'error' if errors == 1 else 'errors'}")
    for remark in _remarks(subject, report):
        note(f"{subject.name}: {remark}")


def _remarks(subject: _Subject, report: Report) -> Iterator[str]:
    if subject.built:
        yield "BUILD makes of this what is imported: give the path of its result to examine that"
    for course in report.courses:
        if course.root != ".":
            yield (
                f"the course is in {course.root}: the importer git_add_course takes only one at "
                "the top of its repository, all others take this one too"
            )


def _line(finding: Finding) -> str:
    if finding.level == "error":
        return str(finding)
    return str(replace(finding, message=f"{finding.level}: {finding.message}"))


_COMMANDS = {"error": "error", "warning": "warning", "advice": "notice"}


def _annotation(finding: Finding) -> str:
    """The workflow command that shows `finding` beside its line in a pull request.

    https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands; what has
    to be escaped is in packages/core/src/command.ts of https://github.com/actions/toolkit.
    """
    places = {"file": finding.file, "line": finding.line, "col": finding.column}
    properties = ",".join(
        f"{name}={_escaped(str(value), _IN_PROPERTIES)}"
        for name, value in places.items()
        if value is not None
    )
    message = _escaped(finding.message, _IN_MESSAGES)
    return f"::{_COMMANDS[finding.level]} {properties}::{message}"


_IN_MESSAGES = "%\r\n"
_IN_PROPERTIES = f"{_IN_MESSAGES}:,"


def _escaped(text: str, characters: Sequence[str]) -> str:
    return "".join(f"%{ord(each):02X}" if each in characters else each for each in text)


def _data(subject: _Subject, report: Report) -> dict[str, Any]:
    return {
        "path": subject.name,
        "ok": not report.errors,
        "courses": [
            {"root": course.root, "key": course.key, "blocks": len(course.identifiers)}
            for course in report.courses
        ],
        "findings": report.findings,
        "remarks": [*_remarks(subject, report)],
    }
