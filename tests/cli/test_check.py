"""`gitreload check`, for each thing that can be wrong."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fakes import git_ssh
from fakes.git_ssh import SSHD, ssh_server
from fakes.github_server import PERSONAL, GitHub, Hook, github
from fakes.keys import rsa_key
from gitreload.checkouts import Checkouts
from gitreload.model import Action, Checkout, Mark
from gitreload.process import user_name
from helpers import git, needs_mount, tmpfs

from .conftest import Book, Host

NOBODY = 65534


def check(host: Host, *args: str) -> tuple[int, str, str]:
    result = host.run("check", *args)
    return result.exit_code, result.stdout, result.stderr


def problems(host: Host) -> dict[str, str]:
    """What is wrong with the only checkout, by what it is about."""
    code, out, _ = check(host, "--json")
    [found] = json.loads(out)
    assert (code, found["ok"]) == ((1, False) if found["problems"] else (0, True))
    return {problem["about"]: problem["text"] for problem in found["problems"]}


def the_checkout(host: Host) -> Checkout:
    found = Checkouts(host.repodir, {}).get("course")
    assert found is not None
    return found


def test_all_is_well(host: Host) -> None:
    head = git("rev-parse", "HEAD", cwd=host.repodir / "course")
    with host.command("check") as command:
        told = command.communicate(timeout=120)
    assert told == (f"course: all is well, at the tip of main, {head[:12]}\n", "")
    assert command.returncode == 0
    assert not host.state_dir.exists()


def test_people_cannot_be_told(host: Host, book: Book) -> None:
    job = int(host.json("sync", "course", "--update")[0]["id"])
    book.tell(job, Mark.PENDING, "refused", "the token may not do that")
    assert problems(host)["told"] == "commit status was refused: the token may not do that"
    book.tell(job, Mark.FAILURE, "delivered")
    book.tell(job, Mark.SUCCESS)
    assert "told" not in problems(host)


def test_one_that_is_named_is_told_of_more(host: Host, tmp_path: Path) -> None:
    key = git_ssh.key(tmp_path / "deploy")
    said = subprocess.run(
        ["ssh-keygen", "-l", "-f", key], capture_output=True, text=True, check=True
    )
    host.configure(REPOS={"course": {"SSH_KEY": str(key)}})
    code, out, _ = check(host, "course")
    assert code == 0
    told = dict(line.strip().split(maxsplit=1) for line in out.splitlines()[1:])
    assert told["key"] == f"SSH_KEY {key} {said.stdout.split()[1]}"
    assert (told["remote"], told["owner"]) == (host.remote.url, user_name())
    assert told["disk"].endswith("GiB free")


def test_json_has_all_that_was_found(host: Host) -> None:
    head = git("rev-parse", "HEAD", cwd=host.repodir / "course")
    _, out, _ = check(host, "course", "--json")
    [found] = json.loads(out)
    free = found.pop("free_bytes")
    assert free > 0
    assert found == {
        "directory": "course",
        "path": str(host.repodir / "course"),
        "origin": host.remote.url,
        "follows": "main",
        "tags": None,
        "tag": None,
        "revision": head,
        "served": None,
        "held": False,
        "tip": head,
        "behind": 0,
        "clean": True,
        "owner": (host.repodir / "course").owner(),
        "key": None,
        "importer": "git_add_course (by IMPORTER)",
        "problems": [],
        "ok": True,
    }


def test_one_that_is_held_is_well_and_says_so(host: Host) -> None:
    host.configure(REPOS={"course": {"PUBLISH": True}})
    host.done("hold", "course")
    code, out, _ = check(host)
    [_, hold] = out.splitlines()
    assert (code, hold.split()[:4]) == (0, ["held", "course", "is", "held:"])
    assert "`gitreload release course`" in hold
    host.configure(REPOS={"course": {"HOLD": True}})
    assert "by REPOS.course.HOLD" in check(host)[1]


def test_what_readers_have_is_told(host: Host) -> None:
    host.configure(REPOS={"course": {"PUBLISH": True}})
    link, revision = host.repodir.parent / "published/course", "1" * 40
    (link.parent / ".course.revisions" / revision).mkdir(parents=True)
    link.symlink_to(f".course.revisions/{revision}")
    assert f"\n  served    {revision[:12]}\n" in check(host, "course")[1]


def test_damage_that_heals_and_what_does_not(host: Host) -> None:
    course = host.repodir / "course"
    for each in (course / ".git/objects/pack").iterdir():
        each.chmod(0o600)
        each.write_bytes(b"")
    found = problems(host)["checkout"]
    assert found.startswith("the objects in course are damaged: ")
    assert found.endswith("The next update fetches everything anew: gitreload sync --update course")
    (course / ".git/worktrees").mkdir()
    assert "Clone it again: mv " in problems(host)["checkout"]


def test_one_that_follows_tags(host: Host) -> None:
    host.configure(REPOS={"course": {"REF": "v*"}})
    code, out, _ = check(host)
    assert (code, "no tag v*, which course follows, is at" in out) == (1, True)
    git("push", "-q", "origin", "HEAD:refs/tags/v1", cwd=host.remote.work)
    head = git("rev-parse", "HEAD", cwd=host.repodir / "course")
    told = f"course: all is well, at the tip of the tags v* (v1), {head[:12]}\n"
    assert check(host) == (0, told, "")
    tip = host.remote.commit({"a": "new"})
    git("push", "-q", "origin", "HEAD:refs/tags/v2", cwd=host.remote.work)
    code, out, _ = check(host)
    assert (code, f"{tip[:12]}, the newest tag, v2: gitreload sync" in out) == (1, True)


def test_several_with_a_line_for_each_problem(host: Host) -> None:
    bad = host.clone("bad")
    (bad / "README.md").write_text("mine\n")
    git("remote", "set-url", "origin", "/nowhere.git", cwd=bad)
    code, out, err = check(host)
    assert code == 1
    lines = sorted(out.splitlines())
    assert [line[:11] for line in lines] == [
        "  changes  ",
        "  remote   ",
        "bad: 2 prob",
        "course: all",
    ]
    assert err == "something is wrong with 1 of 2\n"


def test_none_at_all(host: Host) -> None:
    host.configure(REPODIR=str(host.folder / "empty"))
    (host.folder / "empty").mkdir()
    code, out, err = check(host)
    assert (code, out) == (0, "")
    assert "there is no checkout below REPODIR" in err


class TestFinds:
    def test_a_checkout_that_follows_nothing(self, host: Host) -> None:
        git("checkout", "-q", "--detach", cwd=host.repodir / "course")
        [(about, text)] = problems(host).items()
        assert about == "checkout"
        assert "detached HEAD" in text

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
    def test_another_owner(self, host: Host) -> None:
        course = host.repodir / "course"
        for folder, _, names in os.walk(course):
            for place in (folder, *(f"{folder}/{name}" for name in names)):
                os.chown(place, NOBODY, NOBODY)
        [(about, text)] = problems(host).items()
        assert about == "checkout"
        assert f"chown -R root {course}" in text

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
    def test_a_checkout_that_may_not_be_written(
        self, host: Host, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # As somebody who may not write everywhere; root may.
        monkeypatch.setattr(os, "access", lambda *_args, **_options: False)
        result = host.run("check", "course")
        assert result.exit_code == 1
        cure = f"Give it to root: chown -R root {host.repodir}/course"
        assert (
            f"owner     root may not write in course, which belongs to root. {cure}"
            in result.stdout
        )

    @needs_mount
    def test_a_disk_that_is_all_but_full(self, host: Host, tmp_path: Path) -> None:
        with tmpfs(tmp_path / "small", "8m"):
            host.configure(REPODIR=str(tmp_path / "small"))
            host.remote.clone(tmp_path / "small/course")
            [(about, text)] = problems(host).items()
        assert about == "disk"
        assert "MiB left, and nothing is fetched below 64: free some space" in text

    def test_a_remote_that_does_not_answer(self, host: Host) -> None:
        course = host.repodir / "course"
        git("remote", "set-url", "origin", "http://127.0.0.1:1/x.git", cwd=course)
        [(about, text)] = problems(host).items()
        assert about == "remote"
        assert "cannot be reached" in text
        assert "ls-remote origin" in text

    def test_a_host_key_or_credentials_that_are_refused(self, host: Host, tmp_path: Path) -> None:
        course = host.repodir / "course"
        git("remote", "set-url", "origin", "git@forge.example:a/b.git", cwd=course)
        for said, cure in (
            ("Host key verification failed.", "gitreload trust git@forge.example:a/b.git"),
            ("git@forge.example: Permission denied (publickey).", "Give the public key of"),
        ):
            ssh = tmp_path / "ssh"
            ssh.write_text(f"#!/bin/sh\necho '{said}' >&2\nexit 255\n")
            ssh.chmod(0o755)
            git("config", "core.sshCommand", str(ssh), cwd=course)
            [(about, text)] = problems(host).items()
            assert about == "key"
            assert cure in text

    @pytest.mark.skipif(SSHD is None, reason="there is no sshd: apt-get install openssh-server")
    def test_a_key_that_is_not_taken_or_cannot_be_used(self, host: Host, tmp_path: Path) -> None:
        key = git_ssh.key(tmp_path / "deploy")
        host.configure(REPOS={"course": {"SSH_KEY": str(key)}})
        host.state_dir.mkdir(mode=0o700)
        with ssh_server(tmp_path / "sshd") as server:
            (host.state_dir / "known_hosts").write_text(server.known_host)
            url = server.url(host.remote.bare)
            git("remote", "set-url", "origin", url, cwd=host.repodir / "course")
            assert "does not take the SSH_KEY of course" in problems(host)["key"]
            server.let_in(key)
            assert problems(host) == {}
            change = ["ssh-keygen", "-q", "-p", "-P", "", "-N", "a passphrase", "-f", str(key)]
            subprocess.run(change, check=True)
            assert f"passphrase away (ssh-keygen -p -N '' -f {key})" in problems(host)["key"]
            key.chmod(0o644)
            assert f"chmod 600 {key}" in problems(host)["key"]

    def test_a_branch_that_is_gone(self, host: Host) -> None:
        git("update-ref", "-d", "refs/heads/main", cwd=host.remote.bare)
        [(about, text)] = problems(host).items()
        assert about == "remote"
        assert "the branch main, which course follows, is not at" in text

    def test_changes(self, host: Host) -> None:
        (host.repodir / "course/README.md").write_text("mine\n")
        [(about, text)] = problems(host).items()
        assert about == "changes"
        assert "course has changes, which the next update takes away" in text

    def test_damage_and_leaves_it_as_it_is(self, host: Host) -> None:
        index = host.repodir / "course/.git/index"
        index.write_bytes(b"junk")
        [(about, text)] = problems(host).items()
        assert about == "checkout"
        assert "index" in text
        assert index.read_bytes() == b"junk"

    def test_that_it_is_behind_and_by_how_much(self, host: Host) -> None:
        course = host.repodir / "course"
        for number in range(2):
            tip = host.remote.commit({"a": f"{number}\n"})
        at = f"{tip[:12]}, its branch's tip: gitreload sync --update course"
        unknown = "course is behind by commits that are not fetched yet, up to"
        assert problems(host) == {"behind": f"{unknown} {at}"}
        git("fetch", "-q", cwd=course)
        assert problems(host) == {"behind": f"course is 2 commits behind {at}"}
        git("reset", "-q", "--hard", "origin/main", cwd=course)
        git("commit", "-q", "--allow-empty", "-m", "mine", cwd=course)
        own = "course is not at, but has commits of its own beyond,"
        assert problems(host) == {"behind": f"{own} {at}"}

    def test_an_import_that_is_owed_but_not_what_is_on_its_way(
        self, host: Host, book: Book
    ) -> None:
        head = git("rev-parse", "HEAD", cwd=host.repodir / "course")
        host.done("sync", "course")
        book.succeed(book.begin())
        owed = f"course is at {head[:12]}, but its import is still owed: gitreload sync course"
        assert problems(host) == {"behind": owed}
        host.done("sync", "course")
        assert problems(host) == {}
        assert "course: all is well" in check(host)[1]

    def test_that_nothing_can_be_imported(self, host: Host, book: Book) -> None:
        host.configure(IMPORTER="cms_import", EDX_PLATFORM=str(host.folder / "gone"))
        host.done("sync", "--update", "course")
        assert problems(host) == {}
        host.done("sync", "course")
        assert "there is no Open edX platform" in problems(host)["importer"]

    def test_a_job_that_failed(self, host: Host, book: Book) -> None:
        host.done("sync", "course")
        claimed = book.begin()
        book.try_again(claimed)
        assert problems(host) == {"job": "job 1 failed and is tried again: the remote is away"}
        host.done("retry", "1")
        book.try_again(book.begin(), failing=True)
        assert problems(host) == {"job": "job 1 fails again and again: the remote is away"}
        host.done("retry", "1")
        book.fail(book.begin())
        found = problems(host)
        assert found["job"] == (
            "its last job, 1, failed: course.xml is missing; once that is mended: gitreload retry 1"
        )

    def test_a_job_that_is_late(self, host: Host, late: str) -> None:
        assert problems(host)["job"].startswith(late)

    def test_a_webhook_that_seems_broken(self, host: Host, book: Book) -> None:
        head = git("rev-parse", "HEAD", cwd=host.repodir / "course")
        book.ledger.catch_up(the_checkout(host), head, lambda _: Action.UPDATE, missed=True)
        assert problems(host)["webhook"].startswith("the webhook of course seems broken: a push")


class TestWebhooks:
    """Where there is a token for those of GitHub."""

    @pytest.fixture
    def hub(self, host: Host, tmp_path: Path) -> Iterator[GitHub]:
        with github(tmp_path, rsa_key()) as running:
            host.configure(
                PUBLIC_URL="https://hooks.example",
                GITHUB_URL=running.url("").rstrip("/"),
                GITHUB_TOKEN=PERSONAL,
                REPOS={"course": {"REMOTES": [running.url("org/course.git")]}},
            )
            yield running

    def hook(self, hub: GitHub, url: str = "https://hooks.example/", **facts: Any) -> None:
        config = {"url": url, "insecure_ssl": facts.pop("insecure_ssl", "0")}
        hub.hooks["org/course"][7] = Hook(config, **facts)

    def test_all_is_well(self, host: Host, hub: GitHub) -> None:
        self.hook(hub, last_response={"code": 200, "status": "active", "message": "OK"})
        assert problems(host) == {}

    @pytest.mark.parametrize(
        ("facts", "told"),
        [
            ({"active": False}, "is switched off: tick Active"),
            ({"events": ["issues"]}, "does not send pushes"),
            ({"insecure_ssl": "1"}, "sends without looking at the certificate"),
            ({"url": "http://hooks.example/"}, "does not send where pushes are taken"),
            (
                {"url": "https://ada:secret@hooks.example/hook"},
                r"webhook to https://\*\*\*@hooks.example/hook does not send",
            ),
            ({"url": "https://hooks.example/hook"}, "does not send where pushes are taken"),
            (
                {"last_response": {"code": 401, "status": "x", "message": "Invalid HTTP"}},
                "was answered 401: its secret is none that is known here",
            ),
            (
                {"last_response": {"code": 502, "status": "x", "message": "failed to connect"}},
                r"was answered 502 \(failed to connect\): see its Recent Deliveries",
            ),
        ],
    )
    def test_what_is_wrong_with_one(
        self, host: Host, hub: GitHub, facts: dict[str, Any], told: str
    ) -> None:
        self.hook(hub, **facts)
        assert re.search(told, problems(host)["webhook"])

    def test_there_is_none(self, host: Host, hub: GitHub) -> None:
        self.hook(hub, "https://other.example/")
        told = problems(host)["webhook"]
        assert "no webhook of org/course sends to https://hooks.example, so its pushes" in told

    def test_the_token_may_not(self, host: Host, hub: GitHub) -> None:
        del hub.hooks["org/course"]
        told = problems(host)["webhook"]
        assert "answers 404" in told
        assert "has to have the permission Webhooks: Read and write" in told
        assert PERSONAL not in told

    def test_those_of_other_repositories_are_not_looked_at(self, host: Host, hub: GitHub) -> None:
        host.clone("other")
        self.hook(hub)
        assert check(host)[0] == 0
        assert hub.requests == ["GET /repos/org/course/hooks"]
