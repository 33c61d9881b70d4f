"""Whatever somebody pushes: an examination ends, in little memory, and with findings."""

from __future__ import annotations

import importlib
import io
import os
import resource
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gitreload.olx import elements, examine, findings, tree
from gitreload.olx.findings import Broken

etree = importlib.import_module("lxml.etree")  # it has no types
KEY = 'org="a" course="b" url_name="c"'


def found(folder: Path) -> list[str]:
    return [str(finding) for finding in examine(folder).findings]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With a course that is empty."""
    (tmp_path / "course.xml").write_text(f"<course {KEY}/>")
    (tmp_path / "course").mkdir()
    (tmp_path / "course/c.xml").write_text("<course/>")
    return tmp_path


def chapter(folder: Path, content: str) -> list[str]:
    (folder / "course/c.xml").write_text(f"<course>\n{content}</course>")
    return found(folder)


class TestLimits:
    """Each far beyond what courses have; here they are lower."""

    def test_elements(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(elements, "_MOST", 100)
        monkeypatch.setattr(elements, "_MOST_KEPT", 50)
        assert not chapter(folder, "<html>" + "<p/>" * 90 + "</html>")
        assert chapter(folder, "<html>" + "<p/>" * 110 + "</html>") == [
            "course/c.xml:2:399: too many elements; divide the file"
        ]
        assert chapter(folder, "<wiki/>" * 60) == [
            "course/c.xml:2:344: too many elements; divide the file"
        ]

    def test_a_file(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (folder / "course/c.xml").write_text("<course>")
        with (folder / "course/c.xml").open("a") as file:
            file.write(" " * 2**20)
            file.write("</course>")
        monkeypatch.setattr(elements, "_LONGEST", 2**20)
        assert found(folder) == ["course/c.xml: longer than 1 MiB; divide it"]

    def test_a_tag(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(elements, "_LONGEST_TAG", 1_000_000)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        attributes = " ".join(f'a{number}=""' for number in range(500_000))
        assert chapter(folder, f"<wiki {attributes}/>") == [
            "course/c.xml:2:1: a tag longer than 1 MB; shorten it"
        ]
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert grown < 50_000  # KiB

    def test_a_policy(self, folder: Path) -> None:
        (folder / "policies").mkdir()
        (folder / "policies/a.json").write_text("[" + "[]," * 3_000_000)
        assert found(folder) == ["policies/a.json: longer than 8 MiB; divide it"]
        (folder / "policies/a.json").write_text('{"a": ' + "1" * 5000 + "}")
        assert found(folder) == ["policies/a.json: has a number of thousands of digits"]

    def test_a_page(self, folder: Path) -> None:
        (folder / "tabs").mkdir()
        with (folder / "tabs/a.html").open("w") as file:
            os.truncate(file.fileno(), 65 * 2**20)
        assert found(folder) == ["tabs/a.html: longer than 64 MiB; divide it"]

    def test_all_files(self, folder: Path) -> None:
        with (folder / "course/huge.xml").open("w") as file:
            os.truncate(file.fileno(), 2**40)
        (folder / "course/more.xml").write_text("<course/>")
        assert found(folder) == [
            f"course/{name}.xml: the files before it have 1 GiB, so it is not examined"
            for name in ("huge", "more")
        ]

    def test_how_many(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tree, "MOST", 50)
        for number in range(100):
            (folder / f"course/{number}.txt").touch()
        assert ".: more than 50 files; the rest is not examined" in found(folder)

    def test_findings(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(findings, "MOST", 10)
        told = chapter(folder, '<chapter url_name="a b"/>\n' * 30)
        assert len(told) == 11
        assert told[-1] == ".: and 20 more findings"

    def test_blocks_within_blocks(self, folder: Path) -> None:
        (folder / "wrapper").mkdir()
        for number in range(200):
            inner = f'<wrapper url_name="{number + 1}"/>'
            # Twice, and twice again: followed each time it would never end.
            (folder / f"wrapper/{number}.xml").write_text(f"<wrapper>{inner}{inner}</wrapper>")
        told = chapter(folder, '<wrapper url_name="0"/>')
        assert told == [
            "wrapper/98.xml:1:10: more than 100 blocks within each other; that leads nowhere"
        ]

    def test_directories_within_directories(self, folder: Path) -> None:
        deepest = "/".join(["d"] * 51)
        (folder / deepest / "d").mkdir(parents=True)
        assert found(folder) == [f"{deepest}: nested too deep to be examined; move it up"]


class TestNames:
    """Of files and blocks, which anybody may choose."""

    def test_they_cannot_break_a_line(self, folder: Path) -> None:
        (folder / "course/a\nb\x1b[2J\u202e.xml").write_text("")
        [finding] = found(folder)
        assert finding.startswith(r"course/a\nb\x1b[2J\u202e.xml:1:1: not XML")

    def test_they_need_not_be_text(self, folder: Path) -> None:
        Path(os.fsdecode(os.fsencode(folder) + b"/course/\xff.xml")).write_text("")
        [finding] = found(folder)
        assert finding.startswith(r"course/\udcff.xml:1:1: not XML")

    def test_long_ones_are_cut(self, folder: Path) -> None:
        [finding] = chapter(folder, f'<chapter url_name="{"a b" * 10_000}"/>')
        assert len(finding) < 400

    def test_a_url_name_never_leads_out(self, folder: Path, tmp_path: Path) -> None:
        (tmp_path.parent / "x.xml").write_text("<chapter/>")
        assert chapter(folder, '<chapter url_name="..:..:..:x"/>') == [
            "course/c.xml:2:1: chapter/../../../x.xml is not in the course; correct the name"
        ]
        assert chapter(folder, '<html url_name="a" filename="/etc/passwd"/>')[0].endswith(
            "which does not exist; add it, or correct the filename"
        )
        assert chapter(folder, '<html url_name="a" filename="../../x"/>') == [
            "course/c.xml:2:1: html/../../x.html is not in the course; correct the name"
        ]


def test_what_cannot_be_read_is_told(folder: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read anything")
    (folder / "course/c.xml").chmod(0)
    (folder / "static").mkdir(mode=0)
    assert found(folder) == [
        "course/c.xml: cannot be read: Permission denied",
        "static: cannot be read: Permission denied",
    ]


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    assert found(tmp_path / "none")[0] == ".: cannot be read: No such file or directory"


TAGS = [
    "<a>",
    "</a>",
    "<b x='1'>",
    "</b>",
    "<a/>",
    "<html>",
    "</html>",
    "<p:a/>",
    "<a xmlns:p='u'>",
]
TEXTS = [
    "&amp;",
    "&",
    "<",
    ">",
    "]]>",
    "<![CDATA[",
    "&#65;",
    "&#0;",
    "&x;",
    "\n",
    "é",
    "\ufeff",
    "\0",
]
OTHERS = [
    "<!-- c -->",
    "<!--",
    "--",
    "<?p i?>",
    '"',
    "\x85",
    "<!DOCTYPE a>",
    "<?xml version='1.0'?>",
]
MARKUP = st.lists(st.sampled_from([*TAGS, *TEXTS, *OTHERS])).map("".join)


def ours(data: bytes) -> str:
    try:
        elements.read(io.BytesIO(data))
    except Broken as broken:
        return broken.message
    return ""


def theirs(data: bytes) -> str:
    """As the platform reads a block (EDX_XML_PARSER in xmodule/xml_block.py)."""
    parser = etree.XMLParser(
        dtd_validation=False, load_dtd=False, remove_blank_text=True, encoding="utf-8"
    )
    try:
        etree.parse(io.BytesIO(data), parser=parser)
    except etree.XMLSyntaxError as error:
        return str(error) or "broken"
    return ""


@settings(max_examples=300)
@given(st.one_of(MARKUP.map(str.encode), MARKUP.map(lambda each: f"<a>{each}</a>".encode())))
@example(b"<a>" * 256 + b"</a>" * 256)
@example(b"<a>" * 257 + b"</a>" * 257)
@example("<a/>".encode("utf-16"))
@example(b'<a b="\xe9"/>')
def test_it_takes_what_the_platform_takes_and_nothing_else(data: bytes) -> None:
    assert bool(ours(data)) == bool(theirs(data)), (ours(data), theirs(data))


def test_a_dtd_adds_nothing_to_a_key() -> None:
    data = b'<!DOCTYPE course [<!ATTLIST course org CDATA "Other">]><course url_name="run"/>'
    theirs = etree.fromstring(data, etree.XMLParser(dtd_validation=False, load_dtd=False))
    assert elements.read(io.BytesIO(data)).root.attributes == dict(theirs.attrib)


def test_a_block_in_a_namespace_is_none(folder: Path) -> None:
    [told] = chapter(folder, '<chapter url_name="a" display_name="A" xmlns="x&#10;y"/>')
    assert told.startswith(r'course/c.xml:2:1: <chapter> is in the namespace "x\ny", where the ')
    assert examine(folder).courses[0].identifiers == {"course/c"}


def test_what_is_hidden_below_static_may_not_lead_out(folder: Path) -> None:
    for name in ("static/.hidden", ".venv"):
        (folder / name).mkdir(parents=True)
        (folder / name / "leak").symlink_to("/etc/passwd")
    [told] = found(folder)
    assert told.startswith("static/.hidden/leak: a link that leads out of the checkout; ")


@settings(max_examples=50)
@given(
    st.one_of(st.binary(), MARKUP.map(str.encode), MARKUP.map(lambda each: each.encode("utf-16")))
)
@example(b'<?xml version="1.0" encoding="utf-7"?><course/>')
@example(b'<?xml version="1.0" encoding="hex"?><course/>')
@example(b'<?xml version="1.0" encoding="utf-32"?><course/>')
def test_no_bytes_break_it(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.getbasetemp() / "bytes"
    (folder / "policies").mkdir(parents=True, exist_ok=True)
    (folder / "course.xml").write_text(f"<course {KEY}/>")
    for name in ("course/c.xml", "chapter/x.xml", "policies/x.json", "about/x.html"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    for finding in examine(folder).findings:
        assert (finding.line or 1) >= 1
        assert (finding.column or 1) >= 1
        assert len(str(finding).splitlines()) == 1
        assert str(finding).startswith(f"{finding.file}:")
    (folder / "course.xml").write_bytes(content)
    assert examine(folder).findings
