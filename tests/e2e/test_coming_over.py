"""Who comes from gitreload 0.2, or from edx-sysadmin's endpoint, types what the guide says."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from e2e.deployment import Deployment

GUIDE = Path(__file__).resolve().parents[2] / "docs/from-0.2.md"


def test_the_commands_of_the_guide_lead_to_an_import_and_old_hooks_to_more(
    here: Deployment,
) -> None:
    course = here.course("course")
    here.start()
    block = re.search(r"^```sh\n(.*?)^```", GUIDE.read_text(), re.DOTALL | re.MULTILINE)
    assert block
    done = subprocess.run(
        ["bash", "-ec", block[1]],
        cwd=here.folder,
        env=here.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    # Forms, as orcoursetrion's hooks send; and where edx-sysadmin's hooks lead.
    for route, form in (("/gitreload", True), ("/sysadmin/api/gitreload/", False)):
        course.commit({"html/more.html": f"<p>{route}</p>"})
        assert here.deliver(course, route=route, form=form).body["outcome"] == "queued"
        here.settle()
    assert [job["state"] for job in here.jobs("--action", "import")] == ["succeeded"] * 3
