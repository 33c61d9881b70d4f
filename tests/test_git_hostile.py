"""A hostile repository: nothing outside the checkout is read, written or run.

Each case is a tip that somebody who may push made. It is refused, with what is wrong, or checked
out as it is; in either case nothing around the checkout changes, nothing secret comes in, no trap
is sprung, and the next honest tip is taken.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fakes.git_http import git_server
from gitreload.git import Extent, update
from gitreload.model import GitreloadError, PermanentError
from gitreload.process import Runner
from helpers import Remote, caseless, git
from sites import Site

SECRET = "the secret outside"


@dataclass
class Outside:
    """What is around the checkout: a secret, a directory that must stay empty, and a trap."""

    folder: Path

    @property
    def secret(self) -> Path:
        return self.folder / "secret"

    @property
    def empty(self) -> Path:
        return self.folder / "empty"

    @property
    def trap(self) -> Path:
        """A program that leaves a mark when it is run."""
        return self.folder / "trap"

    def make(self) -> None:
        self.empty.mkdir(parents=True)
        self.secret.write_text(SECRET)
        self.trap.write_text(f"#!/bin/sh\ntouch {self.folder}/sprung\ncat\n")
        self.trap.chmod(0o755)

    def check(self, site: Site) -> None:
        """Nothing was written or run here, and the secret is nowhere in the checkout."""
        assert sorted(path.name for path in self.folder.iterdir()) == ["empty", "secret", "trap"]
        assert self.secret.read_text() == SECRET
        assert not list(self.empty.iterdir())
        for file in site.path.rglob("*"):
            if file.is_file() and not file.is_symlink():
                assert SECRET.encode() not in file.read_bytes()
        assert SECRET not in "\n".join(site.log)


@pytest.fixture
def outside(tmp_path: Path) -> Outside:
    made = Outside(tmp_path / "outside")
    made.make()
    return made


class Forger:
    """Makes objects that no git command of an honest author would."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote

    def blob(self, content: str) -> str:
        return self._hash("blob", content.encode())

    def tree(self, *entries: tuple[str, bytes | str, str]) -> str:
        """Entries are mode, name and revision, in the order that they have to have."""
        parts = []
        for mode, name, revision in entries:
            raw = name.encode() if isinstance(name, str) else name
            parts.append(mode.encode() + b" " + raw + b"\0" + bytes.fromhex(revision))
        return self._hash("tree", b"".join(parts))

    def push(self, tree: str) -> str:
        """Commit `tree` upon the tip, and push it."""
        work = self._remote.work
        made = git("commit-tree", tree, "-p", "main", "-m", "hostile", cwd=work)
        git("push", "-q", "-f", "origin", f"{made}:refs/heads/main", cwd=work)
        return made

    def push_files(self, files: dict[str, tuple[str, str]]) -> str:
        """Push a tip with just these files: names to mode and content."""
        entries = [(mode, name, self.blob(content)) for name, (mode, content) in files.items()]
        return self.push(self.tree(*sorted(entries, key=lambda entry: entry[1])))

    def _hash(self, kind: str, content: bytes) -> str:
        done = subprocess.run(
            ["git", "hash-object", "-t", kind, "-w", "--literally", "--stdin"],
            cwd=self._remote.work,
            input=content,
            capture_output=True,
            check=True,
        )
        return done.stdout.decode().strip()


@pytest.fixture
def forger(remote: Remote) -> Forger:
    return Forger(remote)


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def _refused(site: Site, message: str) -> None:
    before = site.git("rev-parse", "HEAD")
    with pytest.raises(PermanentError, match=message):
        site.update(clean="ignored")
    assert site.at(before)


def _taken(site: Site, tip: str) -> None:
    assert site.update(clean="ignored").after == tip
    assert site.git("rev-parse", "HEAD") == tip


def _ends_honestly(site: Site, remote: Remote, outside: Outside) -> None:
    outside.check(site)
    remote.push("main", "--force")
    tip = remote.commit({"honest": "1"})
    _taken(site, tip)
    outside.check(site)


# Names that lead out of the checkout, or into .git


NAMES = {
    ".": "hasDot",
    "..": "hasDotdot",
    ".git": "hasDotgit",
    ".GIT": "hasDotgit",
    ".Git": "hasDotgit",
    "git~1": "hasDotgit",
    ".git ": "hasDotgit",
    ".git...": "hasDotgit",
    ".git::$INDEX_ALLOCATION": "hasDotgit",
    ".g\u200cit": "hasDotgit",
    "..\\..\\up": None,
    "a/../../up": "fullPathname",
    "/etc/up": "fullPathname",
}


@pytest.mark.parametrize(("name", "flaw"), NAMES.items(), ids=map(repr, NAMES))
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_names_that_lead_elsewhere(
    kind: str,
    name: str,
    flaw: str | None,
    site: Site,
    remote: Remote,
    forger: Forger,
    outside: Outside,
) -> None:
    blob = forger.blob(f"[core]\n\tfsmonitor = {outside.trap}\n\thooksPath = {outside.folder}\n")
    inner = forger.tree(("100644", "config", blob), ("100755", "hooks", blob))
    entry = ("100644", name, blob) if kind == "file" else ("40000", name, inner)
    tip = forger.push(forger.tree(entry))
    if flaw is None:
        _taken(site, tip)
        assert name in _names(site.path)
    else:
        _refused(site, rf"malformed object of .+ is refused: .+{flaw}")
    _ends_honestly(site, remote, outside)


def test_odd_names_are_just_names(
    site: Site, remote: Remote, forger: Forger, outside: Outside
) -> None:
    blob = forger.blob("x")
    names = [
        b"-rf",
        b"con",
        b"\xff\xfe",
        "a\u202eb".encode(),
        b"new\nline",
        b"\x1b[31mred",
        b"$(id)",
    ]
    tip = forger.push(forger.tree(*(("100644", name, blob) for name in sorted(names))))
    _taken(site, tip)
    assert _names(site.path) - {".git"} == set(map(os.fsdecode, names))
    for name in names:
        (site.path / os.fsdecode(name)).write_text("changed")
    (note,) = site.update(clean="ignored").notes
    assert note.startswith("dropped local changes of")
    assert note.isprintable()
    _ends_honestly(site, remote, outside)


@pytest.mark.parametrize(("length", "depth"), [(300, 0), (200, 30)], ids=["long", "deep"])
def test_names_that_no_file_system_takes(
    length: int, depth: int, site: Site, remote: Remote, forger: Forger, outside: Outside
) -> None:
    tree = forger.tree(("100644", "n" * length, forger.blob("x")))
    for _ in range(depth):
        tree = forger.tree(("40000", "d" * length, tree))
    forger.push(tree)
    with pytest.raises(PermanentError, match=r"has a file name that cannot exist in course: .+"):
        site.update()
    # Not looked at before: what git made until then is too deep for that.
    remote.push("main", "--force")
    _taken(site, remote.commit({"honest": "1"}))
    outside.check(site)


# Links


def _link_then_below(forger: Forger, outside: Outside) -> Iterator[str]:
    """A link out of the checkout first; then a directory of that name, with a file in it."""
    yield forger.push_files({"way": ("120000", str(outside.empty))})
    inner = forger.tree(("100644", "planted", forger.blob("planted")))
    yield forger.push(forger.tree(("40000", "way", inner)))
    yield forger.push_files({"way": ("120000", str(outside.secret))})
    yield forger.push_files({"way": ("100644", "a file again")})
    yield forger.push_files({"way": ("120000", "../../outside/empty")})


def test_links_are_never_written_or_read_through(
    site: Site, remote: Remote, forger: Forger, outside: Outside
) -> None:
    for tip in _link_then_below(forger, outside):
        _taken(site, tip)
        outside.check(site)
    _ends_honestly(site, remote, outside)


def test_a_link_and_a_directory_of_one_name_are_refused(
    site: Site, remote: Remote, forger: Forger, outside: Outside
) -> None:
    """A tree that has a name twice: the link would be made first, and written through."""
    inner = forger.tree(("100644", "planted", forger.blob("planted")))
    link = forger.blob(str(outside.empty))
    forger.push(forger.tree(("120000", "way", link), ("40000", "way", inner)))
    _refused(site, r"malformed object of .+ is refused: .+duplicateEntries")
    _ends_honestly(site, remote, outside)


@pytest.mark.parametrize("mine", ["link to a directory", "link to a file"])
def test_a_local_link_in_the_way_is_replaced(
    mine: str, site: Site, remote: Remote, outside: Outside
) -> None:
    (site.path / "way").symlink_to(outside.empty if "directory" in mine else outside.secret)
    name = "way/planted" if "directory" in mine else "way"
    tip = remote.commit({name: "planted"})
    _taken(site, tip)
    assert (site.path / name).read_text() == "planted"
    outside.check(site)


@pytest.mark.parametrize("name", [".gitmodules", ".gitattributes", ".gitignore", ".mailmap"])
def test_gits_own_files_as_links(
    name: str, site: Site, remote: Remote, forger: Forger, outside: Outside
) -> None:
    tip = forger.push_files({name: ("120000", str(outside.secret)), "a": ("100644", "a")})
    if name == ".gitmodules":
        _refused(site, r"malformed object of .+ is refused: .+gitmodulesSymlink")
    else:
        _taken(site, tip)
    _ends_honestly(site, remote, outside)


@pytest.mark.parametrize("entry", ["file", "submodule"])
def test_links_are_not_written_through_where_case_counts_for_nothing(
    entry: str, remote: Remote, forger: Forger, outside: Outside, tmp_path: Path
) -> None:
    """The link `a` and the directory `A` are one name there, and git may take one for the other."""
    blob = forger.blob(outside.trap.read_text())
    files = forger.tree(("100755", "post-checkout", blob))
    commit = git("rev-parse", "main", cwd=remote.work)
    with caseless(tmp_path / "caseless"):
        site = Site(remote, remote.clone(tmp_path / "caseless/course"))
        hooks = _names(site.path / ".git/hooks")
        for link in (".git/hooks", str(outside.empty)):
            forger.push(
                forger.tree(
                    ("100644", ".gitattributes", forger.blob("* filter=lfs\n")),
                    ("40000", "A", files if entry == "file" else forger.tree()),
                    ("120000", "a", forger.blob(link)),
                    ("160000", "b", commit),
                )
                if entry == "file"
                else forger.tree(
                    (
                        "100644",
                        ".gitmodules",
                        forger.blob('[submodule "x"]\n\tpath = A/x\n\turl = ../course.git\n'),
                    ),
                    ("40000", "A", forger.tree(("160000", "x", commit))),
                    ("120000", "a", forger.blob(link)),
                )
            )
            for _ in range(2):
                site.update(clean="ignored")
            assert _names(site.path / ".git/hooks") == hooks
            outside.check(site)
        _ends_honestly(site, remote, outside)


# Submodules, attributes


MODULES = {
    "program": ("part", "part", "ext::{trap}", None),
    "local": ("part", "part", "file://{secret}", None),
    "option as URL": ("part", "part", "-u./trap", "gitmodulesUrl"),
    "option as path": ("part", "-u./trap", "https://forge.example/x", "gitmodulesPath"),
    "name that climbs": ("../../hooks", "part", "https://forge.example/x", "gitmodulesName"),
    "URL with a line end": ("part", "part", '"https://x\\n.example/"', "gitmodulesUrl"),
    "URL without a host": ("part", "part", "https:///forge.example/x", "gitmodulesUrl"),
    "path that ends in CR": ("part", '"way\r"', "https://forge.example/x", None),
    "line that git once took for sections": (
        "part",
        "part",
        "https://x.example/" + "x" * 1100 + " [core] hooksPath = {trap}",
        None,
    ),
    "command as update": ("part", "part", "../x\n\tupdate = !{trap}", "gitmodulesUpdate"),
}


@pytest.mark.parametrize("case", MODULES)
@pytest.mark.parametrize("recurse", [True, False])
def test_submodules_are_never_fetched(
    case: str, recurse: bool, site: Site, remote: Remote, forger: Forger, outside: Outside
) -> None:
    name, path, url, flaw = MODULES[case]
    url = url.format(trap=outside.trap, secret=outside.secret)
    text = f'[submodule "{name}"]\n\tpath = {path}\n\turl = {url}\n'
    commit = git("rev-parse", "main", cwd=remote.work)
    entries = [
        ("100644", ".gitmodules", forger.blob(text)),
        ("160000", "part", commit),
        ("120000", "way", forger.blob(".git/hooks")),
        ("160000", "way\r", commit),
    ]
    if recurse:
        for key in ("submodule.recurse", "fetch.recurseSubmodules", "submodule.part.active"):
            site.git("config", key, "true")
        site.git("config", "protocol.allow", "always")
    tip = forger.push(forger.tree(*entries))
    hooks = _names(site.path / ".git/hooks")
    if flaw is None:
        _taken(site, tip)
        assert not _names(site.path / "part")
    else:
        _refused(site, rf"malformed object of .+ is refused: .+{flaw}")
    assert not (site.path / ".git/modules").exists()
    assert _names(site.path / ".git/hooks") == hooks
    if recurse:
        site.git("config", "--unset", "submodule.recurse")
    _ends_honestly(site, remote, outside)


WANTED_MODULES = {
    "program": ([("part", "part", "ext::{trap}")], "its URL has to be an https"),
    "local": ([("part", "part", "file://{secret}")], "its URL has to be an https"),
    "local path": ([("part", "part", "{secret}")], "its URL has to be an https"),
    "relative way out": ([("part", "part", "../../../evil.example/x")], "SUBMODULES allows only"),
    "option to ssh": ([("part", "part", "ssh://-oProxyCommand={trap}/x")], "its URL has to"),
    "two hosts": ([("part", "part", "http://evil.example#@{here}/x")], "its URL has to be"),
    "another host": ([("part", "part", "https://evil.example/x")], "SUBMODULES allows only"),
    "path into .git": ([("part", ".git/hooks", "../course.git")], "its path leads elsewhere"),
    "path that climbs": ([("part", "../../outside/empty", "../course.git")], "its path leads"),
    "absolute path": ([("part", "{empty}", "../course.git")], "its path leads elsewhere"),
    "path with magic": ([("part", ":(top)part", "../course.git")], "its path leads elsewhere"),
    "path that ends in CR": ([("part", '"way\r"', "../course.git")], "cannot be seen"),
    "name too long": ([("%" * 90, "part", "../course.git")], "its name is too long"),
    "one path twice": (
        [("one", "part", "../course.git"), ("two", "part", "../course.git")],
        "another one has the same path",
    ),
    "through a link": ([("part", "way/part", "../course.git")], None),
    "no submodule": ([("part", "README.md", "../course.git")], None),
    "within another": (
        [("a", "part", "../course.git"), ("a/hooks", "more", "../course.git")],
        None,
    ),
}


@pytest.mark.parametrize("case", WANTED_MODULES)
def test_submodules_that_are_wanted_stay_within(
    case: str, site: Site, remote: Remote, forger: Forger, outside: Outside
) -> None:
    modules, flaw = WANTED_MODULES[case]
    commit = git("rev-parse", "main", cwd=remote.work)
    with git_server(remote.bare.parent) as server:
        site.git("remote", "set-url", "origin", server.url("course.git"))
        values = {
            "trap": outside.trap,
            "secret": outside.secret,
            "empty": outside.empty,
            "here": f"127.0.0.1:{server.server_port}",
        }
        text = "".join(
            f'[submodule "{name}"]\n\tpath = {path}\n\turl = {url}\n\tignore = all\n'
            for name, path, url in modules
        ).format_map(values)
        tip = forger.push(
            forger.tree(
                ("100644", ".gitmodules", forger.blob(text)),
                ("100644", "README.md", forger.blob("x")),
                ("160000", "more", commit),
                ("160000", "part", commit),
                ("120000", "way", forger.blob(str(outside.empty))),
                ("160000", "way\r", commit),
            )
        )
        before = site.git("rev-parse", "HEAD")
        hooks = _names(site.path / ".git/hooks")
        wanted = Extent(submodules=())
        if flaw is None:
            assert site.update(clean="ignored", extent=wanted).after == tip
        else:
            with pytest.raises(PermanentError, match=flaw):
                site.update(clean="ignored", extent=wanted)
            assert site.at(before)
        assert _names(site.path / ".git/hooks") == hooks
        outside.check(site)
        remote.push("main", "--force")
        honest = remote.commit({"honest": "1"})
        assert site.update(clean="ignored", extent=wanted).after == honest
        assert _names(site.path) == {".git", "README.md", "honest"}
        outside.check(site)


def test_a_submodule_in_turn_with_a_link_and_a_file(
    site: Site, remote: Remote, forger: Forger, outside: Outside
) -> None:
    commit = git("rev-parse", "main", cwd=remote.work)
    modules = forger.blob('[submodule "part"]\n\tpath = part\n\turl = ../course.git\n')
    within = ("100644", ".gitmodules", modules)
    inner = forger.tree(("100644", "planted", forger.blob("planted")))
    turns = [
        (("160000", "part", commit), "README.md"),
        (("120000", "part", forger.blob(str(outside.empty))), None),
        (("160000", "part", commit), "README.md"),
        (("40000", "part", inner), "planted"),
        (("100644", "part", forger.blob("file")), None),
        (("160000", "part", commit), "README.md"),
    ]
    for entry, there in turns:
        tip = forger.push(forger.tree(within, entry))
        assert site.update(clean="none", extent=Extent(submodules=())).after == tip
        part = site.path / "part"
        if there is None:
            assert part.is_symlink() or part.is_file()
        else:
            assert _names(part) - {".git"} == {there}
        outside.check(site)


ATTRIBUTES = {
    "filter": "* filter=evil diff=evil merge=evil\n",
    "encoding": "* text working-tree-encoding=UTF-16\n",
    "unknown encoding": "* text working-tree-encoding=../../etc\n",
    "export": "* export-subst ident eol=crlf\n",
    "many lines": "".join(f"{number} a{number}\n" for number in range(20_000)),
}


@pytest.mark.parametrize("case", ATTRIBUTES)
def test_attributes_run_nothing(
    case: str, site: Site, remote: Remote, forger: Forger, outside: Outside
) -> None:
    config = f'[filter "evil"]\n\tsmudge = {outside.trap}\n\tprocess = {outside.trap}\n'
    tip = forger.push_files(
        {
            ".gitattributes": ("100644", ATTRIBUTES[case]),
            ".gitconfig": ("100644", config),
            ".lfsconfig": ("100644", f"[lfs]\n\turl = ssh://-oProxyCommand={outside.trap}/x\n"),
            "file": ("100644", "version https://git-lfs.github.com/spec/v1\n"),
        }
    )
    _taken(site, tip)
    _ends_honestly(site, remote, outside)


def test_attributes_that_old_programs_stumble_over_are_refused(
    site: Site, remote: Remote, forger: Forger, outside: Outside
) -> None:
    forger.push_files({".gitattributes": ("100644", "* " + "a" * 100_000 + "\n")})
    _refused(site, r"malformed object of .+ is refused: .+gitattributesLineLength")
    _ends_honestly(site, remote, outside)


def test_giant_files_of_git_are_taken_as_they_are(
    site: Site, remote: Remote, forger: Forger, outside: Outside
) -> None:
    modules = "".join(f'[submodule "{n}"]\n\tpath = {n}\n\turl = ./{n}\n' for n in range(5_000))
    names = "".join(f"A{number} <a@b> B <{number}@b>\n" for number in range(20_000))
    tip = forger.push_files({".gitmodules": ("100644", modules), ".mailmap": ("100644", names)})
    _taken(site, tip)
    assert site.update(extent=Extent(submodules=())).after == tip
    _ends_honestly(site, remote, outside)


# A repository that belongs to somebody else, or lies next door

HOSTILE = {
    "core.fsmonitor": "{trap}",
    "core.hooksPath": "{folder}",
    "core.sshCommand": "{trap}",
    "core.gitProxy": "{trap}",
    "core.pager": "{trap}",
    "core.editor": "{trap}",
    "core.alternateRefsCommand": "{trap}",
    "alias.fetch": "!{trap}",
    "alias.status": "!{trap}",
    "diff.external": "{trap}",
    "credential.helper": "!{trap}",
    "uploadpack.packObjectsHook": "{trap}",
    "remote.origin.uploadpack": "{trap}",
    "remote.evil.url": "ext::{trap}",
    "remote.evil.promisor": "true",
    "protocol.allow": "always",
}


def _configure(repository: Path, outside: Outside) -> None:
    for key, value in HOSTILE.items():
        text = value.format(trap=outside.trap, folder=outside.folder)
        git("config", key, text, cwd=repository)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_checkout_of_somebody_else_runs_nothing(
    site: Site, remote: Remote, outside: Outside
) -> None:
    remote.commit({"a": "1"})
    checkout = site.checkout()
    _configure(site.path, outside)
    for folder, _, files in os.walk(site.path):
        for name in (".", *files):
            os.chown(Path(folder, name), 65534, 65534)
    with pytest.raises(PermanentError, match="git does not trust"):
        update(checkout, Runner(log=site.log.append), timeout=60, clean_policy="ignored")
    outside.check(site)


@pytest.mark.parametrize("lacking", [True, False], ids=["lacks an object", "is whole"])
def test_a_remote_next_door_runs_nothing(
    lacking: bool, site: Site, remote: Remote, outside: Outside
) -> None:
    """What it lacks, git would have it fetch from where its own configuration says."""
    tip = remote.commit({"a": "1"})
    _configure(remote.bare, outside)
    if lacking:
        blob = git("rev-parse", "HEAD:a", cwd=remote.work)
        (remote.bare / "objects" / blob[:2] / blob[2:]).unlink()
        with pytest.raises(GitreloadError):
            site.update()
    else:
        _taken(site, tip)
    outside.check(site)


# What the other side says


def test_what_a_server_says_is_shown_without_control_characters(
    site: Site, remote: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ssh = tmp_path / "bin/ssh"
    ssh.parent.mkdir()
    ssh.write_text(
        "#!/bin/sh\nfor last; do :; done\n"
        "printf 'remote: \\033]0;title\\007\\033[2J\\033[31mred\\r\\nwarning: redirecting to "
        "https://x.example/\\033[31m\\342\\200\\256\\n' >&2\n"
        'exec sh -c "$last"\n'
    )
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", f"{ssh.parent}:{os.environ['PATH']}")
    site.git("remote", "set-url", "origin", f"ssh://git@forge.example{remote.bare}")
    tip = remote.commit({"a": "1"})
    updated = site.update()
    assert updated.after == tip
    told = "".join([*site.log, *updated.notes])
    assert "red" in told
    assert told.isprintable()


@pytest.mark.parametrize(
    "url",
    [
        "ssh://-oProxyCommand={trap}/x",
        "-oProxyCommand={trap}:x",
        "ssh://git@-oProxyCommand={trap}/x",
        "--upload-pack={trap}",
        "https://forge.example/x\n{trap}",
        "https://forge.example%0ahost=other.example/x",
        "https://forge.example%0dhost=other.example/x",
        "ext::{trap}",
        "fd::7",
    ],
)
def test_a_url_that_is_an_option_or_a_program_runs_nothing(
    url: str, site: Site, outside: Outside
) -> None:
    url = url.format(trap=outside.trap)
    site.git("config", "remote.origin.url", url)
    site.git("config", "protocol.allow", "always")
    git("config", "--global", "credential.helper", f"!{outside.trap}", cwd="/")
    with pytest.raises(GitreloadError):
        site.update()
    outside.check(site)


def test_a_login_is_not_told_to_the_site_that_a_remote_redirects_to(
    site: Site, remote: Remote
) -> None:
    with git_server(remote.bare.parent) as server, git_server(remote.bare.parent) as other:
        server.login = "ada:s3cret"
        other.login = "nobody:knows"
        site.git("remote", "set-url", "origin", server.url("course.git", login="ada:s3cret"))
        server.location = other.url("course.git/info/refs?service=git-upload-pack")
        with pytest.raises(PermanentError, match="does not accept the credentials"):
            site.update()
        assert set(other.seen) == {None}


def test_a_remote_cannot_name_another_place_to_fetch_from(
    site: Site, remote: Remote, outside: Outside
) -> None:
    """A bundle that a server advertises is git's to fetch, by whatever protocol its URL has."""
    git("config", "uploadpack.advertiseBundleURIs", "true", cwd=remote.bare)
    git("config", "bundle.version", "1", cwd=remote.bare)
    git("config", "bundle.mode", "all", cwd=remote.bare)
    git("config", "bundle.evil.uri", f"file://{outside.secret}", cwd=remote.bare)
    site.git("config", "transfer.bundleURI", "true")
    tip = remote.commit({"a": "1"})
    _taken(site, tip)
    outside.check(site)
