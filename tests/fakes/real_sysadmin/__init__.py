"""The real `git_add_course` of edx-sysadmin, under the real Django, with SQLite for a database.

The plugin imports some modules of the platform, which cannot run here: `edx-platform` has
stand-ins of our own for them, each as small as what the plugin uses. Below the plugin the stand-in
of `fakes.platform` imports, fails and logs; `Platform.behave` changes how.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from fakes import platform

FILES = Path(__file__).with_name("edx-platform")
DATABASE = "db.sqlite3"


def build(target: Path, *, repodir: Path, database: Path) -> platform.Platform:
    """Lay out a platform below `target`, as `fakes.platform.build` does.

    `database` is one that `make_database` made; it is copied.
    """
    built = platform.build(target, repodir=repodir)
    shutil.copytree(
        FILES,
        built.edx_platform,
        dirs_exist_ok=True,
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    if database.exists():
        shutil.copy(database, built.edx_platform / DATABASE)
    return built


def make_database(folder: Path) -> Path:
    """A database with the plugin's tables, made by its own migrations."""
    repodir = folder / "repos"
    repodir.mkdir(parents=True)
    built = build(folder / "platform", repodir=repodir, database=folder / "none yet")
    subprocess.run(
        [
            str(built.virtual_env / "bin/python"),
            *(
                "manage.py",
                "lms",
                "--settings=production",
                "migrate",
                "edx_sysadmin",
                "--verbosity=0",
            ),
        ],
        cwd=built.edx_platform,
        check=True,
    )
    return built.edx_platform / DATABASE
