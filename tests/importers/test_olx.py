"""What is read of a course's OLX, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gitreload.importers import olx
from gitreload.model import PermanentError


def refusal(folder: Path) -> str:
    with pytest.raises(PermanentError) as refused:
        olx.course_key(folder)
    return str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        '<course url_name="2026" org="Brook" course="Geo1"/>',
        '<?xml version="1.0"?>\n<!-- a comment -->\n<course org="Brook" course="Geo1" slug="2026">',
        '<course url_name="2026" org="Brook" course="Geo1"><chapter> & what follows is not read',
        '<!DOCTYPE course><course url_name="2026" org="Brook" course="Geo1"/>',
        '\ufeff<course\turl_name="2026"\norg="Brook" course="Geo1"></course>',
    ],
)
def test_the_key_comes_from_the_root_element(tmp_path: Path, text: str) -> None:
    (tmp_path / "course.xml").write_text(text)
    assert olx.course_key(tmp_path) == "Brook/Geo1/2026"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "course.xml:1:1: not XML: no element found"),
        ("<course", "course.xml:1:1: not XML: unclosed token"),
        ("\n <course org=Brook>", "course.xml:2:14: not XML: not well-formed (invalid token)"),
        ('\n  <moodle org="a"/>', "course.xml:2:3: the root element is <moodle>, it must be"),
        ('<course url_name="2026" course="Geo1"/>', "course.xml:1:1: <course> has no org; it"),
        ('<course org="" url_name="2026" course="Geo1"/>', "course.xml:1:1: <course> has no org"),
        ('<course org="a/b" url_name="r" course="c"/>', "org='a/b' cannot be part of a course key"),
        ('<course org="a&#10;" url_name="r" course="c"/>', r"org='a\n' cannot be part of"),
        (
            '<!DOCTYPE c [\n<!ENTITY o "Brook">]><course org="&o;" course="c" url_name="r"/>',
            "course.xml:2:12: declares an entity; write the text itself",
        ),
        ('<?xml version="1.0" encoding="nonsense"?><course/>', "write it in UTF-8"),
        ("<!-- " + 2**20 * "- " + "-->", "course.xml is longer than 1 MiB without an end"),
    ],
)
def test_what_names_no_course_is_refused_with_its_place(
    tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "course.xml").write_text(text)
    assert message in refusal(tmp_path)


def test_external_files_are_never_read(tmp_path: Path) -> None:
    (tmp_path / "org.dtd").write_text("this would not parse")
    text = '<!DOCTYPE c SYSTEM "org.dtd"><course org="a" course="b" url_name="c"/>'
    (tmp_path / "course.xml").write_text(text)
    assert olx.course_key(tmp_path) == "a/b/c"


def test_a_link_within_the_checkout_is_followed_and_no_other(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    (checkout / "2026").mkdir(parents=True)
    (checkout / "2026/course.xml").write_text('<course org="a" course="b" url_name="c"/>')
    (tmp_path / "secret.xml").write_text('<course org="x" course="y" url_name="z"/>')
    link = checkout / "course.xml"

    link.symlink_to("2026/course.xml")
    assert olx.course_key(checkout) == "a/b/c"

    for target in ("../secret.xml", str(tmp_path / "secret.xml"), "2026/../../secret.xml"):
        link.unlink()
        link.symlink_to(target)
        assert "leads out of the checkout" in refusal(checkout)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda _: None, "there is no course.xml in"),
        (os.mkdir, "course.xml is not a file"),
        (os.mkfifo, "course.xml is not a file"),
        (lambda path: path.symlink_to("gone.xml"), "there is no course.xml in"),
        (lambda path: path.symlink_to(path.name), "course.xml cannot be read: Too many levels"),
    ],
    ids=["missing", "directory", "pipe", "dangling link", "circular link"],
)
def test_what_is_no_file_is_refused(tmp_path: Path, make: object, message: str) -> None:
    assert callable(make)
    make(tmp_path / "course.xml")
    assert message in refusal(tmp_path)


@given(st.one_of(st.binary(), st.text().map(str.encode)))
@example(b'<?xml version="1.0" encoding="utf-7"?><course/>')
@example(b'<?xml version="1.0" encoding="hex"?><course/>')
@example(b'<?xml version="1.0" encoding="utf-32"?><course/>')
def test_no_bytes_break_it(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.mktemp("course", numbered=True)
    (folder / "course.xml").write_bytes(content)
    refusal(folder)


def test_asset_metadata_is_read_to_the_end(tmp_path: Path) -> None:
    olx.check_assets(tmp_path)
    (tmp_path / "assets").mkdir()
    file = tmp_path / "assets/assets.xml"

    file.write_text("<assets>\n<asset/></assets>\n")
    olx.check_assets(tmp_path)

    file.write_text("<assets>\n<asset></assets>\n")
    with pytest.raises(PermanentError, match=r"assets/assets.xml:2:10: not XML: mismatched tag"):
        olx.check_assets(tmp_path)

    file.write_text("<files/>")
    with pytest.raises(PermanentError, match=r"<files>, it must be <assets>"):
        olx.check_assets(tmp_path)


def test_both_forms_of_a_key_are_one() -> None:
    assert olx.normal_key("course-v1:Brook+Geo1+2026") == "Brook/Geo1/2026"
    assert olx.normal_key("Brook/Geo1/2026") == "Brook/Geo1/2026"
