"""The transcript in docs/adding.md can be made anew, from URL to first live push."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs/adding.md"


@pytest.mark.skipif(shutil.which("ssh") is None, reason="there is no ssh: install openssh-client")
def test_the_transcript_is_that_of_a_real_run(tmp_path: Path) -> None:
    made = tmp_path / "adding.md"
    made.write_text(DOCS.read_text())
    done = subprocess.run(
        [sys.executable, "-m", "demo.adding", made],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    text = made.read_text()
    assert "remote: 200 in" in text
    assert text.count("imported Brook/Rivers/2026") == 2
    commands = re.compile(r"^\$ .*", re.MULTILINE)
    assert commands.findall(text) == commands.findall(DOCS.read_text())
    assert str(tmp_path) not in text
