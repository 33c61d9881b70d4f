"""Promises of the examination of courses."""

from __future__ import annotations

import io
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from gitreload.olx import elements, examine, texts
from gitreload.olx.findings import Broken

_SCRATCH = Path(tempfile.mkdtemp(prefix="fuzz-"))

DOCUMENTS = [
    '<?xml version="1.0"?>\n<problem title="é"><p>a &amp; b</p><!-- c --></problem>'.encode(),
    b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
    b"\xff\xfe<\0a\0/\0>\0",
    b'{"course/2026": {"start": "2026-01-01"}, "video/x": null}',
]
COURSES = [
    b'<course org="a" course="b" url_name="c"><chapter url_name="x"/></course>',
    b'<course org="a" course="b" url_name="c"><html url_name="..:x" filename="../x"/></course>',
    b'<course org="a" course="b" url_name="c"><vertical slug="v"><html/></vertical></course>',
]


def document(data: bytes) -> None:
    """Any file is read, or refused with a place that is in it."""
    lines = data.count(b"\n") + data.count(b"\r") + data.count(b"\r\n") + 1
    for function in (elements.read, texts.read_json, texts.read_text):
        try:
            function(io.BytesIO(data))
        except Broken as broken:
            assert 1 <= (broken.line or 1) <= lines
            assert 1 <= (broken.column or 1) <= len(data) + 1


def course(data: bytes) -> None:
    """Any course.xml gives courses or errors, and findings of one line."""
    shutil.rmtree(_SCRATCH, ignore_errors=True)
    (_SCRATCH / "chapter").mkdir(parents=True)
    (_SCRATCH / "course.xml").write_bytes(data)
    with suppress(ValueError):
        (_SCRATCH / "chapter/x.xml").write_bytes(data[data.index(b"<", 1) :])
    report = examine(_SCRATCH)
    assert report.courses or report.errors
    for finding in report.findings:
        assert len(str(finding).splitlines()) == 1
        assert len(str(finding)) < 1000
