"""Courses with exactly one mistake: each gives exactly one finding, at the place of the mistake."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gitreload.olx import examine

from .courses import REAL, Course, ours, place, real

Mistake = Callable[[Course], str]
MISTAKES: list[Mistake] = []
OUTSIDE = "a link that leads out of the checkout; put what it leads to there itself"


def mistake(make: Mistake) -> Mistake:
    """Makes the mistake, and tells what is to be found."""
    MISTAKES.append(make)
    return make


@pytest.fixture(
    scope="module", params=[None, "openedx-test-course.tar.gz", "edx-demo-course.tar.gz"]
)
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Course:
    folder = tmp_path_factory.mktemp("course")
    if request.param is None:
        return ours(folder)
    if not REAL.is_dir():
        pytest.skip(f"the real courses are not in {REAL}")
    return real(folder, request.param)


@pytest.fixture
def course(whole: Course) -> Iterator[Course]:
    yield whole
    whole.mend()


def found(course: Course, *args: str) -> list[str]:
    return [
        str(each) if each.level == "error" else f"{each.level}: {each}"
        for each in examine(course.folder, args).findings
    ]


def test_a_whole_course_is_all_right(course: Course) -> None:
    report = examine(course.folder)
    assert not report.findings
    [only] = report.courses
    assert only.root == "."
    assert only.key in {"Brook/Geo2/2026", "TestX/Course/1", "edX/DemoX/Demo_Course"}


# The XML of blocks.


def inside(course: Course, text: str, *, at: str | None = None) -> tuple[str, int, int]:
    """Put `text` before the end of the first chapter: the file, and the place of `at` in it."""
    name = f"{course.first('chapter')}.xml"
    end = course.text(name).rindex("</chapter>")
    course.change(name, "</chapter>", f"{text}</chapter>")
    shift = 0 if at is None else f"{text}</chapter>".index(at)
    return name, *place(course.text(name), end + shift)


@mistake
def unclosed_tag(course: Course) -> str:
    name = f"{course.first('chapter')}.xml"
    course.change(name, "</chapter>", "")
    line, column = place(text := course.text(name), len(text))
    return f"{name}:{line}:{column}: not XML: the file ends, but <chapter> of line 1 is not closed"


@mistake
def mismatched_tag(course: Course) -> str:
    name, line, column = inside(course, "<sequential>", at="/chapter>")
    return (
        f"{name}:{line}:{column + 1}: not XML: this end tag does not fit; <sequential> of line "
        f"{line} has to be closed first"
    )


@mistake
def unfinished_tag(course: Course) -> str:
    name = f"{course.first('problem')}.xml"
    course.write(name, "<problem>\n  <p")
    return f"{name}:2:3: not XML: the file ends, but <problem> of line 1 is not closed"


@mistake
def empty_file(course: Course) -> str:
    name = f"{course.first('problem')}.xml"
    course.write(name, "")
    return f"{name}:1:1: not XML: the file is empty; write the element, or remove the file"


@mistake
def a_comment_and_no_element(course: Course) -> str:
    name = f"{course.first('problem')}.xml"
    course.write(name, "<!-- later -->")
    return f"{name}:1:15: not XML: the file ends before its element does"


def after(course: Course, text: str) -> tuple[str, int, int]:
    name = f"{course.first('chapter')}.xml"
    content = course.text(name).rstrip()
    course.write(name, f"{content}\n{text}")
    return name, *place(f"{content}\n", len(content) + 1)


@mistake
def two_root_elements(course: Course) -> str:
    name, line, column = after(course, "<chapter/>")
    return (
        f"{name}:{line}:{column}: not XML: more follows the end of the root element; a file holds "
        "one element with all else inside"
    )


@mistake
def text_after_the_root(course: Course) -> str:
    name, line, column = after(course, "the end")
    return (
        f"{name}:{line}:{column}: not XML: more follows the end of the root element; a file holds "
        "one element with all else inside"
    )


@mistake
def text_before_the_declaration(course: Course) -> str:
    name = f"{course.first('chapter')}.xml"
    course.write(name, f' <?xml version="1.0"?>{course.text(name)}')
    return (
        f"{name}:1:2: not XML: the XML declaration <?xml …?> does not stand at the very start; "
        "remove what is before it"
    )


@mistake
def duplicate_attribute(course: Course) -> str:
    name, line, column = inside(course, '<html a="1" a="2"/>', at='a="2')
    return f"{name}:{line}:{column}: not XML: an attribute is given twice in this tag; remove one"


@mistake
def unbound_prefix(course: Course) -> str:
    name, line, column = inside(course, "<x:html/>")
    return (
        f"{name}:{line}:{column}: not XML: a name in this tag has a prefix that no xmlns declares; "
        "remove the prefix, or declare it"
    )


@mistake
def unknown_entity(course: Course) -> str:
    name, line, column = inside(course, "<html>a&nbsp;b</html>", at="&")
    return (
        f"{name}:{line}:{column}: not XML: XML knows no such entity; write the character itself, "
        "or its number, as &#160; for &nbsp;"
    )


@mistake
def bare_ampersand(course: Course) -> str:
    name, line, column = inside(course, "<html>a & b</html>", at=" b")
    return f"{name}:{line}:{column}: not XML: a bare & is written &amp;"


@mistake
def ampersand_in_an_address(course: Course) -> str:
    name, line, column = inside(course, '<html href="?a=1&b=2"/>', at="=2")
    return f"{name}:{line}:{column}: not XML: a bare & is written &amp;"


@mistake
def bare_less_than(course: Course) -> str:
    name, line, column = inside(course, "<html>a < b</html>", at=" b")
    return f"{name}:{line}:{column}: not XML: a bare < is written &lt;"


@mistake
def no_quotes(course: Course) -> str:
    name, line, column = inside(course, "<html a=1/>", at="1")
    return f"{name}:{line}:{column}: not XML: the value of an attribute stands in quotes"


@mistake
def no_such_character(course: Course) -> str:
    name, line, column = inside(course, "<html>&#7;</html>", at="&")
    return f"{name}:{line}:{column}: not XML: a number that is no character; remove it"


@mistake
def nul_byte(course: Course) -> str:
    name, line, column = inside(course, "<html>\0</html>", at="\0")
    return f"{name}:{line}:{column}: not XML: the character U+0000 may not occur in XML; remove it"


@mistake
def control_character(course: Course) -> str:
    name, line, column = inside(course, '<html a="\x0b"/>', at="\x0b")
    return f"{name}:{line}:{column}: not XML: the character U+000B may not occur in XML; remove it"


@mistake
def not_utf_8(course: Course) -> str:
    name, line, column = inside(course, '<html display_name="caf?"/>', at="?")
    course.write(name, course.text(name).encode().replace(b"caf?", b"caf\xe9"))
    return f"{name}:{line}:{column}: not XML: byte 0xe9 is not UTF-8; save the file as UTF-8"


@mistake
def latin_1_and_says_so(course: Course) -> str:
    name = f"{course.first('problem')}.xml"
    text = '<?xml version="1.0" encoding="iso-8859-1"?>\n<problem display_name="caf\xe9"/>\n'
    course.write(name, text.encode("latin-1"))
    return f"{name}:2:27: not XML: byte 0xe9 is not UTF-8; save the file as UTF-8"


@mistake
def utf_8_that_says_latin_1(course: Course) -> str:
    name = f"{course.first('problem')}.xml"
    course.write(name, '<?xml version="1.0" encoding="latin1"?>\n<problem display_name="caf\xe9"/>')
    return f"warning: {name}:1:1: encoding='latin1' is not what it is read as; say UTF-8"


@mistake
def course_xml_that_says_latin_1(course: Course) -> str:
    text = course.text("course.xml")
    course.write("course.xml", f'<?xml version="1.0" encoding="latin1"?>{text}')
    return "course.xml:1:1: encoding='latin1' is not what it is read as; say UTF-8"


@mistake
def utf_16(course: Course) -> str:
    name = f"{course.first('chapter')}.xml"
    course.write(name, course.text(name).encode("utf-16"))
    return f"{name}:1:1: not UTF-8 but UTF-16; save it as UTF-8"


@mistake
def two_byte_order_marks(course: Course) -> str:
    name = f"{course.first('chapter')}.xml"
    course.write(name, f"\ufeff\ufeff{course.text(name)}")
    return f"{name}:1:2: not XML: this may not stand here"


@mistake
def byte_order_mark_in_the_second_line(course: Course) -> str:
    name = f"{course.first('chapter')}.xml"
    course.write(name, f"\n\ufeff{course.text(name)}")
    return f"{name}:2:1: not XML: this may not stand here"


@mistake
def too_deep(course: Course) -> str:
    name, line, column = inside(course, "<a>" * 256 + "</a>" * 256)
    return (
        f"{name}:{line}:{column + 255 * 3}: nested deeper than 256 elements, which the platform "
        "refuses"
    )


# What a document may not ask for.


def with_doctype(course: Course, doctype: str, text: str = "") -> str:
    name = f"{course.first('problem')}.xml"
    course.write(
        name, f"<?xml version='1.0'?>\n<!DOCTYPE problem {doctype}>\n<problem>{text}</problem>"
    )
    return name


@mistake
def entity_bomb(course: Course) -> str:
    laughs = "".join(f'<!ENTITY l{n + 1} "{f"&l{n};" * 10}">' for n in range(9))
    name = with_doctype(course, f'[<!ENTITY l0 "ha">{laughs}]', "&l9;")
    return f"{name}:2:32: declares an entity; write the text itself where it is used"


@mistake
def external_entity(course: Course) -> str:
    name = with_doctype(course, '[<!ENTITY x SYSTEM "file:///etc/passwd">]', "&x;")
    return f"{name}:2:58: declares an entity; write the text itself where it is used"


@mistake
def parameter_entity(course: Course) -> str:
    name = with_doctype(course, '[<!ENTITY % x SYSTEM "http://127.0.0.1:1/x.dtd"> %x;]')
    return f"{name}:2:66: declares an entity; write the text itself where it is used"


@mistake
def external_dtd(course: Course) -> str:
    name = with_doctype(course, 'SYSTEM "http://127.0.0.1:1/problem.dtd"')
    return f"warning: {name}:2: names a DTD, which nothing reads; remove it"


@mistake
def entity_of_an_external_dtd(course: Course) -> str:
    name = with_doctype(course, 'PUBLIC "-//W3C//DTD XHTML 1.0" "xhtml1.dtd"', "&nbsp;")
    return (
        f"{name}:3:10: not XML: &nbsp;: XML knows no such entity; write the character itself, or "
        "its number, as &#160; for &nbsp;"
    )


# Policies.


def policy(course: Course, name: str = "policy.json") -> str:
    [file] = (course.folder / "policies").glob(f"*/{name}")
    return str(file.relative_to(course.folder))


@mistake
def trailing_comma(course: Course) -> str:
    course.write(name := policy(course), '{\n  "a": {},\n}\n')
    return f"{name}:3:1: not JSON: Expecting property name enclosed in double quotes"


@mistake
def empty_policy(course: Course) -> str:
    course.write(name := policy(course), "")
    return f"{name}:1:1: not JSON: Expecting value"


@mistake
def policy_that_is_a_list(course: Course) -> str:
    course.write(name := policy(course), "\n []\n")
    return f"{name}:2:2: must be an object: {{ … }}"


@mistake
def policy_of_a_block_that_is_no_object(course: Course) -> str:
    course.write(name := policy(course), '{\n  "course/1": {},\n  "video/x": null\n}\n')
    return f"{name}:3:3: what it says of 'video/x' must be an object: {{ … }}"


@mistake
def policy_that_is_not_utf_8(course: Course) -> str:
    course.write(name := policy(course), b'{"course/1":\n{"display_name": "caf\xe9"}}')
    return f"{name}:2:22: byte 0xe9 is not UTF-8; save the file as UTF-8"


@mistake
def policy_with_a_byte_order_mark(course: Course) -> str:
    course.write(name := policy(course), "\ufeff{}")
    return f"{name}:1:1: starts with a byte order mark; save it as UTF-8 without one"


@mistake
def policy_that_is_too_deep(course: Course) -> str:
    course.write(name := policy(course), '{"a":' + "[" * 100_000)
    return f"{name}: nested too deep to be read"


@mistake
def broken_grading_policy(course: Course) -> str:
    course.write(name := policy(course, "grading_policy.json"), '{"GRADER": [}')
    return f"{name}:1:13: not JSON: Expecting value"


@mistake
def another_broken_policy(course: Course) -> str:
    course.write("policies/assets.json", "{'a': 1}")
    return "policies/assets.json:1:2: not JSON: Expecting property name enclosed in double quotes"


# Pointers.


@mistake
def missing_pointer_target(course: Course) -> str:
    block = course.first("problem")
    file, line, column = course.pointer(block)
    course.remove(f"{block}.xml")
    name = block.partition("/")[2]
    return (
        f'{file}:{line}:{column}: <problem url_name="{name}"/> points to {block}.xml, which does '
        "not exist; add it, or correct the url_name"
    )


@mistake
def renamed_url_name(course: Course) -> str:
    block = course.first("video")
    file, line, column = course.pointer(block)
    course.change(file, f'"{block.partition("/")[2]}"', '"renamed"')
    return (
        f'{file}:{line}:{column}: <video url_name="renamed"/> points to video/renamed.xml, which '
        "does not exist; add it, or correct the url_name"
    )


@mistake
def missing_definition_of_the_course(course: Course) -> str:
    [file] = (course.folder / "course").iterdir()
    name = f"course/{file.name}"
    course.remove(name)
    return (
        f'course.xml:1:1: <course url_name="{file.stem}"/> points to {name}, which does not exist; '
        "add it, or correct the url_name"
    )


@mistake
def missing_text_of_a_page(course: Course) -> str:
    block = course.first("html")
    course.remove(f"{block}.html")
    name = block.partition("/")[2]
    return (
        f'{block}.xml:1:1: filename="{name}" means {block}.html, which does not exist; add it, or '
        "correct the filename"
    )


@mistake
def pointer_to_an_installed_block_of_which_there_are_files(course: Course) -> str:
    course.write("pond/deep.xml", "<pond/>")
    name, line, column = inside(
        course, '<pond url_name="deep"/><pond url_name="flat"/>', at='<pond url_name="flat'
    )
    return (
        f'{name}:{line}:{column}: <pond url_name="flat"/> points to pond/flat.xml, which does not '
        "exist; add it, or correct the url_name"
    )


@mistake
def pointer_that_says_more(course: Course) -> str:
    block = course.first("sequential")
    file, line, column = course.pointer(block)
    course.change(file, f'"{block.partition("/")[2]}"/>', f'"{block.partition("/")[2]}" due="x"/>')
    return (
        f"{file}:{line}:{column}: {block}.xml is not read, since this tag has due besides; move "
        "that into the file"
    )


@mistake
def course_xml_that_says_more(course: Course) -> str:
    course.change("course.xml", "<course ", '<course display_name="Lakes" ')
    [file] = (course.folder / "course").iterdir()
    return (
        f"course.xml:1:1: course/{file.name} is not read, since this tag has display_name besides; "
        "move that into the file"
    )


@mistake
def self_pointer(course: Course) -> str:
    block = course.first("vertical")
    name = block.partition("/")[2]
    course.write(f"{block}.xml", f'<vertical url_name="{name}"/>')
    return f"{block}.xml:1:1: <vertical> points to itself, so it is empty; write it here"


@mistake
def block_within_itself(course: Course) -> str:
    chapter = course.first("chapter")
    pointer = f'<chapter url_name="{chapter.partition("/")[2]}"/>'
    name, line, column = inside(course, pointer)
    return (
        f"{name}:{line}:{column}: {chapter} is used a second time, which the platform refuses; "
        "give the copy a url_name and a file of its own"
    )


@mistake
def problem_that_is_used_twice(course: Course) -> str:
    problem = course.first("problem")
    file, line, column = course.pointer(problem)
    tag = f'<problem url_name="{problem.partition("/")[2]}"/>'
    course.change(file, tag, tag + tag)
    return (
        f"{file}:{line}:{column + len(tag)}: {problem} is used a second time, which the platform "
        "refuses; give the copy a url_name and a file of its own"
    )


@mistake
def name_that_is_given_twice(course: Course) -> str:
    name, line, column = inside(
        course, '<html url_name="x">1</html><html url_name="x">2</html>', at='<html url_name="x">2'
    )
    return (
        f"warning: {name}:{line}:{column}: html/x is the name of another block already; give it a "
        "url_name of its own, or learners' state may be lost"
    )


@mistake
def block_without_anything(course: Course) -> str:
    name, line, column = inside(course, "<sequential/>")
    return (
        f"{name}:{line}:{column}: <sequential> has neither content nor a url_name; give it a "
        "url_name, or remove it"
    )


@mistake
def url_name_with_a_space(course: Course) -> str:
    name, line, column = inside(course, '<html url_name="a b"/>')
    return (
        f"{name}:{line}:{column}: url_name 'a b' is refused by the platform; it may hold letters, "
        "digits and . _ - ~ % :"
    )


@mistake
def url_name_that_leads_out(course: Course) -> str:
    name, line, column = inside(course, '<html url_name="..:..:x"/>')
    return f"{name}:{line}:{column}: html/../../x.xml is not in the course; correct the name"


@mistake
def file_of_another_category(course: Course) -> str:
    problem = course.first("problem")
    file, line, _ = course.pointer(problem)
    course.write(f"{problem}.xml", "<html>x</html>")
    return (
        f"warning: {problem}.xml:1:1: the root element is <html>, but {file}:{line} points here "
        "with <problem>"
    )


# Files that nothing points to.


@mistake
def broken_orphan(course: Course) -> str:
    course.write("problem/zz_orphan.xml", "<problem>\n</problem></p>")
    return "problem/zz_orphan.xml:2:12: not XML: an end tag too many; remove it"


@mistake
def broken_draft(course: Course) -> str:
    course.write("drafts/vertical/zz.xml", "<vertical>\n  <html>\n</vertical>")
    return (
        "drafts/vertical/zz.xml:3:3: not XML: this end tag does not fit; <html> of line 2 has to "
        "be closed first"
    )


@mistake
def missing_part_of_a_draft(course: Course) -> str:
    course.write("drafts/vertical/zz.xml", '<vertical>\n  <problem url_name="gone"/></vertical>')
    return (
        'drafts/vertical/zz.xml:2:3: <problem url_name="gone"/> points to '
        "drafts/problem/gone.xml, which does not exist; add it, or correct the url_name"
    )


@mistake
def xml_that_is_no_part_of_the_course(course: Course) -> str:
    course.write("tools/build.xml", "<project>")
    return (
        "warning: tools/build.xml:1:10: not XML: the file ends, but <project> of line 1 is not "
        "closed"
    )


@mistake
def broken_assets(course: Course) -> str:
    course.write("assets/assets.xml", "<assets>\n<asset></assets>\n")
    return (
        "assets/assets.xml:2:10: not XML: this end tag does not fit; <asset> of line 2 has to be "
        "closed first"
    )


@mistake
def assets_of_another_kind(course: Course) -> str:
    course.write("assets/assets.xml", "<files/>")
    return "assets/assets.xml:1:1: the root element is <files>, it must be <assets>"


@mistake
def page_that_is_not_utf_8(course: Course) -> str:
    course.write("about/overview.html", b"<p>\n caf\xe9</p>")
    return "about/overview.html:2:5: byte 0xe9 is not UTF-8; save the file as UTF-8"


@mistake
def text_that_is_not_utf_8(course: Course) -> str:
    name = f"{course.first('html')}.html"
    course.write(name, b"caf\xe9")
    return f"{name}:1:4: byte 0xe9 is not UTF-8; save the file as UTF-8"


# The root.


def key_without(course: Course, name: str) -> str:
    text = course.text("course.xml")
    course.write("course.xml", re.sub(rf'\s{name}="[^"]*"', "", text))
    return f'course.xml:1:1: <course> has no {name}; it needs org="…" course="…" url_name="…"'


@mistake
def no_org(course: Course) -> str:
    return key_without(course, "org")


@mistake
def no_course(course: Course) -> str:
    return key_without(course, "course")


@mistake
def bad_character_in_the_key(course: Course) -> str:
    course.write("course.xml", re.sub('org="[^"]*"', 'org="a/b"', course.text("course.xml")))
    return (
        "course.xml:1:1: org='a/b' cannot be part of a course key; it may hold letters, digits and "
        ". _ - %"
    )


@mistake
def no_root(course: Course) -> str:
    course.remove("course.xml")
    return (
        "course.xml: does not exist, here or further down; the one of a course starts with "
        '<course org="…" course="…" url_name="…"'
    )


@mistake
def moodle_backup(course: Course) -> str:
    course.remove("course.xml")
    course.write("course/course.xml", '<course id="2" contextid="15">\n</course>')
    return (
        "course.xml: does not exist, here or further down; the one of a course starts with "
        '<course org="…" course="…" url_name="…"'
    )


@mistake
def another_root_element(course: Course) -> str:
    course.write("course.xml", "<moodle_backup>\n</moodle_backup>\n")
    return "course.xml:1:1: the root element is <moodle_backup>, it must be <course>"


@mistake
def two_roots(course: Course) -> str:
    course.write(
        "second/course.xml", '<course org="a" course="b" url_name="c"><html>1</html></course>'
    )
    return (
        "second/course.xml: a second course, besides course.xml; SUBDIR has to name what is meant, "
        "one or several of: ., second"
    )


# Links, and what is no file.


@mistake
def absolute_link_out(course: Course) -> str:
    course.make("static/passwd", lambda path: path.symlink_to("/etc/passwd"))
    return f"static/passwd: {OUTSIDE}"


@mistake
def relative_link_out(course: Course) -> str:
    course.make("static/up", lambda path: path.symlink_to("../../other"))
    return f"static/up: {OUTSIDE}"


@mistake
def linked_directory_out(course: Course) -> str:
    course.make("static/etc", lambda path: path.symlink_to("/etc"))
    return f"static/etc: {OUTSIDE}"


@mistake
def block_that_is_a_link_out(course: Course) -> str:
    name = f"{course.first('problem')}.xml"
    course.make(name, lambda path: path.symlink_to("/etc/hostname"))
    return f"{name}: {OUTSIDE}"


@mistake
def course_xml_that_is_a_link_out(course: Course) -> str:
    (course.folder.parent / "other.xml").write_text('<course org="a" course="b" url_name="c"/>')
    course.make("course.xml", lambda path: path.symlink_to("../other.xml"))
    return f"course.xml: {OUTSIDE}"


@mistake
def dangling_link(course: Course) -> str:
    course.make("static/gone", lambda path: path.symlink_to("nowhere"))
    return "static/gone: a link to nowhere, which does not exist; correct or remove it"


@mistake
def block_that_is_a_dangling_link(course: Course) -> str:
    name = f"{course.first('problem')}.xml"
    course.make(name, lambda path: path.symlink_to("nowhere"))
    return f"{name}: a link to nowhere, which does not exist; correct or remove it"


@mistake
def link_to_itself(course: Course) -> str:
    course.make("static/loop", lambda path: path.symlink_to("loop"))
    return "static/loop: a link to loop, which does not exist; correct or remove it"


@mistake
def pipe(course: Course) -> str:
    name = f"{course.first('problem')}.xml"
    course.make(name, os.mkfifo)
    return f"{name}: a pipe where a file should be; remove it"


@mistake
def listening_socket(course: Course) -> str:
    def bind(path: Path) -> None:
        here = Path.cwd()
        os.chdir(path.parent)  # a socket's path is short
        try:
            with socket.socket(socket.AF_UNIX) as made:
                made.bind(path.name)
        finally:
            os.chdir(here)

    course.make("static/socket", bind)
    return "static/socket: a socket where a file should be; remove it"


@mistake
def directory_in_place_of_a_file(course: Course) -> str:
    name = f"{course.first('problem')}.xml"
    course.make(name, os.mkdir)
    return f"{name}: a directory where a file should be; remove it"


@pytest.mark.parametrize("make", MISTAKES, ids=lambda make: make.__name__)
def test_a_mistake_is_the_one_finding(course: Course, make: Mistake) -> None:
    expected = make(course)
    assert found(course) == [expected]


def test_no_run(course: Course) -> None:
    # Nor does anything say then where the rest of the course is.
    expected = key_without(course, "url_name")
    assert expected in found(course)


def test_another_key(course: Course) -> None:
    [right] = examine(course.folder).courses
    [finding] = examine(course.folder, course_key="course-v1:A+B+C").findings
    assert str(finding) == (
        f"course.xml:1:1: names the course {right.key}, but COURSE_KEY is A/B/C; correct whichever "
        "is wrong"
    )
    assert not examine(course.folder, course_key=right.key).findings


def test_a_root_that_is_not_there(course: Course) -> None:
    assert found(course, "sub") == ["sub: there is no such directory; correct SUBDIR"]
    [finding] = found(course, "static")
    assert finding == (
        'static/course.xml: does not exist; the one of a course starts with <course org="…" '
        'course="…" url_name="…"'
    )
