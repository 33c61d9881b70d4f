"""The parser against git itself: what it reads is what git reads, or it does not read it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitreload.checkouts.gitconfig import Config, NotUnderstoodError, Setting, parse

# What a value may hold; git ends strings at NUL.
TEXT = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
VALUES = st.text(TEXT, max_size=20)
SUBSECTIONS = st.text(
    st.characters(exclude_characters="\0\n", exclude_categories=["Cs"]), max_size=12
)
NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,8}", fullmatch=True)
SECTIONS = st.from_regex(r"[A-Za-z0-9-]{1,8}(\.[A-Za-z0-9-]{1,4})?", fullmatch=True)
BARE = st.from_regex(r"[^\s\"\\#;\0]{1,6}( +[^\s\"\\#;\0]{1,6})?", fullmatch=True, alphabet=TEXT)
BLANK = st.sampled_from(["", " ", "\t", "  "])
LINE_END = st.sampled_from(["\n", "\r\n", "\n\n", " # comment\n", "\t; [no] = section\n"])

# Pieces that mean something to the parser, to be put together in any order.
PIECES = st.sampled_from(
    [
        *'[]"\\=#; \t\n\r.-aB1é',
        "\\\n",
        "\\n",
        '\\"',
        "[a]",
        '[a "b"]',
        '[A.b "C\\"d"]',
        "k = v\n",
        'k = "v # w" x\n',
        "flag\n",
        "\ufeff",
        "\0",
    ]
)


def git_reads(data: bytes, folder: Path) -> list[Setting] | None:
    """What git lists for a file with this content; None where it refuses it."""
    file = folder / "config"
    file.write_bytes(data)
    argv = ["git", "config", "--file", str(file), "--no-includes", "--list", "-z"]
    done = subprocess.run(argv, capture_output=True, check=False)
    if done.returncode != 0:
        return None
    text = done.stdout.decode("utf-8", "surrogateescape")
    parts = [line.partition("\n") for line in text.split("\0")[:-1]]
    return [(key, value if newline else None) for key, newline, value in parts]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("config")


def quoted(text: str) -> str:
    for plain, escape in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\b", "\\b")):
        text = text.replace(plain, escape)
    return f'"{text}"'


@st.composite
def values(draw: st.DrawFn) -> str:
    """A value as somebody may write it: bare, quoted in parts, over several lines."""
    parts = draw(st.lists(VALUES, max_size=3))
    written = [quoted(part) if draw(st.booleans()) else draw(BARE) for part in parts]
    return draw(st.sampled_from(["", " ", "\\\n", " \\\n  "])).join(written)


@st.composite
def files(draw: st.DrawFn) -> str:
    """A configuration file in all the ways one may be written."""
    text = draw(st.sampled_from(["", "\ufeff", "# first\n"]))
    for _ in range(draw(st.integers(0, 3))):
        subsection = draw(st.none() | SUBSECTIONS)
        text += draw(BLANK) + f"[{draw(SECTIONS)}"
        if subsection is not None:
            escaped = subsection.replace("\\", "\\\\").replace('"', '\\"')
            text += f' "{escaped}"'
        text += "]" + draw(LINE_END | BLANK)
        for _ in range(draw(st.integers(0, 3))):
            text += draw(BLANK) + draw(NAMES) + draw(BLANK)
            value = draw(st.none() | values())
            flag = draw(st.sampled_from(["\n", "\r\n"]))
            text += flag if value is None else f"={draw(BLANK)}{value}{draw(LINE_END)}"
    return text


@settings(max_examples=40)  # each starts git
@given(text=files())
def test_any_way_of_writing_is_read_as_git_reads_it(text: str, folder: Path) -> None:
    data = text.encode()
    read = git_reads(data, folder)
    try:
        assert parse(data) == read
    except NotUnderstoodError:
        assert read is None


@settings(max_examples=60)
@given(data=st.lists(PIECES).map(lambda pieces: "".join(pieces).encode()))
def test_what_is_read_at_all_is_read_as_git_reads_it(data: bytes, folder: Path) -> None:
    try:
        mine = parse(data)
    except NotUnderstoodError:
        return
    assert mine == git_reads(data, folder)


@settings(max_examples=60)
@given(data=st.binary(max_size=60).map(lambda rest: b"[a]\nk = " + rest))
def test_bytes_that_are_no_text_are_read_as_git_reads_them(data: bytes, folder: Path) -> None:
    try:
        mine = parse(data)
    except NotUnderstoodError:
        return
    assert mine == git_reads(data, folder)


@settings(max_examples=40)
@given(subsection=SUBSECTIONS, value=VALUES)
def test_what_git_writes_is_read(subsection: str, value: str, folder: Path) -> None:
    file = folder / "written"
    file.unlink(missing_ok=True)
    key = f"url.{subsection}.insteadOf"
    subprocess.run(["git", "config", "--file", str(file), key, value], check=True)
    assert parse(file.read_bytes()) == [(f"url.{subsection}.insteadof", value)]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ("", False),
        ("bare\n", True),
        ("bare =\n", False),
        ("bare = TRUE\n", True),
        ("bare = on\n", True),
        ("bare = 2\n", True),
        ("bare = 0\n", False),
        ("bare = no\n", False),
        ("bare = true\nbare = false\n", False),
    ],
)
def test_truth(values: str, expected: bool) -> None:
    assert Config(parse(f"[core]\n{values}".encode())).on("core.bare") is expected


def test_first_and_last_value() -> None:
    config = Config(parse(b'[remote "Origin"]\n URL = a\n[REMOTE "Origin"]\n url = b\n'))
    assert config.first("remote.Origin.url") == "a"
    assert config.last("remote.Origin.url") == "b"
    assert config.first("remote.origin.url") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[include]\npath = x\n", True),
        ('[includeIf "gitdir:/x"]\npath = x\n', True),
        ("[extensions]\nrefStorage = reftable\n", True),
        ("[extensions]\nrefStorage = files\n", False),
        ("[extensions]\nworktreeConfig = true\n", True),
        ("[extensions]\nworktreeConfig = false\n", False),
        ("[core]\nbare = false\n", False),
    ],
)
def test_what_rests_on_more_than_the_file(text: str, expected: bool) -> None:
    assert Config(parse(text.encode())).rests_on_more is expected
