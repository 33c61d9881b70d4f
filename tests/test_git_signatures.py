"""A tip is checked out only where a listed key signed it, whatever else the machine believes."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitreload.git import Signers, UntrustedError
from gitreload.model import Action, PermanentError, State
from gitreload.process import proc
from gitreload.publish import Published
from helpers import Remote, git
from signing import GnuPG, Person, run, with_ssh
from sites import Site
from workbench import Bench

needs_gpg = pytest.mark.skipif(shutil.which("gpg") is None, reason="gpg (gnupg) is not installed")
needs_ssh = pytest.mark.skipif(
    shutil.which("ssh-keygen") is None, reason="ssh-keygen (openssh-client) is not installed"
)
PEOPLE = [
    pytest.param("ssh", marks=needs_ssh, id="ssh"),
    pytest.param("openpgp", marks=needs_gpg, id="openpgp"),
]


@pytest.fixture(scope="module")
def gnupg(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GnuPG]:
    made = GnuPG(tmp_path_factory.mktemp("pgp"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def openpgp(gnupg: GnuPG) -> list[Person]:
    return [gnupg.with_key("ada"), gnupg.with_key("eve")]


@pytest.fixture(scope="module")
def ssh(tmp_path_factory: pytest.TempPathFactory) -> list[Person]:
    folder = tmp_path_factory.mktemp("ssh")
    return [with_ssh(folder, "ada"), with_ssh(folder, "eve")]


@pytest.fixture
def pair(request: pytest.FixtureRequest) -> list[Person]:
    """Ada, who is to be listed, and Eve, who is not; with keys of one kind."""
    found: list[Person] = request.getfixturevalue(request.param)
    return found


both_kinds = pytest.mark.parametrize("pair", PEOPLE, indirect=True)


def trust(site: Site, *people: Person) -> Signers:
    """Have only these people's signatures count."""
    files = tuple(person.public for person in people)
    folder = site.path.parent.parent / "state/signatures/course"
    site.signers = Signers("REPOS.course.VERIFY_SIGNATURES", files, folder)
    return site.signers


def refused(site: Site) -> str:
    """The message that an update is refused with; it has to leave all as it was."""
    before = site.git("rev-parse", "HEAD")
    with pytest.raises(UntrustedError) as caught:
        site.update()
    assert site.at(before)
    return str(caught.value)


def tamper(remote: Remote) -> str:
    """Change the tip after it was signed, and push it."""
    text = git("cat-file", "commit", "HEAD", cwd=remote.work)
    changed = remote.work / ".git/changed"
    changed.write_text(text.replace("\n\nsigned", "\n\nchanged") + "\n")
    tip = git("hash-object", "-t", "commit", "-w", str(changed), cwd=remote.work)
    git("reset", "-q", "--hard", tip, cwd=remote.work)
    remote.push("main", "--force")
    return tip


@both_kinds
def test_what_a_listed_key_signed_is_checked_out(
    site: Site, remote: Remote, pair: list[Person]
) -> None:
    ada, eve = pair
    signers = trust(site, eve, ada)
    tip = ada.commit(remote)
    assert site.update().after == tip
    assert site.at(tip)
    told = f"the commit {tip[:12]} is signed by the .* key {re.escape(ada.name)}, which REPOS"
    assert re.search(told, "\n".join(site.log))
    assert not signers.folder.exists()
    assert proc.marked("GNUPGHOME", str(signers.folder / "gnupg")) == set()


@both_kinds
def test_another_key_is_refused_until_a_listed_one_signs_on_top(
    site: Site, remote: Remote, pair: list[Person]
) -> None:
    ada, eve = pair
    trust(site, ada)
    tip = eve.commit(remote)
    message = refused(site)
    assert message.startswith(
        f'the commit {tip[:12]} of course ("signed", by Ada Author <ada@example.org>) is refused: '
        "it is signed by the "
    )
    assert message.endswith(
        f"key {eve.name}, which is not listed. If that key may be trusted, list its public half in "
        "REPOS.course.VERIFY_SIGNATURES, then run: gitreload reload && gitreload sync course. If "
        "not, push a commit on top that a listed key signed (git commit -S)"
    )
    assert refused(site) == message
    above = ada.commit(remote, "on top")
    assert site.update().notes == ()
    assert site.at(above)


@both_kinds
def test_what_is_not_signed_is_refused(site: Site, remote: Remote, pair: list[Person]) -> None:
    trust(site, pair[0])
    remote.commit({"a": ""}, "an \x1b[31m oddity " + "x" * 200)
    message = refused(site)
    assert r'("an \x1b[31m oddity ' in message
    assert 'xx…", by Ada Author <ada@example.org>) is refused: it is not signed. Push a' in message


@both_kinds
def test_what_was_changed_after_it_was_signed_is_refused(
    site: Site, remote: Remote, pair: list[Person]
) -> None:
    trust(site, pair[0])
    pair[0].commit(remote)
    tamper(remote)
    assert re.search("its .*signature.* is not valid for it. Push", refused(site))


@needs_gpg
def test_expired_and_revoked_keys_are_refused(site: Site, remote: Remote, gnupg: GnuPG) -> None:
    old, revoked = gnupg.with_key("old", at="20240101T000000"), gnupg.with_key("re", revoked=True)
    trust(site, old, revoked)
    old.commit(remote)
    message = refused(site)
    assert f"it is signed by the OpenPGP key {old.name}, which has expired. Have its" in message
    assert message.endswith("VERIFY_SIGNATURES names, and run: gitreload sync course")
    revoked.commit(remote, "another")
    assert f"key {revoked.name}, which was revoked. Push a commit" in refused(site)


@needs_gpg
@needs_ssh
def test_keys_of_one_kind_do_not_stand_for_the_other(
    site: Site, remote: Remote, ssh: list[Person], openpgp: list[Person]
) -> None:
    for listed, signing, kind in ((ssh, openpgp, "OpenPGP"), (openpgp, ssh, "SSH")):
        trust(site, listed[0])
        signing[0].commit(remote, kind)
        assert f"signed with an {kind} key, and none of those is listed. If" in refused(site)


@needs_ssh
@pytest.mark.parametrize(
    ("label", "told"),
    [
        ("SIGNED MESSAGE", r"its signature \(SIGNED MESSAGE\) is neither OpenPGP's nor SSH's"),
        ("OTHER SIGNATURE", r"its signature \(OTHER SIGNATURE\) is neither"),
        ("SSH SIGNATURE", "its SSH signature is not valid for it"),
    ],
)
def test_signatures_that_nobody_can_read_are_refused(
    site: Site, remote: Remote, ssh: list[Person], label: str, told: str
) -> None:
    trust(site, ssh[0])
    text = git("cat-file", "commit", "HEAD", cwd=remote.work).replace(
        "\n\n", f"\ngpgsig -----BEGIN {label}-----\n AAAA\n -----END {label}-----\n\nsigned", 1
    )
    site.git("config", "gpg.x509.program", "./run")
    site.write("run", "#!/bin/sh\ntouch ran\n")
    (site.path / "run").chmod(0o755)
    (remote.work / ".git/odd").write_text(text)
    tip = git("hash-object", "-t", "commit", "-w", ".git/odd", cwd=remote.work)
    git("push", "-q", "--force", "origin", f"{tip}:main", cwd=remote.work)
    assert re.search(told, refused(site))
    assert not (site.path / "ran").exists()


@both_kinds
def test_nothing_of_the_checkout_or_the_user_has_a_say(
    site: Site, remote: Remote, pair: list[Person], tmp_path: Path
) -> None:
    ada, eve = pair
    evil, ran = tmp_path / "evil", tmp_path / "ran"
    evil.write_text(
        f'#!/bin/sh\ntouch {ran}\necho "[GNUPG:] GOODSIG 00 x"; echo "[GNUPG:] VALIDSIG 00 x"\n'
        'echo "Good \\"git\\" signature for x with ED25519 key x"\n'
    )
    evil.chmod(0o755)
    allowed = tmp_path / "allowed"
    allowed.write_text(f"* {eve.public.read_text()}" if eve.public.suffix == ".pub" else "")
    git("config", "--global", "gpg.ssh.allowedSignersFile", str(allowed), cwd=tmp_path)
    if eve.public.suffix == ".asc":
        run("gpg", "--batch", "--quiet", "--no-autostart", "--import", str(eve.public))
    for kind in ("", "openpgp.", "ssh.", "x509."):
        site.git("config", f"gpg.{kind}program", str(evil))
    site.git("config", "gpg.ssh.allowedSignersFile", str(allowed))
    site.git("config", "gpg.ssh.revocationFile", str(ada.public))
    site.git("config", "gpg.minTrustLevel", "ultimate")
    trust(site, ada)
    good = ada.commit(remote)
    assert site.update().after == good
    bad = eve.commit(remote, "evil")
    assert eve.name in refused(site)
    site.git("replace", bad, good)
    assert eve.name in refused(site)
    assert not ran.exists()


@both_kinds
def test_either_the_tag_or_its_commit_has_to_be_signed(
    site: Site, remote: Remote, pair: list[Person]
) -> None:
    ada, eve = pair
    site.tags = "v*"
    trust(site, ada)
    unsigned = remote.commit({"a": "1"})
    ada.tag(remote, "v1")
    assert site.update().after == unsigned
    assert "the tag v1 is signed by the" in "\n".join(site.log)
    signed = ada.commit(remote)
    git("tag", "-a", "-m", "a release", "v2", cwd=remote.work)
    git("push", "-q", "origin", "v2", cwd=remote.work)
    assert site.update().after == signed
    eve.commit(remote, "by another")
    ada.tag(remote, "v3")
    assert site.update().after != signed
    remote.commit({"a": "2"})
    git("tag", "v4", cwd=remote.work)
    git("push", "-q", "origin", "v4", cwd=remote.work)
    assert re.match(r"the commit .* is not signed. Push a newer tag that a listed", refused(site))
    git("tag", "-a", "-m", "a release", "v5", cwd=remote.work)
    git("push", "-q", "origin", "v5", cwd=remote.work)
    assert re.match(r"the commit .* is not signed. Push a newer tag that a listed", refused(site))
    eve.tag(remote, "v6")
    assert re.match(
        rf"the tag v6 of course \(\"a release\", by Ada .* key {re.escape(eve.name)}, which is not",
        refused(site),
    )


@both_kinds
def test_a_long_path_and_the_rest_of_a_killed_run_do_no_harm(
    site: Site, remote: Remote, pair: list[Person], tmp_path: Path
) -> None:
    folder = tmp_path / ("long name " * 15) / "course"
    (folder / "gnupg").mkdir(parents=True)
    (folder / "gnupg/pubring.kbx").write_text("half written")
    site.signers = Signers("REPOS.course.VERIFY_SIGNATURES", (pair[0].public,), folder)
    tip = pair[0].commit(remote)
    assert site.update().after == tip


@needs_ssh
def test_the_files_count_as_they_are_now(
    site: Site, remote: Remote, ssh: list[Person], tmp_path: Path
) -> None:
    ada, eve = ssh
    file = tmp_path / "keys"
    file.write_bytes(ada.public.read_bytes())
    site.signers = Signers("REPOS.course.VERIFY_SIGNATURES", (file,), tmp_path / "state")
    eve.commit(remote)
    assert "not listed" in refused(site)
    file.write_bytes(ada.public.read_bytes() + eve.public.read_bytes())
    site.update()
    file.unlink()
    with pytest.raises(PermanentError, match=r"^REPOS\.course\.VERIFY_SIGNATURES: the file "):
        site.update()


@needs_gpg
def test_a_key_that_gpg_does_not_take_is_told(site: Site, tmp_path: Path) -> None:
    file = tmp_path / "broken.asc"
    label = "PGP PUBLIC KEY BLOCK-----"
    file.write_text(f"-----BEGIN {label}\n\nAAAA\n-----END {label}\n")
    site.signers = Signers("REPOS.course.VERIFY_SIGNATURES", (file,), tmp_path / "state")
    with pytest.raises(PermanentError, match=r"keys in .*/broken\.asc: import from .* failed: "):
        site.update()


@both_kinds
def test_a_missing_program_is_told(
    site: Site, pair: list[Person], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/git").symlink_to(shutil.which("git") or "")
    trust(site, pair[0])
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(PermanentError, match=r"is not installed: install it .*(gnupg|openssh)"):
        site.update()


@needs_ssh
def test_it_takes_one_more_git_command(site: Site, remote: Remote, ssh: list[Person]) -> None:
    ssh[0].commit(remote)
    site.update()
    counted = []
    for signers in (None, trust(site, ssh[0])):
        site.signers = signers
        site.children.clear()
        site.update()
        counted.append(len(site.children))
    assert counted[1] == counted[0] + 1


@needs_ssh
def test_damaged_objects_are_not_replaced_by_a_refused_tip(
    site: Site, remote: Remote, ssh: list[Person]
) -> None:
    trust(site, ssh[0])
    before = ssh[0].commit(remote)
    site.update()
    ssh[1].commit(remote, "another")
    refused(site)
    for file in (site.path / ".git/objects").glob("*/*.pack"):
        file.chmod(0o644)
        file.write_bytes(b"garbage")
    with pytest.raises(UntrustedError, match="not listed"):
        site.update()
    assert "fetching everything anew" in "\n".join(site.log)
    assert (site.path / ".git/refs/heads/main").read_text().strip() == before
    tip = ssh[0].commit(remote, "on top")
    assert site.update().after == tip
    assert site.at(tip)


@needs_ssh
class TestJobs:
    def test_what_is_served_stays_and_force_changes_nothing(
        self, bench: Bench, ssh: list[Person]
    ) -> None:
        bench.configured(PUBLISH=True, VERIFY_SIGNATURES=[str(ssh[0].public)])
        tip = ssh[0].commit(bench.remote)
        bench.sync(action=Action.UPDATE)
        assert bench.run().state is State.SUCCEEDED
        bench.remote.commit({"a": ""})
        for force in (False, True):
            bench.sync(action=Action.UPDATE, force=force)
            job = bench.run()
            assert job.state is State.FAILED
            assert "is refused: it is not signed" in (job.error or "")
        published = Published.of(bench.tools.settings, "course")
        assert published is not None
        assert published.served() == tip

    def test_a_replica_that_lags_is_waited_for(self, bench: Bench, ssh: list[Person]) -> None:
        bench.configured(VERIFY_SIGNATURES=[str(ssh[0].public)])
        behind = git("rev-parse", "HEAD", cwd=bench.remote.work)
        tip = ssh[0].commit(bench.remote)
        git("push", "-q", "--force", "origin", f"{behind}:main", cwd=bench.remote.work)
        bench.push(tip)
        assert bench.run().state is State.QUEUED
        bench.remote.push()
        job, waited = bench.run_when_due()
        assert (job.to_revision, waited) == (tip, 3)
