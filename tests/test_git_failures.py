from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitreload.git.errors import BranchGoneError
from gitreload.git.failures import failure
from gitreload.git.place import Place
from gitreload.model import GitreloadError, PermanentError, TransientError
from gitreload.visible import visible

PLACE = Place(
    directory="course",
    path="/srv/repos/course",
    url="https://ada:s3cret@forge.example/org/course.git",
    branch="live",
    user="www-data",
)

# What git, curl, ssh and forges said, as seen by others and by us.
SAID = {
    TransientError: [
        "fatal: unable to access 'https://x/': Could not resolve host: forge.example",
        "fatal: unable to look up forge.example (port 9418) (Name or service not known)",
        "fatal: unable to access 'https://x/': Failed to connect to x port 443: Connection refused",
        "fatal: unable to access 'https://x/': Operation timed out after 300031 milliseconds",
        "fatal: unable to access 'https://x/': Couldn't connect to server",
        "ssh: connect to host x port 22: No route to host\nfatal: Could not read from remote",
        "kex_exchange_identification: read: Connection reset by peer\nfatal: Could not read",
        "fatal: unable to access 'https://x/': The requested URL returned error: 502",
        "error: RPC failed; curl 22 The requested URL returned error: 504\nfatal: early EOF",
        (
            "error: RPC failed; curl 92 HTTP/2 stream 5 was not closed\nfetch-pack: "
            "unexpected disconnect while reading sideband packet\nfatal: early EOF\n"
            "fatal: fetch-pack: invalid index-pack output"
        ),
        "fatal: the remote end hung up unexpectedly",
        (
            "fatal: unable to access 'https://x/': GnuTLS recv error (-110): The connection was "
            "non-properly terminated."
        ),
        (
            "fatal: unable to access 'https://x/': Operation too slow. Less than 1 bytes/sec "
            "transferred the last 60 seconds"
        ),
        "fatal: write error: No space left on device\nfatal: index-pack failed",
        "error: unable to create file a: Disk quota exceeded",
        "fatal: cannot create directory at 'a': Read-only file system",
        (
            "fatal: Unable to create '/srv/course/.git/index.lock': File exists.\n\nAnother git "
            "process seems to be running in this repository"
        ),
        "fatal: Out of memory, malloc failed (tried to allocate 524288001 bytes)",
        "fatal: something that git says from next year on",
        "",
    ],
    PermanentError: [
        "fatal: Authentication failed for 'https://forge.example/org/course.git/'",
        "fatal: could not read Username for 'https://forge.example': terminal prompts disabled",
        "remote: HTTP Basic: Access denied\nfatal: Authentication failed for 'https://x/'",
        "fatal: unable to access 'https://x/': The requested URL returned error: 403",
        "git@x: Permission denied (publickey,password).\r\nfatal: Could not read from remote",
        "Received disconnect from 10.0.0.1 port 22:2: Too many authentication failures",
        "GitLab: Project 'org/course' was moved to 'org/new'.\nPlease update your Git remote.",
        (
            "fatal: unable to update url base from redirection:\n  asked for: https://x/a/info/refs"
            "\n   redirect: https://x/login"
        ),
        "fatal: unable to access 'https://x/': The requested URL returned error: 301",
        "No ED25519 host key is known for forge.example and you have requested strict checking.",
        "Host key verification failed.\r\nfatal: Could not read from remote repository.",
        "@@@\n@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\n@@@",
        "remote: Repository not found.\nfatal: repository 'https://x/' not found",
        "ERROR: Repository not found.\nfatal: Could not read from remote repository.",
        (
            "remote: ERROR: The project you were looking for could not be found or you don't have "
            "permission to view it."
        ),
        "fatal: '/srv/git/x.git' does not appear to be a git repository",
        "fatal: remote error: access denied or repository not exported: /x.git",
        "fatal: https://x/info/refs not valid: is this a git repository?",
        "fatal: unable to access 'https://x/': SSL certificate problem: certificate has expired",
        "fatal: unable to access 'https://x/': server certificate verification failed",
        "fatal: transport 'ftp' not allowed",
        (
            "fatal: detected dubious ownership in repository at '/srv/repos/course'\nTo add an "
            "exception for this directory, call:"
        ),
        f"error: object {'a' * 40}: hasDotgit: contains '.git'\nfatal: fsck error in packed object",
        "error: object file .git/objects/aa/bb is empty\nfatal: loose object aabb is corrupt",
        "error: inflate: data stream error (unknown method)\nfatal: unable to read tree",
        f"error: Could not read {'a' * 40}\nfatal: revision walk setup failed",
        "fatal: not a git repository (or any of the parent directories): .git",
        "fatal: bad config line 3 in file .git/config",
        "fatal: unknown repository extension found:\n\trefstorage",
        "git: 'remote-codecommit' is not a git command. See 'git --help'.",
        "error: cannot run ssh: No such file or directory\nfatal: unable to fork",
        "error: unable to unlink old 'a': Permission denied",
        "error: insufficient permission for adding an object to repository database .git/objects",
        "error: unable to create file aaaa: File name too long",
    ],
    BranchGoneError: ["fatal: couldn't find remote ref refs/heads/live"],
}


@pytest.mark.parametrize(
    ("said", "kind"), [(said, kind) for kind, samples in SAID.items() for said in samples]
)
def test_what_git_says_is_understood(said: str, kind: type[GitreloadError]) -> None:
    error = failure("git fetch", said, PLACE)
    assert isinstance(error, kind)
    if kind is not TransientError:
        assert " failed in " not in str(error), "says what it means, not only that it failed"
    assert "{" not in str(error)
    assert "s3cret" not in str(error)
    assert "\n" not in str(error)


def test_what_is_not_understood_is_quoted() -> None:
    said = "warning: odd\nerror: this is it\nhint: try harder\n"
    assert str(failure("git fetch", said, PLACE)) == "git fetch failed in course: this is it"
    assert str(failure("git gc", "", PLACE)) == "git gc failed in course: it said nothing"


def test_the_cure_can_be_pasted_into_a_shell() -> None:
    place = Place("a b", "/srv/a b;reboot", "ssh://git@forge.example/x", "live", "me")
    said = "fatal: detected dubious ownership in repository at '/srv/a b;reboot'"
    assert "safe.directory '/srv/a b;reboot'" in str(failure("git fetch", said, place))
    assert "sudo -u me gitreload trust ssh://git@forge.example/x" in str(
        failure("git fetch", "Host key verification failed.", place)
    )


@given(
    said=st.text() | st.sampled_from([said for samples in SAID.values() for said in samples]),
    around=st.text(),
    place=st.builds(
        Place,
        *[st.text()] * 5,
        ssh_key=st.none() | st.text().map(Path),
        token=st.none() | st.text(),
    ),
)
def test_whatever_is_said_gives_a_short_sentence_on_one_line(
    said: str, around: str, place: Place
) -> None:
    text = str(failure("git fetch", around + said + around * 100, place))
    assert text == visible(text)
    assert len(text) <= 1000 + 20 * sum(len(str(getattr(place, name))) for name in place.__slots__)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (
            "git@x: Permission denied (publickey).",
            "does not take the SSH_KEY of course: .+ www-data ssh-keygen -y -f '/keys/of course'",
        ),
        (
            "remote: HTTP Basic: Access denied\nfatal: Authentication failed for 'https://x/'",
            "does not take the REPOS.course.TOKEN in /run/token: .+ has expired .+ sync course",
        ),
        (
            "fatal: could not read Username for 'https://other.example': terminal prompts disabled",
            r"leads to another site now, https://other.example, which asks .+ not given the REPOS",
        ),
        (
            "@@@\n@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\n@@@",
            "shows another key than the one that is known: .+ gitreload trust",
        ),
        ("Host key verification failed.", "is not known to www-data: .+ gitreload trust"),
        (
            "GitLab: Project 'org/course' was moved to 'org/new'.",
            "has moved: GitLab: Project 'org/course' was moved to 'org/new'. Follow it, .+: git -C",
        ),
    ],
)
def test_what_a_checkout_has_of_its_own_is_named(said: str, message: str) -> None:
    own = replace(PLACE, ssh_key=Path("/keys/of course"), token="REPOS.course.TOKEN in /run/token")
    with pytest.raises(PermanentError, match=message):
        raise failure("git fetch", said, own)
