"""How imports end, in all the ways that the platform has, and what gitreload makes of each.

A row for each way that is known of today's platform and of the older ones (until Koa), by
`git_add_course` and by `cms import`. `play` has one happen, by a worker with a ledger.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fakes import course
from fakes.platform import Platform
from gitreload.attempt import Tools
from gitreload.importers.choice import Importers
from gitreload.model import Job, State
from gitreload.settings import Settings
from workbench import Bench

IMPORTERS = ("git_add_course", "cms_import")


@dataclass(frozen=True)
class Row:
    """`behaviour` is the platform's, `keys` are gitreload's; `files` are what the author pushes
    beside the course, `known` a course that the platform has already.

    In the end the job is `state`, where queued means that it is tried again, and its error begins
    with `error`, in which {command} is the importer's name and {path} the checkout; it has none
    where that is None.
    """

    name: str
    state: State
    error: str | None = None
    behaviour: Mapping[str, Any] = field(default_factory=dict)
    importers: tuple[str, ...] = IMPORTERS
    files: Mapping[str, str] = field(default_factory=dict)
    known: str | None = None
    keys: Mapping[str, Any] = field(default_factory=dict)


def both_eras(row: Row) -> Iterable[Row]:
    for era in "new", "old":
        behaviour = {"era": era, **row.behaviour}
        yield Row(**{**vars(row), "name": f"{row.name}, {era}", "behaviour": behaviour})


def git_errors() -> Iterable[Row]:
    """Those of git_add_course that leave no more than their own sentence."""
    for name, sentence in {
        "BAD_REPO": "Unable to get git log",
        "CANNOT_PULL": "git clone or pull failed!",
        "XML_IMPORT_FAILED": "Unable to run import command.",
        "UNSUPPORTED_STORE": "The underlying module store does not support import.",
        "REMOTE_BRANCH_MISSING": "The specified remote branch is not available.",
        "CANNOT_BRANCH": "Unable to switch to specified branch. Please check your branch name.",
    }.items():
        yield Row(
            f"GitImportError {name}",
            State.FAILED,
            f"git_add_course failed: CommandError: {sentence} (exit 1)",
            {"git_error": name},
            ("git_add_course",),
        )


COLLIDES = (
    "the platform skipped the course: course-v1:Brook+Geo1+2026 collides with one that exists; "
    "give it another key in course.xml, or delete the other course"
)
LOST_POLICY = (
    "the platform dropped the course's policy, which it could not read: "
    "{path}/policies/2026/policy.json Expecting value: line 1 column 1 (char 0)"
)
LOST_FILE = "the platform could not save the static file handout.txt: [Errno 27] File too large"
NOT_LOADED = "the platform could not load the course "
DATABASE_AWAY = (
    "{command} failed: django.db.utils.OperationalError: (2003, \"Can't connect to MySQL server on "
    "'mysql:3306' (111)\") (exit 1)"
)

SOMEBODY = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.org")

ROWS = (
    *both_eras(Row("imported", State.SUCCEEDED)),
    *git_errors(),
    # What of the course does not load ends today's platform, and did not end older ones.
    Row(
        "broken XML, new",
        State.FAILED,
        "{command} failed: lxml.etree.XMLSyntaxError: unclosed token: line 1, column 0 "
        "(in {path}/chapter/rivers.xml, line 1) (exit 1)",
        {"unparsable": ["chapter/rivers.xml"]},
    ),
    Row(
        "broken XML, old",
        State.FAILED,
        f"{NOT_LOADED}'course': unclosed token: line 1, column 0",
        {"era": "old", "unparsable": ["chapter/rivers.xml"]},
    ),
    Row(
        "course.xml missing, new",
        State.FAILED,
        "{command} failed: FileNotFoundError: [Errno 2] No such file or directory: "
        "'{path}/course.xml' (exit 1)",
        {"missing": ["course.xml"]},
    ),
    Row(
        "course.xml missing, old",
        State.FAILED,
        f"{NOT_LOADED}'course': [Errno 2] No such file or directory: '{{path}}/course.xml'",
        {"era": "old", "missing": ["course.xml"]},
    ),
    Row(
        "file of a block missing, new",
        State.FAILED,
        "{command} failed: Exception: Unable to load file contents at path {path}/html/deltas.xml "
        "for item deltas: [Errno 2] No such file or directory",
        {"missing": ["html/deltas.xml"]},
    ),
    Row(
        "bad block, new",
        State.FAILED,
        "{command} failed: xmodule.modulestore.xml_importer.BlockFailedToImport: Failed to import "
        "block: Deltas at location: deltas (caused by ValueError: the chapter has a field that "
        "cannot be read) (exit 1)",
        {"broken_block": "deltas"},
    ),
    Row(
        "bad block, old",
        State.FAILED,
        f"{NOT_LOADED}'course': no block of the type chapter can be made of this",
        {"era": "old", "broken_block": "deltas"},
    ),
    # Exit code 0, whatever the era.
    *both_eras(Row("DuplicateCourseError", State.FAILED, COLLIDES, known="BROOK/geo1/2026")),
    *both_eras(
        Row("policy lost", State.FAILED, LOST_POLICY, {"unparsable": ["policies/2026/policy.json"]})
    ),
    *both_eras(Row("static file lost", State.FAILED, LOST_FILE, {"unsavable": ["handout.txt"]})),
    # The platform says nothing at all, so only the precheck can.
    Row(
        "assets.xml unparsable",
        State.FAILED,
        "assets/assets.xml:",
        files={"assets/assets.xml": "<assets><asset></assets>"},
    ),
    Row(
        "nothing imported",
        State.FAILED,
        "the command ended with exit code 0, but nothing proves that Brook/Geo1/2026 was imported: "
        'the platform logged no "IMPORTING courselike".',
        {"imports": "nothing"},
    ),
    Row(
        "imported into another course",
        State.FAILED,
        "the platform imported Brook/Geo1/2025, but course.xml names Brook/Geo1/2026;",
        {"imports": "Brook/Geo1/2025"},
    ),
    Row(
        "the checkout moved",
        State.QUEUED,
        "course was moved from ",
        {"meanwhile": ["git", *SOMEBODY, "commit", "-q", "--allow-empty", "-m", "an own one"]},
    ),
    # Arguments that the platform's age does not allow; argparse and optparse exit with 2.
    Row(
        "argparse error",
        State.FAILED,
        "git_add_course failed: manage.py git_add_course: error: unrecognized arguments: course "
        "(exit 2); this platform takes the directory in another way: set GIT_ADD_COURSE_STYLE to "
        '"option"',
        importers=("git_add_course",),
        keys={"GIT_ADD_COURSE_STYLE": "positional"},
    ),
    Row(
        "optparse error",
        State.FAILED,
        "git_add_course failed: manage.py: error: no such option: --directory_path (exit 2); this "
        'platform takes the directory in another way: set GIT_ADD_COURSE_STYLE to "positional"',
        {"style": "positional", "era": "old"},
        ("git_add_course",),
    ),
    Row(
        "argparse error",
        State.FAILED,
        "cms_import failed: manage.py import: error: unrecognized arguments: --nopythonlib (exit "
        "2); this platform is too old for that: take PYTHON_LIB and PYTHON_LIB_FILENAME out of "
        "CMS_IMPORT",
        {"style": "positional", "era": "old"},
        ("cms_import",),
        keys={"CMS_IMPORT": {"NOSTATIC": True, "PYTHON_LIB": False}},
    ),
    # What may pass by itself is tried again.
    *both_eras(Row("database away", State.QUEUED, DATABASE_AWAY, {"database_away": True})),
    Row(
        "killed",
        State.QUEUED,
        "{command} was ended by SIGKILL; perhaps memory ran out",
        {"signal": 9},
    ),
)

CASES = [(row, importer) for row in ROWS for importer in row.importers]
NAMES = [f"{row.name}, {importer}" for row, importer in CASES]


def fit(bench: Bench, platform: Platform, importer: str, **keys: Any) -> None:
    """Let the worker import into `platform`."""
    values = {
        "REPODIR": str(bench.repodir),
        "STATE_DIR": str(bench.ledger.state_dir),
        "DJANGO_SETTINGS": "production",
        "IMPORTER": importer,
    }
    settings = Settings.model_validate({**values, **platform.keys(), **keys})
    bench.tools = Tools(settings, bench.checkouts, Importers(settings))


def play(row: Row, importer: str, bench: Bench, platform: Platform) -> Job:
    """Push a course and run its job; what the job is then. Its checkout is named `course`.

    What another row did before does not matter.
    """
    fit(bench, platform, importer, **row.keys)
    course.write_course(bench.remote.work)
    bench.remote.commit(dict(row.files))
    platform.behave(**row.behaviour)
    platform.forget()
    if row.known is not None:
        platform.add_course(row.known)
    bench.sync(force=True)
    return bench.run()
