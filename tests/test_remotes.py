"""Which URLs name one repository, and what is hidden of them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitreload.remotes import canonical, mask, protocol, rewrite, ssh_host

ONE_REPOSITORY = [
    "https://forge.example/a/b",
    "https://forge.example/a/b.git",
    "https://forge.example/a/b/",
    "https://forge.example/a/b.git/",
    "https://forge.example//a//b",
    "https://forge.example/./a/b",
    "https://forge.example:443/a/b",
    "https://forge.example:0443/a/b",
    "https://forge.example:/a/b",
    "https://FORGE.Example./a/b",
    "https://user@forge.example/a/b",
    "https://user:p%40ss@forge.example/a/b",
    "https://user:p@ss@forge.example/a/b",
    "https://forge.example/%61/%62.git",
    "http://forge.example/a/b",
    "http://forge.example:80/a/b",
    "git://forge.example/a/b",
    "git://forge.example:9418/a/b",
    "ssh://git@forge.example/a/b.git",
    "ssh://git@forge.example:22/a/b.git",
    "ssh://git@forge.example:443/a/b.git",
    "SSH://forge.example/a/b",
    "git+ssh://git@forge.example/a/b",
    "ssh+git://git@forge.example/a/b",
    "git@forge.example:a/b",
    "git@forge.example:/a/b.git",
    "forge.example:a/b.git",
    "[forge.example]:a/b.git",
    "git@[forge.example:22]:a/b.git",
    "[git@forge.example:22]:a/b.git",
]


@pytest.mark.parametrize("url", ONE_REPOSITORY)
def test_spellings_of_one_repository_are_one(url: str) -> None:
    assert canonical(url) == "forge.example/a/b"


@pytest.mark.parametrize(
    ("url", "identity"),
    [
        # A repository's case counts, except where the forge ignores it.
        ("https://forge.example/Org/Course", "forge.example/Org/Course"),
        ("https://github.com/Org/Course.GIT", "github.com/org/course"),
        ("git@GitLab.com:Group/Sub/Course.git", "gitlab.com/group/sub/course"),
        # Hosts that forges keep for ssh alone.
        ("ssh://git@ssh.github.com:443/a/b.git", "github.com/a/b"),
        ("git@ssh.bitbucket.org:a/b.git", "bitbucket.org/a/b"),
        ("ssh://git@altssh.bitbucket.org:443/A/b", "bitbucket.org/a/b"),
        ("ssh://git@altssh.gitlab.com:443/a/b", "gitlab.com/a/b"),
        # A port that is not the usual one stays: two servers may share a host.
        ("ssh://git@forge.example:2222/a/b", "forge.example:2222/a/b"),
        ("git@[forge.example:2222]:a/b", "forge.example:2222/a/b"),
        ("https://forge.example:8443/a/b", "forge.example:8443/a/b"),
        ("https://forge.example:80/a/b", "forge.example:80/a/b"),
        # Here the number is the path's first part: git knows no port in this form.
        ("git@forge.example:2222/a/b", "forge.example/2222/a/b"),
        ("ssh://git@[::1]:22/a/b", "[::1]/a/b"),
        ("git@[0:0::1]:a/b", "[::1]/a/b"),
        ("https://[2001:DB8::1]:8443/a", "[2001:db8::1]:8443/a"),
        ("https://bücher.example/a", "xn--bcher-kva.example/a"),
        ("https://xn--bcher-kva.example/a", "xn--bcher-kva.example/a"),
        ("https://BU\u0308CHER.example/a", "xn--bcher-kva.example/a"),
        # IDNA 2003 would make these two one.
        ("https://straße.example/a", "xn--strae-oqa.example/a"),
        ("https://strasse.example/a", "strasse.example/a"),
        # Home directories: the two ssh forms agree.
        ("git@forge.example:~user/course.git", "forge.example/~user/course"),
        ("ssh://git@forge.example/~user/course", "forge.example/~user/course"),
        ("https://forge.example/%7euser/course", "forge.example/~user/course"),
        # One spelling for what is encoded; the scp form encodes nothing.
        ("https://forge.example/a%20b/%C3%A4", "forge.example/a%20b/%C3%A4"),
        ("https://forge.example/a b/ä", "forge.example/a%20b/%C3%A4"),
        ("git@forge.example:a b/ä", "forge.example/a%20b/%C3%A4"),
        ("git@forge.example:100%25", "forge.example/100%2525"),
        ("https://forge.example/a?b=c#d", "forge.example/a%3Fb=c%23d"),
        ("https://dev.azure.com/org/project/_git/repo", "dev.azure.com/org/project/_git/repo"),
        ("https://github.com@evil.example/a/b", "evil.example/a/b"),
        ("https://forge.example/a/.git", "forge.example/a"),
        ("https://forge.example/a.git.git", "forge.example/a"),
        # Local.
        ("/srv/git/course.git", "file:/srv/git/course"),
        ("file:///srv/git/course.git/", "file:/srv/git/course"),
        ("/srv//git/./x/../course/.git", "file:/srv/git/course"),
        ("/../srv/course", "file:/srv/course"),
        ("/srv/100%41 ü", "file:/srv/100%2541%20%C3%BC"),
        ("file:///srv/100%2541%20ü", "file:/srv/100%2541%20%C3%BC"),
        # git reads no host in a file URL.
        ("file://localhost/srv/course", "file:/localhost/srv/course"),
        ("/srv/a:b", "file:/srv/a:b"),
    ],
)
def test_identity(url: str, identity: str) -> None:
    assert canonical(url) == identity


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/",
        "file:///",
        "/.git",
        ".",
        "course",
        "../course",
        "./a:b",
        "~/course",
        "https://",
        "https:///a/b",
        "https://forge.example",
        "https://forge.example/",
        "https://forge.example/.git",
        ":a/b",
        "git@:a/b",
        "git@forge.example:",
        # Nothing climbs, however it is written.
        "https://forge.example/a/../b",
        "https://forge.example/a/%2e%2E/b",
        "https://forge.example/a/%2e./b",
        "https://forge.example/a%2f..%2fb",
        "https://forge.example/a/...git",
        "https://forge.example/a/..git",
        "git@forge.example:../b",
        # Nothing that a shell, a terminal or a parser could trip over.
        "https://forge.example/a\nb",
        "https://forge.example/a%0ab",
        "https://forge.example/a%00",
        "https://forge.example/\x1b[31m",
        "https://forge.example/\u202ea",
        "https://forge.example/\ud800",
        "https://evil.example\\@github.com/a/b",
        "https://forge example/a",
        "https://-oProxyCommand=x/a",
        "-oProxyCommand:a",
        "https://forge.example:99999/a",
        "https://forge.example:0/a",
        "https://forge.example:\uff14\uff14\uff13/a",
        "https://forge.example:443x/a",
        "https://[::1/a",
        "https://[not:an:address:]/a",
        "https://a..b%2f/a",
        # Who connects takes what is before the query or fragment for the host.
        "https://other.example?@forge.example/a",
        "https://other.example#@forge.example/a",
        # Not a forge's: helpers, Windows.
        "ext::sh -c id",
        "codecommit::eu-west-1://course",
        "javascript://forge.example/a",
        "C:\\courses\\a",
        "\\\\server\\share",
        "https://forge.example/" + "a" * 4096,
        "https://" + "ä" * 1000 + ".example/a",
    ],
)
def test_what_names_no_repository_for_sure(url: str) -> None:
    assert canonical(url) is None


def test_a_longest_url_is_still_read() -> None:
    url = "https://forge.example/"
    assert canonical(url + "a" * (4096 - len(url))) is not None


any_text = st.one_of(
    st.text(max_size=60),
    st.text(alphabet="ab.:/@[]%2eEfF~\\?#- gitshtpl", max_size=60),
    st.builds(
        "".join,
        st.tuples(
            st.sampled_from(["https://", "ssh://", "git@", "", "file://", "/", "ext::"]),
            st.text(alphabet="abä.:@[]1-", max_size=12),
            st.sampled_from(["/", ":", ":22/", ":8443/"]),
            st.text(alphabet="aB./%2eE0g~it?ä ", max_size=30),
            st.sampled_from(["", ".git", "/", ".git/", "/.git"]),
        ),
    ),
)


@given(any_text)
def test_no_string_raises_and_no_identity_climbs(url: str) -> None:
    for function in (canonical, protocol, ssh_host, mask):
        function(url)
    identity = canonical(url)
    if identity is not None:
        assert identity.isascii()
        assert identity.isprintable()
        assert not {"", ".", ".."} & set(identity.removeprefix("file:/").split("/"))


@given(any_text)
def test_an_identity_written_as_a_url_is_itself(url: str) -> None:
    identity = canonical(url)
    if identity is None:
        return
    if identity.startswith("file:/"):
        assert canonical("file://" + identity.removeprefix("file:")) == identity
    else:
        assert canonical("https://" + identity) == identity
        assert canonical("ssh://git@" + identity + ".git") == identity


names = st.from_regex(r"[A-Za-z0-9_~][A-Za-z0-9_~-]{0,10}", fullmatch=True)


@given(
    host=st.sampled_from(["forge.example", "github.com", "bücher.example", "127.0.0.1"]),
    path=st.lists(names, min_size=1, max_size=4).map("/".join),
)
def test_the_forms_of_one_url_agree(host: str, path: str) -> None:
    forms = [
        f"https://{host}/{path}",
        f"https://x:y@{host.upper()}:443/{path}.git",
        f"git://{host}/{path}/",
        f"ssh://git@{host}:22/{path}.git",
        f"git@{host}:{path}.git",
        f"git@{host}:/{path}",
    ]
    identities = {canonical(form) for form in forms}
    assert len(identities) == 1
    assert None not in identities


@given(st.lists(names, min_size=1, max_size=4).map("/".join))
def test_a_local_path_and_its_url_agree(path: str) -> None:
    assert canonical(f"/{path}") == canonical(f"file:///{path}.git") == canonical(f"/x/../{path}/")


def test_the_origin_of_a_relative_clone_is_understood(tmp_path: Path) -> None:
    """git keeps the way it was told: `/work/../forge`."""
    for command in (
        ["git", "init", "-q", "--bare", "forge.git"],
        ["mkdir", "work"],
        ["git", "-C", "work", "clone", "-q", "../forge.git", "clone"],
    ):
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    origin = subprocess.run(
        ["git", "-C", "work/clone", "config", "remote.origin.url"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    assert canonical(origin) == canonical(f"file://{tmp_path}/forge.git") is not None


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://forge.example/a", "https"),
        ("HTTP://forge.example/a", "http"),
        ("ssh://forge.example/a", "ssh"),
        ("git+ssh://forge.example/a", "ssh"),
        ("git@forge.example:a", "ssh"),
        ("[::1]:a", "ssh"),
        ("git://forge.example/a", "git"),
        ("file:///srv/a", "file"),
        ("/srv/a", "file"),
        ("../a:b", "file"),
        ("a", "file"),
        ("ext::sh -c id", "ext"),
        ("codecommit::eu-west-1://course", "codecommit"),
        ("javascript://x/y", "javascript"),
    ],
)
def test_protocol(url: str, name: str) -> None:
    assert protocol(url) == name


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("git@work:a/b", "work"),
        ("ssh://git@Work:2222/a/b", "Work"),
        ("git@[::1]:a", "::1"),
        ("https://forge.example/a", None),
        ("/srv/a", None),
        ("ssh://-oProxyCommand=id/a", None),
        ("git@-F:a", None),
        ("ssh://a b/c", None),
    ],
)
def test_ssh_host(url: str, host: str | None) -> None:
    assert ssh_host(url) == host


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("https://user:pw@host/a", "https://***@host/a"),
        ("https://token@host/a", "https://***@host/a"),
        ("https://user:p@w@host/a", "https://***@host/a"),
        ("https://:pw@host:8443/a", "https://***@host:8443/a"),
        ("HTTPS://u:p#w?x@host", "HTTPS://***@host"),
        ("ssh://git@host/a", "ssh://git@host/a"),
        ("ssh://git:pw@host/a", "ssh://git:***@host/a"),
        ("git+ssh://git@host/a ssh+git://git@host/a", "git+ssh://git@host/a ssh+git://git@host/a"),
        ("git@host:a/b", "git@host:a/b"),
        ("https://host/a@v1", "https://host/a@v1"),
        (
            "fatal: 'https://u:p@host/a' and https://t@other/b\nhttps://host x@y",
            "fatal: 'https://***@host/a' and https://***@other/b\nhttps://host x@y",
        ),
        ('{"u":"https://host","m":"a@b"}', '{"u":"https://host","m":"a@b"}'),
        ("url.https://t:s@host/.insteadOf", "url.https://***@host/.insteadOf"),
    ],
)
def test_mask(text: str, masked: str) -> None:
    assert mask(text) == masked


@given(
    before=st.text(max_size=20),
    password=st.text(alphabet=st.characters(exclude_characters='/"<>', categories=["L", "N", "P"])),
    after=st.text(max_size=20),
)
def test_no_password_is_left(before: str, password: str, after: str) -> None:
    secret = f"5ecret{password}"
    assert secret not in mask(f"{before} https://user:{secret}@host/path {after}")


@pytest.mark.parametrize("piece", ["://", "a", "://a", "ssh+", "ssh://a", "@", "://a@", ":/", "s"])
def test_mask_takes_a_megabyte_of_anything(piece: str) -> None:
    """Were it quadratic, this would run into the suite's time limit."""
    mask(piece * (1_000_000 // len(piece)))


def test_rewrite_takes_the_longest_prefix() -> None:
    rules = {"gh:": "https://github.com/", "gh:mitx/": "ssh://git@forge.example/mitx/"}
    assert rewrite("gh:mitx/a", rules) == "ssh://git@forge.example/mitx/a"
    assert rewrite("gh:other/a", rules) == "https://github.com/other/a"
    assert rewrite("https://github.com/a", rules) == "https://github.com/a"
