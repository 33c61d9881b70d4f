"""The Tutor plugin, built and enabled in the real Tutor, which needs no Docker to render."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from gitreload import config
from gitreload.settings import Settings

PLUGIN = Path(__file__).parents[2] / "contrib/tutor-gitreload"
TUTOR = Path(sys.executable).with_name("tutor")

REPOS = {"geo": {"COURSE_KEY": "Brook/Geo1/2026"}}
CONFIG = {
    "PLUGINS": ["gitreload"],
    "LMS_HOST": "learn.example.org",
    "ENABLE_HTTPS": True,
    "GITRELOAD_SETTINGS": {"REPOS": REPOS, "NUM_THREADS": 2, "QUEUE_PUBLIC": True},
}

# What `docker` was asked to do, instead of doing it.
DOCKER = """#!{python} -IS
import json, sys
with open({log!r}, "a") as log:
    log.write(json.dumps(sys.argv[1:]) + "\\n")
"""


@dataclass(frozen=True)
class Project:
    """A directory of Tutor's, with the plugin enabled and everything rendered."""

    root: Path
    environ: dict[str, str]

    def tutor(self, *arguments: str) -> str:
        done = subprocess.run(
            [TUTOR, *arguments], env=self.environ, capture_output=True, text=True, check=True
        )
        return done.stdout

    def rendered(self, name: str) -> str:
        return (self.root / "env" / name).read_text()

    def service(self, name: str, *files: str) -> dict[str, Any]:
        """As `docker compose` puts it together of several files."""
        whole: dict[str, Any] = {}
        for file in files:
            part = yaml.safe_load(self.rendered(file))["services"].get(name, {})
            environment = {**whole.get("environment", {}), **part.get("environment", {})}
            whole = {**whole, **part, "environment": environment}
        return whole

    def manifest(self, file: str) -> dict[str, Any]:
        """What the plugin adds to one of the files for Kubernetes."""
        every = yaml.safe_load_all(self.rendered(f"k8s/{file}.yml"))
        (ours,) = [each for each in every if each and each["metadata"]["name"] == "gitreload"]
        return dict(ours)

    @property
    def config(self) -> dict[str, Any]:
        return dict(yaml.safe_load((self.root / "config.yml").read_text()))

    def docker_calls(self) -> list[list[str]]:
        log = self.root.parent / "docker.log"
        return [json.loads(line) for line in log.read_text().splitlines()]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("tutor")
    for name in ("root", "gitreload"):
        (folder / name).mkdir()
    mounts = {"MOUNTS": [str(folder / "gitreload")]}
    (folder / "root/config.yml").write_text(yaml.safe_dump(CONFIG | mounts))
    docker = folder / "bin/docker"
    docker.parent.mkdir()
    docker.write_text(DOCKER.format(python=sys.executable, log=str(folder / "docker.log")))
    docker.chmod(0o755)
    made = Project(
        folder / "root",
        {
            "HOME": str(folder),
            "PATH": f"{docker.parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(installed(folder / "wheel")),
            "TUTOR_ROOT": str(folder / "root"),
            "TUTOR_PLUGINS_ROOT": str(folder / "none"),
        },
    )
    made.tutor("config", "save")
    return made


def installed(folder: Path) -> Path:
    """The plugin as pip would install it: its wheel, unpacked."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=PLUGIN, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(folder / "site")
    return folder / "site"


LOCAL = ("local/docker-compose.yml", "local/docker-compose.prod.yml")
DEV = ("local/docker-compose.yml", "dev/docker-compose.yml")


def settings_of(project: Project, folder: Path, *files: str) -> Settings:
    """What gitreload makes of the environment that its service is given."""
    given = project.service("gitreload", *files)["environment"]
    (folder / "gr.env.json").write_text("{}")
    where = {"GITRELOAD_CONFIG": str(folder / "gr.env.json"), "HOME": str(folder)}
    return config.load({**given, **where}).settings


def test_gitreload_takes_the_settings_that_its_service_is_given(
    project: Project, tmp_path: Path
) -> None:
    settings = settings_of(project, tmp_path, *LOCAL)
    (secret,) = (secret for _, secret in settings.secrets())
    assert secret.read().decode() == project.config["GITRELOAD_WEBHOOK_SECRET"]
    assert settings.public_url == "https://gitreload.learn.example.org"
    assert (settings.host, settings.port, settings.num_threads) == ("0.0.0.0", 5000, 2)
    assert settings.queue_public
    assert settings.repo("geo").course_key == "Brook/Geo1/2026"
    assert settings.importer == "cms_import"
    assert settings.django_settings == "tutor.production"
    assert not settings.cms_import.outline


def test_the_service_sees_what_studio_sees(project: Project) -> None:
    ours, cms = (project.service(name, *LOCAL) for name in ("gitreload", "cms"))
    own = "../../data/gitreload:/openedx/gitreload:z"
    uwsgi = "../apps/openedx/uwsgi.ini:/openedx/uwsgi.ini:roz"
    assert set(ours["volumes"]) - {own} == set(cms["volumes"]) - {uwsgi}
    assert own in ours["volumes"]
    assert ours["image"] == "docker.io/openedx-gitreload:0.3.0"
    permissions = project.service("permissions", *LOCAL)
    assert "../../data/gitreload:/mounts/gitreload:z" in permissions["volumes"]
    assert "setowner $OPENEDX_USER_ID /mounts/gitreload" in project.rendered(
        "apps/permissions/setowners.sh"
    )


def test_dev_has_its_own_image_settings_and_port(project: Project, tmp_path: Path) -> None:
    dev = project.service("gitreload", *DEV)
    assert dev["image"] == "openedx-gitreload-dev:0.3.0"
    assert dev["ports"] == ["5000:5000"]
    settings = settings_of(project, tmp_path, *DEV)
    assert settings.django_settings == "tutor.development"
    assert settings.public_url == "http://gitreload.learn.example.org:5000"
    assert settings.cms_import.outline
    assert settings.repo("geo").course_key == "Brook/Geo1/2026"


def test_kubernetes_gets_the_same_settings(project: Project) -> None:
    pod = project.manifest("deployments")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    given = {each["name"]: each["value"] for each in container["env"]}
    assert given == project.service("gitreload", *LOCAL)["environment"]
    assert json.loads(given["GITRELOAD_REPOS"]) == REPOS
    claims = [each["persistentVolumeClaim"]["claimName"] for each in pod["volumes"][-1:]]
    assert claims == [project.manifest("volumes")["metadata"]["name"]]
    assert {each["name"] for each in container["volumeMounts"]} == {
        each["name"] for each in pod["volumes"]
    }
    labels = project.manifest("deployments")["spec"]["template"]["metadata"]["labels"]
    service = project.manifest("services")["spec"]
    assert service["selector"] == labels
    assert service["ports"][0]["port"] == container["ports"][0]["containerPort"] == 5000


def test_webhooks_reach_it_under_a_host_of_its_own(project: Project) -> None:
    caddyfile = project.rendered("apps/caddy/Caddyfile")
    ours = 'gitreload.learn.example.org{$default_site_port} {\n    import proxy "gitreload:5000"\n}'
    assert ours in caddyfile


def test_images_are_built_of_a_mounted_clone_on_top_of_the_platforms(project: Project) -> None:
    clone = project.root.parent / "gitreload"
    project.tutor("images", "build", "gitreload", "gitreload-dev")
    production, development = project.docker_calls()
    for call, tag in (production, "docker.io/openedx-gitreload"), (development, "openedx-git"):
        assert any(each.startswith(f"--tag={tag}") for each in call)
        assert f"--build-context=gitreload-src={clone}" in call
        assert call[-1] == str(project.root / "env/plugins/gitreload/build/gitreload")
    assert "--target=development" in development
    dockerfile = project.rendered("plugins/gitreload/build/gitreload/Dockerfile")
    assert "FROM docker.io/overhangio/openedx:" in dockerfile
    assert "what='gitreload==0.3.0'" in dockerfile


def test_the_container_starts_gitreload_in_its_volume(project: Project, tmp_path: Path) -> None:
    started = tmp_path / "gitreload"
    started.write_text('#!/bin/sh\necho "gitreload $*" > started\n')
    started.chmod(0o755)
    volume = tmp_path / "volume"
    volume.mkdir()
    for _ in range(2):
        subprocess.run(
            ["sh", project.root / "env/plugins/gitreload/build/gitreload/serve"],
            env={
                "PATH": f"{tmp_path}:{os.environ['PATH']}",
                "GITRELOAD_CONFIG": str(volume / "gr.env.json"),
                "GITRELOAD_REPODIR": str(volume / "repos"),
                "GITRELOAD_STATE_DIR": str(volume / "state"),
            },
            cwd=tmp_path,
            check=True,
        )
        assert (tmp_path / "started").read_text() == "gitreload serve\n"
        text = (volume / "gr.env.json").read_text()
        (volume / "gr.env.json").write_text('{"REPOS": {}}')
    assert text == '{"REPOS": {}}'
    assert sorted(each.name for each in volume.iterdir()) == [
        "gr.env.json",
        "repos",
        "ssh",
        "state",
    ]
    assert (volume / "ssh").stat().st_mode & 0o777 == 0o700
