"""The words that tell why, out of what Python, Django and argparse really write."""

from __future__ import annotations

import importlib
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitreload.importers.tracebacks import reason

etree = importlib.import_module("lxml.etree")  # it has no types

LOG = "2026-11-24 18:30:01,123 INFO 71 [xmodule] xml.py:61 - Course import None: Starting"


def written(fail: Callable[[], object]) -> str:
    """What Python writes of the exception that `fail` raises and nobody catches."""
    try:
        fail()
    except Exception as error:  # noqa: BLE001 (any of them)
        return "".join(traceback.format_exception(error))
    raise AssertionError("it did not fail")


def raising(text: str) -> Callable[[], object]:
    def fail() -> None:
        raise ValueError(text)

    return fail


def block_that_fails() -> None:
    try:
        int("ten")
    except ValueError as error:
        raise RuntimeError("cannot import: Deltas") from error


def while_handling() -> None:
    try:
        block_that_fails()
    except RuntimeError:
        raise KeyError("course")  # noqa: B904 (that is the case)


def told_again() -> None:
    try:
        raising("(2003, 'no server')")()
    except ValueError as error:
        raise RuntimeError("(2003, 'no server')") from error


def group_of(error: Exception) -> None:
    raise ExceptionGroup("all of it", [error])


def group() -> None:
    errors: list[Exception] = [KeyError("never raised")]
    for fail in block_that_fails, lambda: open("/none"):  # noqa: PTH123, SIM115
        try:
            fail()
        except (RuntimeError, OSError) as error:
            errors.append(error)
    raise ExceptionGroup("two blocks failed", errors)


def group_in_a_chain() -> None:
    try:
        group_of(ExceptionGroup("some", [ValueError("one")]))
    except ExceptionGroup as error:
        raise RuntimeError("gave up") from error


@pytest.mark.parametrize(
    ("fail", "expected"),
    [
        (raising("wrong"), "ValueError: wrong"),
        (raising(""), "ValueError"),
        (raising("first\n  second\n\nfar below"), "ValueError: first second"),
        (raising("\nbelow"), "ValueError: below"),
        (raising("\n".join("123456")), "ValueError: 1 2 3 4"),
        (
            block_that_fails,
            (
                "RuntimeError: cannot import: Deltas (caused by ValueError: invalid literal "
                "for int() with base 10: 'ten')"
            ),
        ),
        (
            while_handling,
            (
                "KeyError: 'course' (caused by ValueError: invalid literal for int() with base 10: "
                "'ten')"
            ),
        ),
        (told_again, "RuntimeError: (2003, 'no server')"),
        (
            group,
            (
                "ExceptionGroup: two blocks failed (3 sub-exceptions): KeyError: 'never raised'; "
                "RuntimeError: cannot import: Deltas (caused by ValueError: invalid literal "
                "for int() with base 10: 'ten'); FileNotFoundError: [Errno 2] No such file or "
                "directory: '/none'"
            ),
        ),
        (
            group_in_a_chain,
            (
                "RuntimeError: gave up (caused by ExceptionGroup: all of it (1 sub-exception): "
                "ExceptionGroup: some (1 sub-exception); ValueError: one)"
            ),
        ),
        (
            lambda: compile("x = (", "grader.py", "exec"),
            ("SyntaxError: '(' was never closed (in grader.py, line 1)"),
        ),
        (
            lambda: etree.fromstring("<a><b></a>"),
            (
                "lxml.etree.XMLSyntaxError: Opening and ending "
                "tag mismatch: b line 1 and a, line 1, column 11"
            ),
        ),
    ],
)
def test_an_exception_that_nobody_caught(fail: Callable[[], object], expected: str) -> None:
    output = written(fail)
    assert reason(output) == expected
    assert reason(f"{LOG}\n{output}\n{LOG}\n\n") == expected


def test_broken_xml_in_a_file_is_told_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "course.xml"
    file.write_text("<course>\n<chapter>\n</course>")
    assert reason(written(lambda: etree.parse(file))).endswith(f" (in {file}, line 3)")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["CommandError: git clone or pull failed!"], "CommandError: git clone or pull failed!"),
        (
            ["usage: manage.py import [-h]", "manage.py import: error: unknown: -x"],
            "manage.py import: error: unknown: -x",
        ),
        (
            [
                *("SystemCheckError: System check identified some issues:", "", "ERRORS:"),
                *("?: (mysql.E001) MySQL away", "\tHINT: start it", ""),
            ],
            (
                "SystemCheckError: System check identified some issues: ERRORS: ?: (mysql.E001) "
                "MySQL away HINT: start it"
            ),
        ),
        (["one", "last words", ""], "last words"),
        ([], "it said nothing"),
        ([written(raising("survived")) + "CommandError: died"], "CommandError: died"),
        (["CommandError: caught", written(raising("died"))], "ValueError: died"),
        (
            [written(raising("died")), "Exception ignored in: <_io>", written(raising("late"))],
            "ValueError: died",
        ),
        (["--- Logging error ---", written(raising("alone"))], "ValueError: alone"),
        (
            [
                written(raising("died")).rstrip(),
                *("Sentry is attempting to send 2 pending events", "Waiting up to 2 seconds"),
            ],
            "ValueError: died",
        ),
        (
            ["Traceback (most recent call last):", '  File "x", line 1'],
            ("Traceback (most recent call last):"),
        ),
        # Python 2.7 tells no causes.
        (
            [
                "Traceback (most recent call last):",
                '  File "manage.py", line 12, in <module>',
                "    main()",
                "UnicodeEncodeError: 'ascii' codec can't encode",
            ],
            "UnicodeEncodeError: 'ascii' codec can't encode",
        ),
    ],
)
def test_what_counts_of_many_words(lines: list[str], expected: str) -> None:
    assert reason("\n".join(lines)) == expected


pieces = st.sampled_from(
    [
        *("Traceback (most recent call last):", "  + Exception Group Traceback (most recent call "),
        *("  + Exception Group Traceback (most recent call last):", "  | ", "ValueError: x", ""),
        *("    +---------------- 2 ----------------", "  +-+---------------- 1 ----------------"),
        *("    +------------------------------------", "CommandError: x", "    | KeyError: 'x'"),
        "The above exception was the direct cause of the following exception:",
        "  | During handling of the above exception, another exception occurred:",
    ]
)


@given(st.lists(pieces | st.text(max_size=20), max_size=12))
def test_anything_has_a_reason(lines: list[str]) -> None:
    assert reason("\n".join(lines)).strip()
