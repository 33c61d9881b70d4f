"""A small course of the project's own, in OLX."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

CHAPTERS = {
    "Rivers": "<p>Water runs downhill, and takes a little of the hill along.</p>",
    "Deltas": "<p>Where it slows down, it leaves behind what it carried.</p>",
}


def write_course(
    folder: Path,
    org: str = "Brook",
    course: str = "Geo1",
    run: str = "2026",
    *,
    title: str = "How Rivers Work",
    chapters: Mapping[str, str] = CHAPTERS,
) -> str:
    """Write the course into `folder`; its key, "org/course/run".

    `chapters` maps a chapter's title to the HTML of its one page. Existing files are overwritten,
    those of chapters that are no longer there stay, as an author's would.
    """
    write = _Writer(folder)
    write("course.xml", f'<course url_name="{run}" org="{org}" course="{course}"/>\n')
    names = {chapter: re.sub(r"\W+", "-", chapter).strip("-").lower() for chapter in chapters}
    pointers = "".join(f'  <chapter url_name="{name}"/>\n' for name in names.values())
    write(f"course/{run}.xml", f'<course display_name="{title}">\n{pointers}</course>\n')
    for chapter, text in chapters.items():
        _write_chapter(write, names[chapter], chapter, text)
    policy = {f"course/{run}": {"display_name": title, "start": "2026-01-01T00:00:00Z"}}
    write(f"policies/{run}/policy.json", json.dumps(policy, indent=2) + "\n")
    write("about/overview.html", f"<h2>{title}</h2>\n")
    write("static/handout.txt", "Bring boots.\n")
    write("assets/assets.xml", "<assets/>\n")
    return f"{org}/{course}/{run}"


class _Writer:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, name: str, text: str) -> None:
        file = self._folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def _write_chapter(write: _Writer, name: str, title: str, text: str) -> None:
    for parent, child in (("chapter", "sequential"), ("sequential", "vertical")):
        write(
            f"{parent}/{name}.xml",
            f'<{parent} display_name="{title}">\n  <{child} url_name="{name}"/>\n</{parent}>\n',
        )
    write(
        f"vertical/{name}.xml",
        f'<vertical display_name="{title}">\n  <html url_name="{name}"/>\n</vertical>\n',
    )
    write(f"html/{name}.xml", f'<html filename="{name}" display_name="{title}"/>\n')
    write(f"html/{name}.html", f"{text}\n")
