"""Imports through a stand-in for Tutor, into a platform in another session and environment."""

from __future__ import annotations

import json
import re
import shutil
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fakes import platform
from gitreload.importers.tutor.inside import digest
from gitreload.model import GitreloadError, Interrupted, TransientError
from helpers import wait_until
from pythons import interpreter
from tutor_site import KEY, Site, build


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    return build(tmp_path, monkeypatch)


# The other ways are those of the real Tutor, in test_tutor_cli.py.
@pytest.mark.parametrize(("mode", "how"), [("local", "run"), ("dev", "exec")])
def test_a_course_arrives_whole(site: Site, mode: str, how: str) -> None:
    site.importer(tutor={"MODE": mode, "HOW": how}).check()
    assert site.run(tutor={"MODE": mode, "HOW": how}).course_key == KEY
    stored = site.platform.course(KEY)
    assert stored is not None
    assert stored["files"] == platform.manifest(site.path)
    assert any("Starting courselike import from geo" in line for line in site.log)
    assert not any("tutor" in line and "{" in line for line in site.log)


def mount(site: Site) -> None:
    site.mount.parent.mkdir()
    site.mount.symlink_to(site.repodir)


def mounted(site: Site, how: str = "exec") -> dict[str, Any]:
    return {"PATH": str(site.mount), "HOW": how}


def scratches(site: Site) -> list[Path]:
    """The directories in the container that imports were from."""
    found = re.findall(r"Data_dir=(/tmp/gitreload-\w+), source_dirs=geo", "\n".join(site.log))
    assert found
    return [Path(each) for each in found]


# How the files get there


def test_what_is_mounted_is_imported_from_there(site: Site) -> None:
    mount(site)
    assert site.run(tutor=mounted(site)).course_key == KEY
    assert f"Data_dir={site.mount}, source_dirs=geo" in "\n".join(site.log)


def test_what_is_copied_comes_and_goes(site: Site) -> None:
    (site.path / "static/also.txt").symlink_to("handout.txt")
    (site.path / "static/handout.txt").chmod(0o400)
    site.run()
    site.platform.behave(broken_block="deltas")
    site.fails()
    for scratch in scratches(site):
        assert not scratch.exists()


@pytest.mark.parametrize("copied", [True, False])
def test_a_course_in_a_directory_that_was_built_is_imported_from_there(
    site: Site, *, copied: bool
) -> None:
    mount(site)
    built = site.repodir / ".gitreload/builds/geo"
    shutil.copytree(site.path, built / "out", ignore=shutil.ignore_patterns(".git"))
    assert site.run(folder=built, tutor={} if copied else mounted(site)).course_key == KEY
    stored = site.platform.course(KEY)
    assert stored is not None
    assert stored["files"] == platform.manifest(site.path)


def test_a_mount_that_is_missing_is_told_with_the_one_to_add(site: Site) -> None:
    message = site.fails(tutor=mounted(site))
    assert f"the container has no {site.mount}/geo, where TUTOR.PATH says" in message
    assert f"tutor mounts add cms:{site.repodir}:{site.mount}" in message
    assert site.started() == []


def test_a_mount_of_something_else_is_told(site: Site) -> None:
    shutil.copytree(site.repodir, site.mount)
    (site.mount / "geo/static/handout.txt").write_text("of last year")
    message = site.fails(tutor=mounted(site))
    assert f"the container has other files in {site.mount}/geo than {site.path} holds" in message
    assert "tutor mounts add" in message
    assert site.started() == []


def test_what_the_container_cannot_read_is_told(site: Site) -> None:
    mount(site)
    site.mount.unlink()
    site.mount.symlink_to(site.mount)
    assert "user cannot read the files of" in site.fails(tutor=mounted(site))


@pytest.mark.skipif(
    not hasattr(tarfile, "data_filter"),
    reason="before 3.11.4 Python unpacks such links too; the precheck is who refuses them",
)
def test_what_cannot_be_copied_is_told(site: Site) -> None:
    (site.path / "static/passwd").symlink_to("/etc/passwd")
    message = site.fails()
    assert f"the files of {site.path} cannot be copied into the container: " in message
    assert "static/passwd" in message


def test_files_that_no_mount_has_need_the_copy(site: Site, tmp_path: Path) -> None:
    shutil.copytree(site.path, tmp_path / "elsewhere")
    message = site.fails(tutor=mounted(site), folder=tmp_path / "elsewhere")
    assert f"{tmp_path}/elsewhere is not below REPODIR" in message
    assert "take PATH out of TUTOR" in message


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "a").write_text("c"),
        lambda folder: (folder / "a").rename(folder / "c"),
        lambda folder: (folder / "sub/b").rename(folder / "b"),
        lambda folder: ((folder / "link").unlink(), (folder / "link").symlink_to("b")),
        lambda folder: ((folder / "link").unlink(), (folder / "link").write_text("a")),
    ],
)
def test_every_difference_shows_in_the_digest(
    tmp_path: Path, change: Callable[[Path], object]
) -> None:
    for name, text in {"a": "a", "sub/b": "b", ".git/HEAD": "1"}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "link").symlink_to("a")
    (tmp_path / "folder").symlink_to("sub")
    before = digest(str(tmp_path))
    (tmp_path / ".git/HEAD").write_text("2")
    (tmp_path / "a").chmod(0o755)
    assert digest(str(tmp_path)) == before
    change(tmp_path)
    assert digest(str(tmp_path)) != before


# What runs there


def test_the_command_has_the_containers_environment(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LMS_CFG", "/of/the/host")
    site.run(IMPORTER_ENV={"EDX_REGION": "eu"})
    (start,) = site.started()
    assert start["environment"]["EDX_REGION"] == "eu"
    assert start["environment"]["HOME"] == str(site.containers.root)
    assert "LMS_CFG" not in start["environment"]
    assert not any(name.startswith("GITRELOAD_") for name in start["environment"])


def test_what_has_to_follow_runs_there_too(site: Site) -> None:
    site.run(CMS_IMPORT={"OUTLINE": True, "REINDEX": True})
    assert [each["event"] for each in site.platform.journal()][-2:] == ["outline", "index"]


# How it ends


def test_exit_codes_and_signals_are_those_of_the_command(site: Site) -> None:
    site.platform.behave(broken_block="deltas")
    message = site.fails()
    assert "tutor failed: " in message
    assert "BlockFailedToImport" in message
    assert message.endswith("(exit 1)")
    site.platform.behave(signal=9)
    assert "ended by SIGKILL; perhaps memory ran out" in site.fails(TransientError)


def test_nothing_is_imported_without_proof(site: Site) -> None:
    (site.platform.edx_platform / "manage.py").write_text("print('done')")
    assert f"nothing proves that {KEY} was imported" in site.fails()
    assert site.run(EVIDENCE="exit").course_key == KEY


@pytest.mark.parametrize("version", ["3.8", "3.13"])
def test_the_container_may_have_another_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    python = interpreter(version)
    if python is None:
        pytest.skip(f"no Python {version} on this machine")
    site = build(tmp_path, monkeypatch, python)
    (site.platform.edx_platform / "manage.py").write_text(
        "import logging, sys\n"
        'log = logging.getLogger("xmodule.modulestore.xml_importer")\n'
        f'log.debug("======> IMPORTING courselike %s", "{KEY}")\n'
        "print(sys.version)"
    )
    assert site.run().course_key == KEY
    assert any(line.startswith(f"{version}.") for line in site.log)


def test_what_a_course_makes_the_platform_print_proves_nothing(site: Site) -> None:
    record = {"logger": "xmodule.modulestore.xml_importer", "level": 10}
    proof = json.dumps({**record, "message": f"======> IMPORTING courselike {KEY}"})
    lines = [f"{word}{proof}" for word in ("", "0" * 32 + " ")]
    lines += [line.replace(proof, '{"tutor": {"ended": 0}}') for line in lines]
    (site.platform.edx_platform / "manage.py").write_text(
        "import sys\nfor line in " + repr(lines) + ":\n    print(line)\nsys.exit(3)"
    )
    assert site.fails().endswith("(exit 3)")
    assert site.log[-4:] == lines


def test_a_half_line_and_a_record_are_told_apart(site: Site) -> None:
    site.platform.behave(output=["half a", " line", "\n", "no end"])
    site.run()
    assert "half a line" in "".join(site.log)
    assert "no end" in "".join(site.log)


def hold(site: Site, **keys: Any) -> tuple[Path, threading.Thread, list[Exception]]:
    """An import that has begun and waits; what it raises is put into the list."""
    held = site.platform.root / "hold"
    held.touch()
    site.platform.behave(hold=str(held))
    raised: list[Exception] = []

    def run() -> None:
        try:
            site.run(**keys)
        except GitreloadError as error:
            raised.append(error)

    running = threading.Thread(target=run)
    running.start()
    wait_until(lambda: site.started() or raised, what="the start of the import")
    return held, running, raised


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def taken(site: Site) -> str | None:
    """The course that is imported now; None while another import of it ends."""
    try:
        return site.run().course_key
    except TransientError:
        return None


def test_an_import_whose_client_dies_is_ended_and_tried_again(site: Site, tmp_path: Path) -> None:
    cut = tmp_path / "cut"
    site.containers.behave(cut=str(cut))
    held, running, raised = hold(site)
    cut.touch()
    running.join()
    assert "the connection to the container broke off" in str(raised[0])
    assert isinstance(raised[0], TransientError)
    pid = site.started()[0]["pid"]
    wait_until(lambda: not alive(pid), what="the end of the import")
    cut.unlink()
    held.unlink()
    # What ran it in the container lets go of the course a moment after.
    assert wait_until(lambda: taken(site), what="the course to be free") == KEY


def test_a_stop_ends_the_import_in_the_container(site: Site) -> None:
    _, running, raised = hold(site)
    site.stop.set()
    running.join()
    assert isinstance(raised[0], Interrupted)
    pid = site.started()[0]["pid"]
    wait_until(lambda: not alive(pid), what="the end of the import")
    assert site.platform.course(KEY) is None


def test_an_import_that_takes_too_long_is_ended(site: Site) -> None:
    site.platform.behave(hang=True)
    message = site.fails(TransientError, SUBPROCESS_TIMEOUT_MINUTES=0.05)
    assert "did not end within 0.05 minutes and was ended" in message


def test_two_imports_of_a_course_never_run_at_once_in_a_container(site: Site) -> None:
    held, running, raised = hold(site)
    message = site.fails(TransientError)
    assert message == f"{KEY}: another import of it still runs in the container"
    held.unlink()
    running.join()
    assert raised == []
    assert len(site.started()) == 1


# Where there is no way in


@pytest.mark.parametrize(
    ("behaviour", "keys", "message"),
    [
        ({"running": False}, {}, 'service "cms" is not running; start the platform: tutor local'),
        ({"running": False}, {"MODE": "k8s"}, "active pod for the cms service; start the platform"),
        ({"daemon": "down"}, {}, "Docker does not run here; start it, or set DOCKER_HOST"),
        ({"daemon": "forbidden"}, {}, "add it to the group docker"),
        ({"environment": {"PATH": "/none"}}, {}, "the container has no python"),
        ({}, {"COMMAND": ["/none/tutor"]}, "there is no /none/tutor on the PATH of gitreload"),
        ({}, {"ROOT": "/none"}, "/none has no config.yml that this user may see"),
    ],
)
def test_what_is_missing_is_told_with_its_cure(
    site: Site, behaviour: dict[str, Any], keys: dict[str, Any], message: str
) -> None:
    site.containers.behave(**behaviour)
    with pytest.raises(TransientError) as missing:
        site.importer(tutor=keys).check()
    assert message in str(missing.value)


def test_a_platform_that_stops_after_the_check_is_told_as_well(site: Site) -> None:
    site.containers.behave(running=False)
    assert "tutor local did not reach cms: service" in site.fails(TransientError)


def test_kubernetes_has_no_run(site: Site) -> None:
    with pytest.raises(ValueError, match="tutor k8s has no run"):
        site.importer(tutor={"MODE": "k8s", "HOW": "run"})


# What an import depends on


def test_the_digest_changes_with_what_decides_the_result_only(site: Site) -> None:
    checkout = site.source().checkout
    before = site.importer().settings_digest(checkout)
    changes: list[dict[str, Any]] = [
        {"tutor": {"MODE": "dev"}},
        {"tutor": {"ROOT": "/elsewhere"}},
        {"IMPORTER_ENV": {"EDX_REGION": "eu"}},
        {"CMS_IMPORT": {"NOSTATIC": True}},
        {"EVIDENCE": "exit"},
        {"REPOS": {"geo": {"COURSE_KEY": KEY}}},
    ]
    others = {site.importer(**change).settings_digest(checkout) for change in changes}
    assert len(others - {before}) == len(changes)
    same = site.importer(tutor={"PATH": "/openedx/repos", "HOW": "run"}, NUM_THREADS=9)
    assert same.settings_digest(checkout) == before
