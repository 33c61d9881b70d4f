from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitreload.process import output
from gitreload.process.output import LONGEST_LINE, Lines, Output, Records, plain
from helpers import wait_until


def _shown(*chunks: bytes) -> list[str]:
    shown: list[str] = []
    lines = Lines(shown.append, plain)
    for chunk in chunks:
        lines.feed(chunk)
    lines.flush()
    return shown


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("plain\ttext", "plain\ttext"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text\x1b]8;;http://x\x1b\\link", "textlink"),
        ("\x1b(Bcharset\x1bc", "charset"),
        ("bell\x07 nul\x00 del\x7f c1\x9b", "bell nul del c1"),
        ("safe\u202ekcatta\u2066", "safekcatta"),
        ("windows\r", "windows"),
        ("10%\r50%\r100%, done.\r", "100%, done."),
    ],
)
def test_a_line_is_shown_without_what_acts_on_a_terminal(written: str, shown: str) -> None:
    assert plain(written) == shown


def test_lines_are_the_same_however_the_bytes_arrive() -> None:
    data = "één\r\n10%\r20%\rdone\nlast".encode()
    whole = _shown(data)
    assert whole == ["één", "done", "last"]
    assert _shown(*(data[i : i + 1] for i in range(len(data)))) == whole


def test_what_is_not_utf8_is_shown_replaced() -> None:
    assert _shown(b"caf\xe9\n\xff") == ["caf�", "�"]


def test_half_a_line_is_shown_after_a_while_but_progress_waits_for_its_end() -> None:
    shown: list[str] = []
    progress = Lines(shown.append, plain)
    progress.feed(b"10%\r")
    prompt = Lines(shown.append, plain)
    prompt.feed(b"Password: ")
    prompt.tick()
    assert shown == []

    def tick() -> bool:
        progress.tick()
        prompt.tick()
        return bool(shown)

    wait_until(tick, seconds=5)
    assert shown == ["Password: "]


def test_a_long_line_is_cut_but_never_through_a_secret() -> None:
    shown: list[str] = []
    lines = Lines(shown.append, lambda line: line.replace("hunter2-hunter2", "***"))
    text = "hunter2-hunter2." * 5000
    for start in range(0, len(text), 1000):
        lines.feed(text[start : start + 1000].encode())
    lines.flush()
    assert max(map(len, shown)) <= LONGEST_LINE
    assert "".join(shown) == "***." * 5000


def _output(*chunks: bytes) -> tuple[bytes, list[str]]:
    shown: list[str] = []
    collected = Output(Lines(shown.append, plain))
    for chunk in chunks:
        collected.feed(chunk)
    return collected.finish(), shown


@given(st.lists(st.binary(max_size=200)))
def test_what_fits_is_kept_as_it_is(chunks: list[bytes]) -> None:
    assert _output(*chunks)[0] == b"".join(chunks)


@given(
    sizes=st.lists(st.integers(1, 900), min_size=2, max_size=30),
    width=st.sampled_from([1, 7, 80, 900, 100_000]),
)
def test_too_much_keeps_head_and_tail_in_bounded_space(sizes: list[int], width: int) -> None:
    data = (b"x" * width + b"\n") * (sum(sizes) // (width + 1) + 1)
    chunks = [data[sum(sizes[:i]) : sum(sizes[: i + 1])] for i in range(len(sizes))]
    written = b"".join(chunks)
    sizes_of_ours = {"HEAD_BYTES": 4000, "TAIL_BYTES": 2000, "LONGEST_LINE": 300, "_HELD": 30}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in sizes_of_ours.items():
            patch.setattr(output, name, value)
        kept, shown = _output(*chunks)
    assert len(kept) <= 6000 + 60
    assert max((len(line) for line in shown if not line.startswith("[")), default=0) <= 300
    assert kept[:3700] == written[:3700]
    assert kept[-1700:] == written[-1700:]
    cut = len(written) > 6000
    assert any("left out here" in line for line in shown) is cut
    assert (kept == written) is not cut


def test_between_head_and_tail_no_half_line_shows() -> None:
    line = b"a line with a secret in it\n"
    kept, shown = _output(*([line * 1000] * 100))
    text = line.decode().strip()
    assert {line for line in shown if not line.startswith("[")} == {text}
    assert [line for line in kept.decode().splitlines() if line != text] == [
        line for line in shown if "left out" in line
    ]


def test_a_record_is_a_whole_line_of_bounded_length() -> None:
    taken: list[str] = []
    records = Records(taken.append, longest=10)
    for chunk in (b"one\ntw", b"o\n", b"x" * 11, b"\nthree\n", b"y" * 11 + b"\n", b"cut"):
        records.feed(chunk)
    assert taken == ["one", "two", "three"]
