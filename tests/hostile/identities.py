"""Attacks on what is reached: names, URLs, refs and revisions that want to be something else.

All are genuine: an author with a secret must not reach another repository, nor a file.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Any

from hostile.authentication import gitee
from hostile.bodies import azure, brand, center, cloud
from hostile.cases import COURSE, SECRET, Case, Place, encoded, github, of, push, standard, told

COURSE_ONLY = frozenset({"course"})


def nowhere(name: str, build: Callable[[Place], bytes], status: int = 404) -> Case:
    """Names no repository that is cloned here."""
    return Case(name, lambda place: [build(place)], (status,), "not cloned here")


def foreign(name: str, url: str) -> Case:
    return nowhere(name, lambda _: github(encoded(push(url))))


def here(name: str, build: Callable[[Place], bytes], *directories: str) -> Case:
    """Names a repository that is here, and reaches these checkouts of it and no others."""
    reached = frozenset(directories) or COURSE_ONLY
    return Case(name, lambda place: [build(place)], (200,), "update of", reached)


def same(name: str, url: str) -> Case:
    """Another spelling of the URL, which must not become another repository."""
    return here(name, lambda _: github(encoded(push(url))))


def named(name: str, full_name: str) -> Case:
    """The name would lead elsewhere; only the URL counts, and that is of the course."""
    return here(
        name,
        lambda _: github(encoded(push(repository={"name": full_name, "full_name": full_name}))),
    )


def at_ref(name: str, ref: Any, says: str, status: int) -> Case:
    return Case(name, lambda _: [github(encoded(push(ref=ref)))], (status,), says)


def no_ref(name: str, ref: Any) -> Case:
    return at_ref(name, ref, "expected a full ref", 400)


def unfollowed(name: str, ref: str, says: str = "follows main") -> Case:
    return at_ref(name, ref, says, 200)


def told_of(name: str, **facts: Any) -> Case:
    """What the payload says besides is not believed: the remote's word counts."""
    return here(name, lambda _: github(encoded(push(**facts))))


def ignored(name: str, says: str, **facts: Any) -> Case:
    return Case(name, lambda _: [github(encoded(push(**facts)))], (200,), says)


def azure_of(url: str) -> bytes:
    """A push to the branch that is followed, of the repository at this address."""
    return azure({"refUpdates": [{"name": "refs/heads/main"}], "repository": {"remoteUrl": url}})


NAMES = (
    named("a name that climbs", "../../../etc"),
    named("a name that is a path", "/etc/passwd"),
    named("a name that is the folder", "."),
    named("a name that is the folder above", ".."),
    named("no name", ""),
    named("the name of another checkout", "other"),
    named("a name with a drive", "C:\\Windows\\system32"),
    named("a name that git takes for an option", "--upload-pack=touch${IFS}PWNED"),
    named("a name that a shell would run", "$(touch PWNED);`touch PWNED`|touch PWNED"),
    named("a name that ends with a dot and a space", "course. "),
    named("a name in another normal form", unicodedata.normalize("NFD", "Org/kürs")),
    named("a name that is git's own folder", ".git/config"),
    named("a name of the longest kind", "a" * 4096),
)

URLS = (
    foreign("a fork of the same name", "https://github.com/Mallory/course"),
    foreign("the same path on another host", "https://github.example/Org/course"),
    foreign("a host below the right one", "https://github.com.evil.example/Org/course"),
    foreign("the right host as a user", "https://github.com@evil.example/Org/course"),
    foreign("the right host as a user's password", "https://x:github.com@evil.example/Org/course"),
    foreign("the right URL as a path", "https://evil.example/https://github.com/Org/course"),
    foreign("the right host as a fragment", "https://evil.example/#@github.com/Org/course"),
    foreign("a backslash as a slash", "https://github.com\\@evil.example/Org/course"),
    foreign("another port", "https://github.com:8443/Org/course"),
    foreign("a port that is none", "https://github.com:65536/Org/course"),
    foreign("a letter of another alphabet in the host", "https://g\u0456thub.com/Org/course"),
    foreign("an invisible character in the host", "https://github\u200b.com/Org/course"),
    foreign("a question behind the URL", "https://github.com/Org/course?x=Org/course"),
    foreign("a way up and back", "https://github.com/Mallory/../Org/course"),
    foreign("a way up in percent signs", "https://github.com/Mallory/%2e%2e/Org/course"),
    foreign("a slash in percent signs", "https://github.com/Org%2fcourse"),
    foreign("NUL in percent signs", "https://github.com/Org/course%00.git"),
    foreign("a line end", "https://github.com/Org/course\n.git"),
    foreign("a pattern for all", "https://github.com/.*/.*"),
    foreign("a pattern of a shell", "https://github.com/Org/c*"),
    foreign("a helper of git's that runs a command", "ext::sh -c touch% PWNED"),
    foreign("a helper before the right URL", "ext::https://github.com/Org/course"),
    foreign("an option of git's", "--upload-pack=touch PWNED"),
    foreign("an option of ssh's as the host", "ssh://-oProxyCommand=touch%20PWNED/Org/course"),
    foreign("an option of ssh's, as scp has it", "-oProxyCommand=touch PWNED:Org/course"),
    foreign("a file of the system", "file:///etc/passwd"),
    foreign("a relative path", "../forge/course.git"),
    foreign("a path on another machine", "file://evil.example/Org/course"),
    foreign("a URL in a bundle", "bundle:https://github.com/Org/course"),
    foreign("an address of this machine", "http://127.0.0.1:5000/Org/course"),
    foreign("a host of 300 characters", f"https://{'a' * 300}.com/Org/course"),
    foreign("a thousand folders", "https://github.com" + "/a" * 1000),
    nowhere(
        "a repository that is here on disk, but not cloned",
        lambda place: github(encoded(push(place.outside))),
    ),
    nowhere(
        "the folder of a checkout as a repository",
        lambda place: github(encoded(push(place.url.replace("forge/course.git", "repos/course")))),
    ),
    nowhere(
        "the ledger as a repository",
        lambda place: github(encoded(push(place.url.replace("forge/course.git", "state")))),
    ),
    same("another protocol and a user", "ssh://git@github.com/Org/course.git"),
    same("scp's form", "git@github.com:Org/course.git"),
    same("the host for ssh behind a firewall", "ssh://git@ssh.github.com:443/Org/course"),
    same("letters of another case, where the forge ignores that", "HTTPS://GitHub.COM/org/COURSE"),
    same("a dot behind the host", "https://github.com./Org/course"),
    same("more slashes and endings", "https://github.com:443//Org///course.git/"),
    same("percent signs for letters", "https://github.com/%4frg/c%6furse"),
    here(
        "a foreign and the right URL in one payload",
        lambda _: github(
            encoded(push("https://evil.example/Org/course", repository={"html_url": COURSE}))
        ),
    ),
    here(
        "the way of a file that climbs and comes back",
        lambda place: github(encoded(push(place.url.replace("course.git", "../forge/course.git")))),
    ),
)

REFS = (
    no_ref("a ref that is HEAD", "HEAD"),
    no_ref("the last branch but one", "@{-1}"),
    no_ref("a branch without its place", "main"),
    no_ref("a ref of a remote without its place", "heads/main"),
    no_ref("a ref with a sign to force", "+refs/heads/main"),
    no_ref("an option as a ref", "--upload-pack=touch PWNED"),
    no_ref("no branch behind the place", "refs/heads/"),
    no_ref("a line end in a ref", "refs/heads/main\nrefs/heads/x"),
    no_ref("NUL in a ref", "refs/heads/main\0"),
    no_ref("a space behind a ref", "refs/heads/main "),
    no_ref("a slash behind a ref", "refs/heads/main/"),
    at_ref("a ref of 64 KiB", "refs/heads/" + "a" * 65536, "4096", 400),
    unfollowed("a refspec as a branch", "refs/heads/main:refs/heads/x"),
    unfollowed("a path that climbs as a branch", "refs/heads/../../config"),
    unfollowed("a range as a branch", "refs/heads/main..draft2"),
    unfollowed("a pattern as a branch", "refs/heads/*"),
    unfollowed("a branch in another case", "refs/heads/MAIN"),
    unfollowed("a branch with an invisible character", "refs/heads/ma\u200bin"),
    unfollowed("a branch with letters of another alphabet", "refs/heads/m\u0430in"),
    unfollowed("a branch that is a full ref again", "refs/heads/refs/heads/main"),
    unfollowed("a command in a branch", "refs/heads/;touch${IFS}PWNED|cat"),
    unfollowed("a branch that begins with a dash", "refs/heads/-f"),
    unfollowed("a tag of the branch's name", "refs/tags/main", "not a branch"),
    unfollowed("a pull request", "refs/pull/1/head", "not a branch"),
    unfollowed("notes", "refs/notes/commits", "not a branch"),
    unfollowed("a branch of a remote", "refs/remotes/origin/main", "not a branch"),
    unfollowed("a replaced object", "refs/replace/" + "1f" * 20, "not a branch"),
    here(
        "a branch that a shell would run, and that is followed",
        lambda place: github(encoded(push(place.url, "refs/heads/$(touch${IFS}PWNED)"))),
        "dollar",
    ),
    here(
        "a branch that git takes for an option, and that is followed",
        lambda place: github(encoded(push(place.url, "refs/heads/--upload-pack=touch${IFS}PWNED"))),
        "dashes",
    ),
    here("a branch in escapes", lambda _: github(encoded(push()).replace(b"main", b"\\u006dain"))),
    here(
        "the draft, of which there is another checkout",
        lambda place: github(encoded(push(place.url, "refs/heads/draft"))),
        "staging",
    ),
)

REVISIONS = (
    told_of("a revision that there is not", after="dead" * 10),
    told_of("a revision that is an option", after="--force"),
    told_of("a revision that is short", after="1f1f1f1"),
    told_of("a revision in upper case", after="AB" * 20),
    told_of("a revision of SHA-256", after="ab" * 32),
    told_of("a revision that is no hex", before="zz" * 20),
    told_of("a revision that is a ref", after="refs/heads/draft"),
    told_of("a revision of 4 KiB", after="a" * 4096),
    told_of("a push that moves nothing", before="2e" * 20),
    told_of(
        "created and forced, of an old branch", created=True, forced=True, base_ref="refs/heads/x"
    ),
    told_of(
        "two pushes that say to be deletions in a field that does not count",
        closed=True,
        type="DELETE",
    ),
    ignored("a deletion that has a revision", "was deleted", deleted=True),
    ignored("a deletion that does not say so", "was deleted", after="0" * 40),
    ignored("a deletion in zeros of SHA-256", "was deleted", after="0" * 64),
)


def gitlab(payload: Any) -> bytes:
    return of({"X-Gitlab-Event": "Push Hook", "X-Gitlab-Token": SECRET.decode()}, payload)


def system(changes: list[dict[str, Any]]) -> bytes:
    told = {"event_name": "repository_update", "project": {"git_http_url": COURSE}}
    return gitlab(told | {"changes": changes})


FORGES = (
    nowhere(
        "GitLab, a right path and a foreign URL",
        lambda _: gitlab(
            {
                "object_kind": "push",
                "ref": "refs/heads/main",
                "project": {
                    "git_http_url": "https://evil.example/Org/course",
                    "path_with_namespace": "Org/course",
                },
            }
        ),
        200,
    ),
    here(
        "GitLab, 5,000 refs of which one is followed",
        lambda _: system(
            [{"ref": f"refs/heads/b{n}"} for n in range(5000)] + [{"ref": "refs/heads/main"}]
        ),
    ),
    here("GitLab, one ref 5,000 times", lambda _: system([{"ref": "refs/heads/main"}] * 5000)),
    Case(
        "GitLab, 5,000 deletions with long names",
        lambda _: [
            system([{"ref": f"refs/heads/{n}{'x' * 3000}", "after": "0" * 40} for n in range(5000)])
        ],
        (200,),
        "was deleted",
    ),
    Case(
        "GitLab, 5,000 branches that nobody follows",
        lambda _: [system([{"ref": f"refs/heads/b{n}"} for n in range(5000)])],
        (200,),
        "follows main",
    ),
    nowhere(
        "Bitbucket, a name that climbs",
        lambda _: cloud(repository={"full_name": "../Org/course"}),
        200,
    ),
    nowhere(
        "Bitbucket, a name that is another host",
        lambda _: cloud(repository={"full_name": "@github.com/Org/course"}),
        200,
    ),
    nowhere(
        "Bitbucket, a page of another host than its own",
        lambda _: cloud(
            repository={
                "full_name": "x/y",
                "links": {"html": {"href": "https://evil.example/Org/course"}},
            }
        ),
        200,
    ),
    nowhere(
        "Bitbucket Data Center, a page with a trick",
        lambda _: center(
            repository={
                "slug": "course",
                "project": {"key": "Org"},
                "links": {"self": [{"href": "https://github.com/projects/x/repos/y/browse"}]},
            }
        ),
        200,
    ),
    nowhere(
        "Azure DevOps, a look-alike of its address",
        lambda _: azure_of("https://dev.azure.com.evil.example/Org/_git/course"),
        200,
    ),
    nowhere(
        "Azure DevOps, a way up as the project",
        lambda _: azure_of("https://dev.azure.com/Org/../_git/course"),
        200,
    ),
    nowhere(
        "Gitea, a deletion in a foreign repository",
        lambda _: brand("Gitea", "push", push("https://evil.example/Org/course")),
        404,
    ),
    here(
        "Gitee, a page of the course and a foreign clone URL",
        lambda _: gitee(
            SECRET.decode(), payload=push("https://evil.example/x", repository={"html_url": COURSE})
        ),
    ),
    nowhere(
        "Standard Webhooks, a foreign URL",
        lambda _: standard(told("https://evil.example/Org/course")),
        200,
    ),
    here("Standard Webhooks, the course", lambda _: standard(told())),
)


CASES = (*NAMES, *URLS, *REFS, *REVISIONS, *FORGES)
