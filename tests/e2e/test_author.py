"""What an author sees of a mistake: a red mark at the commit, why, and in the end a green one.

The walk is that of docs/authors.md, whose picture is made of it.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_a_mistake_is_told_at_its_commit_until_it_is_mended(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "demo.author", "--stage", str(tmp_path / "stage")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = done.stdout
    marks = re.findall(r"^  ([✗✓]) gitreload/rivers  (.*)$", told, re.MULTILINE)
    assert [sign for sign, _ in marks] == ["✗", "✓"]
    [(_, mistake), (_, mended)] = marks
    assert mistake.startswith("chapter/lakes.xml:4:1: ")
    assert mended == "imported"
    page = re.search(r"/jobs/1 ─.*?╰", told, re.DOTALL)
    assert page, "the mark's link leads to the job"
    assert "import of rivers: failed" in page[0]
    assert page[0].count("chapter/lakes.xml:4:1: ") >= 2, "as the reason, and in the log"
    assert "Traceback" not in told
