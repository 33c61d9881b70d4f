from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gitreload import config, config_sources, logs
from gitreload.config import Config, ConfigError, Settings, load
from gitreload.setting_forms import Group
from gitreload.setting_groups import (
    BuildSettings,
    PublishSettings,
    RepoSettings,
    StandardPaths,
)
from gitreload.setting_importers import CmsImportSettings, StudioSettings
from gitreload.setting_reporters import NotifySettings, OutgoingWebhookSettings
from gitreload.setting_statuses import StatusSettings
from gitreload.setting_tutor import TutorSettings
from gitreload.settings import KEYS, REPO_KEYS
from gitreload.visible import visible
from helpers import check_snapshot

SECRET = "a-Secret-of-28-characters-ok"
STUDIO = {
    "URL": "https://studio.example",
    "LMS_URL": "https://lms.example/",
    "CLIENT_ID": "gitreload",
    "CLIENT_SECRET": SECRET,
}
WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
DOCS = Path(__file__).parent.parent / "docs/configuration.md"


@pytest.fixture(autouse=True)
def system_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Takes the place of /etc/gr.env.json."""
    path = tmp_path / "etc/gr.env.json"
    path.parent.mkdir()
    monkeypatch.setattr(config_sources, "SYSTEM_FILE", path)
    return path


@pytest.fixture
def cwd(tmp_path: Path) -> Path:
    folder = tmp_path / "cwd"
    folder.mkdir()
    return folder


def write(folder: Path, values: object) -> Path:
    path = folder / "gr.env.json"
    path.write_text(values if isinstance(values, str) else json.dumps(values))
    return path


def load_file(folder: Path, **values: Any) -> Config:
    write(folder, values)
    return load({"HOME": str(folder / "home")}, folder)


def problems(folder: Path, environ: dict[str, str] | None = None) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        load({"HOME": str(folder / "home"), **(environ or {})}, folder)
    return caught.value.problems


class TestFile:
    def test_none_is_needed(self, cwd: Path) -> None:
        loaded = load({"HOME": str(cwd)}, cwd)
        assert loaded.path is None
        assert loaded.warnings == ()
        assert set(loaded.sources.values()) == {"default"}
        assert loaded.settings.repodir == Path("/mnt/data/repos")

    def test_the_first_of_four_is_read(self, tmp_path: Path, cwd: Path, system_file: Path) -> None:
        home = tmp_path / "home"
        home.mkdir()
        environ = {"HOME": str(home)}
        found = []
        for number, folder in enumerate([system_file.parent, home, cwd]):
            path = write(folder, {"PORT": number})
            loaded = load(environ, cwd)
            assert loaded.sources["PORT"] == str(path)
            found.append((loaded.path, loaded.settings.port))
        named = tmp_path / "named.json"
        named.write_text('{"PORT": 3}')
        loaded = load({**environ, "GITRELOAD_CONFIG": str(named)}, cwd)
        found.append((loaded.path, loaded.settings.port))
        assert found == [
            (system_file, 0),
            (home / "gr.env.json", 1),
            (cwd / "gr.env.json", 2),
            (named, 3),
        ]

    def test_a_named_one_may_start_at_home(self, tmp_path: Path, cwd: Path) -> None:
        write(tmp_path, {"PORT": 1})
        environ = {"HOME": str(tmp_path), "GITRELOAD_CONFIG": "~/gr.env.json"}
        assert load(environ, cwd).settings.port == 1

    def test_that_of_0_2_works_unchanged(self, cwd: Path) -> None:
        loaded = load_file(
            cwd,
            DJANGO_SETTINGS="aws",
            EDX_PLATFORM="/edx/app/edxapp/edx-platform",
            LOG_LEVEL=None,
            NUM_THREADS=1,
            REPODIR="/mnt/data/repos",
            VIRTUAL_ENV="/edx/app/edxapp/venvs/edxapp",
        )
        assert loaded.warnings == ()
        assert loaded.settings.django_settings == "aws"

    def test_a_byte_order_mark_is_no_matter(self, cwd: Path) -> None:
        write(cwd, "\ufeff{}")
        assert load({"HOME": str(cwd)}, cwd).path == cwd / "gr.env.json"

    def test_a_removed_working_directory_holds_none(
        self, cwd: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(cwd)
        cwd.rmdir()
        assert load({"HOME": "/nowhere"}).path is None

    def test_is_not_read_on_import(self, cwd: Path) -> None:
        write(cwd, "broken")
        subprocess.run([sys.executable, "-c", "import gitreload.config"], cwd=cwd, check=True)


class TestEnvironment:
    def test_overrides_single_keys(self, cwd: Path) -> None:
        write(cwd, {"HOST": "::1", "PORT": 1})
        loaded = load(
            {
                "HOME": str(cwd),
                "GITRELOAD_PORT": "2",
                "GITRELOAD_QUEUE_PUBLIC": "true",
                "GITRELOAD_LOG_LEVEL": "info",
                "GITRELOAD_LOG_FILE_PATH": "",
                "GITRELOAD_WEBHOOK_SECRETS": f'["{SECRET}"]',
                "GITRELOAD_REPOS": '{"a": {"CLEAN": "none"}}',
            },
            cwd,
        )
        settings = loaded.settings
        assert (settings.host, settings.port, settings.queue_public) == ("::1", 2, True)
        assert (settings.log_level, settings.log_file_path) == ("INFO", None)
        assert [secret.read() for secret in settings.webhook_secrets] == [SECRET.encode()]
        assert settings.repo("a").clean == "none"
        assert loaded.sources["HOST"] == str(cwd / "gr.env.json")
        assert loaded.sources["PORT"] == "environment variable GITRELOAD_PORT"

    def test_replaces_even_a_wrong_value(self, cwd: Path) -> None:
        write(cwd, {"PORT": "x"})
        assert load({"HOME": str(cwd), "GITRELOAD_PORT": "2"}, cwd).settings.port == 2

    def test_what_children_are_given_is_no_key(self, cwd: Path) -> None:
        names = ["GITRELOAD_ATTEMPT", "GITRELOAD_EVIDENCE_FD", "GITRELOAD_JOB_BRANCH"]
        assert load({"HOME": str(cwd), **dict.fromkeys(names, "1")}, cwd).warnings == ()

    def test_is_that_of_the_process_by_default(
        self, cwd: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(cwd)
        monkeypatch.setenv("GITRELOAD_PORT", "7")
        assert load().settings.port == 7


class TestValues:
    def test_paths_become_absolute(self, cwd: Path) -> None:
        settings = load_file(cwd, REPODIR="~/repos", EDX_PLATFORM="platform").settings
        assert settings.repodir == cwd / "home/repos"
        assert settings.edx_platform == cwd / "platform"

    def test_a_secret_that_everybody_may_read_is_warned_about_once(self, cwd: Path) -> None:
        file = cwd / "secret"
        file.write_text(SECRET)
        file.chmod(0o640)
        told = {"FILE": str(file)}
        assert load_file(cwd, WEBHOOK_SECRETS=[told]).warnings == ()
        file.chmod(0o644)
        [warning] = load_file(cwd, WEBHOOK_SECRETS=[told], BASIC_AUTH={"ada": told}).warnings
        assert warning.endswith(f"may read the secret in {file}; run: chmod o-r {file}")

    def test_a_relative_path_is_warned_about(self, cwd: Path) -> None:
        folder = cwd / "a\x1b"
        folder.mkdir()
        [warning] = load_file(folder, REPODIR="repos").warnings
        assert f"write {cwd}/a\\x1b/repos" in warning

    @pytest.mark.parametrize("has_aws", [False, True])
    def test_django_settings_follow_the_platform(self, cwd: Path, has_aws: bool) -> None:
        envs = cwd / "lms/envs"
        envs.mkdir(parents=True)
        if has_aws:
            (envs / "aws.py").touch()
        settings = load_file(cwd, EDX_PLATFORM=str(cwd)).settings
        assert settings.django_settings == ("aws" if has_aws else "production")
        assert load_file(cwd, DJANGO_SETTINGS="mine.aws").settings.django_settings == "mine.aws"

    def test_state_dir_follows_the_user(self, cwd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def state_dir(**environ: str) -> str:
            return str(load({"HOME": "/home/ada", **environ}, cwd).settings.state_dir)

        monkeypatch.setattr(os, "geteuid", lambda: 0)
        assert state_dir(XDG_STATE_HOME="/xdg") == "/var/lib/gitreload"
        monkeypatch.setattr(os, "geteuid", lambda: 1000)
        assert state_dir() == "/home/ada/.local/state/gitreload"
        assert state_dir(XDG_STATE_HOME="/xdg") == "/xdg/gitreload"
        assert state_dir(XDG_STATE_HOME="not/absolute") == "/home/ada/.local/state/gitreload"

    def test_a_directory_without_settings_has_the_defaults(self, cwd: Path) -> None:
        settings = load_file(cwd, REPOS={"org/a": {"CLEAN": "none"}}).settings
        assert settings.repo("org/a").clean == "none"
        assert settings.repo("b") == RepoSettings()

    def test_the_settings_cannot_be_changed(self) -> None:
        settings = Settings(port=2)
        with pytest.raises(ValueError, match="frozen"):
            settings.port = 1

    @pytest.mark.parametrize("value", ["course-v1:MITx+6.00x+2024_T1", "MITx/6.00x/2024_T1"])
    def test_course_keys_of_both_kinds(self, cwd: Path, value: str) -> None:
        settings = load_file(cwd, REPOS={"a": {"COURSE_KEY": value}}).settings
        assert settings.repo("a").course_key == value


class TestSecrets:
    def test_are_shown_nowhere(self, cwd: Path, tmp_path: Path) -> None:
        file = tmp_path / "secret"
        file.write_text(f"{SECRET}\n")
        loaded = load_file(
            cwd,
            WEBHOOK_SECRETS=[SECRET, {"FILE": str(file)}],
            BASIC_AUTH={"ada": SECRET, "bob": {"FILE": str(file)}},
            REPOS={"course": {"SECRETS": [SECRET]}},
            IMPORTER_ENV={"DB_PASSWORD": SECRET},
            STUDIO=STUDIO,
        )
        assert [secret.read() for secret in loaded.settings.webhook_secrets] == [
            SECRET.encode(),
            SECRET.encode(),
        ]
        shown = config.masked(loaded)
        assert SECRET not in f"{loaded!r} {loaded.settings} {shown} {loaded.warnings}"
        values = {key: value for key, value, _ in shown}
        assert values["WEBHOOK_SECRETS"] == ["********", {"FILE": str(file)}]
        assert values["BASIC_AUTH"] == {"ada": "********", "bob": {"FILE": str(file)}}
        assert '"SECRETS": ["********"]' in json.dumps(values["REPOS"])
        assert values["IMPORTER_ENV"] == {"DB_PASSWORD": "********"}
        assert values["STUDIO"] == {**STUDIO, "CLIENT_SECRET": "********"}
        assert json.loads(json.dumps(values)) == values

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("WEBHOOK_SECRETS", SECRET),
            ("WEBHOOK_SECRETS", [[SECRET]]),
            ("WEBHOOK_SECRETS", [SECRET[:11]]),
            ("WEBHOOK_SECRETS", [{"VALUE": SECRET}]),
            ("WEBHOOK_SECRETS", [f"{SECRET}\ud800"]),
            ("WEBHOOK_SECRETS", {SECRET: 1}),
            ("WEBHOOK_SECRET", [SECRET]),
            ("IMPORTER_ENV", {"A": [SECRET]}),
            ("IMPORTER_ENV", {"A": f"{SECRET}\0"}),
            ("REPOS", [SECRET]),
            ("REPOS", {"a": {"SECRETS": SECRET}}),
            ("REPOS", {"a": {"SECRETS": [[SECRET]]}}),
            ("REPOS", {"a": {"SECRETS": [f"whsec_{SECRET}"]}}),
            ("REPOS", {"a": {"SECRET": [SECRET]}}),
            ("BASIC_AUTH", f"ada:{SECRET}"),
            ("BASIC_AUTH", [f"ada:{SECRET}"]),
            ("BASIC_AUTH", {f"ada:{SECRET}": SECRET}),
            ("BASIC_AUTH", {f"ada:{SECRET}": 1}),
            ("BASIC_AUTH", {"ada": [SECRET]}),
            ("REPOS", {"a": {"REMOTES": [f"https://ada:{SECRET}@host/x"]}}),
            ("REPOS", {"a": {"REMOTES": f"https://ada:{SECRET}@host/x"}}),
            ("HOST", f"https://{SECRET}@host"),
            ("GITHUB_TOKEN", [SECRET]),
            ("GITHUB_TOKEN", f"{SECRET} {SECRET}"),
            ("GITHUB_URL", f"https://ada:{SECRET}@host"),
            ("STUDIO", f"https://ada:{SECRET}@host"),
            ("STUDIO", {**STUDIO, "URL": f"https://ada:{SECRET}@host"}),
            ("STUDIO", {**STUDIO, "CLIENT_SECRET": [SECRET]}),
            ("STUDIO", {**STUDIO, "CLIENT_SECRET": f"{SECRET}\n{SECRET}"}),
            ("REPOS", {"a": {"STUDIO": {**STUDIO, "CLIENT_SECRET": {"FIL": SECRET}}}}),
        ],
    )
    def test_are_not_in_errors(self, cwd: Path, key: str, value: object) -> None:
        write(cwd, {key: value})
        with pytest.raises(ConfigError) as caught:
            load({"HOME": str(cwd)}, cwd)
        assert SECRET[:11] not in str(caught.value)
        assert caught.value.__context__ is None  # a logged traceback would print it

    @pytest.mark.parametrize("text", ["[{SECRET}]", '["{SECRET}" 1]', '["{SECRET}'])
    def test_are_not_in_errors_of_syntax(self, cwd: Path, text: str) -> None:
        wrong = {"GITRELOAD_WEBHOOK_SECRETS": text.replace("{SECRET}", SECRET)}
        assert SECRET not in "".join(problems(cwd, wrong))


@pytest.mark.parametrize(
    ("host", "refused"),
    [
        ("127.0.0.1", False),
        ("127.8.8.8", False),
        ("::1", False),
        ("localhost", False),
        ("0.0.0.0", True),
        ("::", True),
        ("192.0.2.1", True),
        ("git.example.org", True),
    ],
)
def test_an_open_host_needs_a_secret_or_permission(cwd: Path, host: str, refused: bool) -> None:
    assert bool(config.refuse_open_host(load_file(cwd, HOST=host).settings)) == refused
    for lifted in (
        {"WEBHOOK_SECRETS": [SECRET]},
        {"BASIC_AUTH": {"ada": SECRET}},
        {"REPOS": {"course": {"SECRETS": [SECRET]}}},
        {"ALLOW_UNSIGNED": True},
    ):
        settings = load_file(cwd, HOST=host, **lifted).settings
        assert config.refuse_open_host(settings) is None


# Every message that a user can meet: file (as JSON, or as bytes), then environment.
MESSAGES: list[tuple[object, dict[str, str]]] = [
    (b"", {}),
    (b"[]", {}),
    (b'{"PORT": 1 "HOST": ""}', {}),
    (b'{"PORT": 1, "PORT": 2}', {}),
    (b'{"REPOS": {"a": {}, "a": {}}}', {}),
    (b'{"REPOS": {"a\\u202e": {}}}', {}),
    (b'{"GIT_TIMEOUT_SECONDS": NaN}', {}),
    (b'{"PORT": %s}' % (b"9" * 5000), {}),
    (b"[" * 100_000, {}),
    (b'{"HOST": "caf\xe9"}', {}),
    ({}, {"GITRELOAD_CONFIG": "/no/such/gr.env.json"}),
    ({}, {"GITRELOAD_CONFIG": "."}),
    ({"REPO_DIR": "/x", "repodir": "/x", "COLOUR": 1}, {}),
    ({"REPOS": {"course": {"clean": "none", "GUARD": []}}}, {}),
    ({"REPOS": {"/srv/course": {}, "../course": {}, "a/b/c": {}, "": {}}}, {}),
    ({"REPOS": []}, {}),
    ({"REPOS": {"course": ["none"]}}, {}),
    ({"REPOS": {"course": {"CLEAN": "all", "COURSE_KEY": "6.00x", "REMOTES": "x"}}}, {}),
    ({"REPOS": {"course": {"REMOTES": ["course", "https://ada:pw@git.example.org/x", 1]}}}, {}),
    ({"EDX_PLATFORM": None, "VIRTUAL_ENV": "", "LMS_CFG": 1, "REVISION_CFG": False}, {}),
    ({"REPODIR": "/srv/\x1b[31m\u202e", "LOG_FILE_PATH": [], "STATE_DIR": 5}, {}),
    ({"DJANGO_SETTINGS": "--help", "HOST": "0.0.0.0:80", "PORT": "5000"}, {}),
    ({"NUM_THREADS": 0, "HISTORY_DAYS": 1.5, "HISTORY_MB": True}, {}),
    ({"SUBPROCESS_TIMEOUT_MINUTES": 0, "GIT_TIMEOUT_SECONDS": "10", "PORT": 65536}, {}),
    ({"SHUTDOWN_GRACE_SECONDS": -1, "NUM_THREADS": 257}, {}),
    ({"ALLOW_UNSIGNED": "yes", "QUEUE_PUBLIC": 1, "LOG_LEVEL": "loud", "LOG_FORMAT": "xml"}, {}),
    ({"EVIDENCE": "none", "GIT_ADD_COURSE_STYLE": None}, {}),
    ({"IMPORTER_ENV": {"A-B": "", "GITRELOAD_ATTEMPT": "", "C": 1, "D": "\0"}}, {}),
    ({"IMPORTER_ENV": "A=1"}, {}),
    ({"STUDIO": "https://studio.example"}, {}),
    ({"STUDIO": {"URL": "studio.example", "CLIENT_ID": "x"}}, {}),
    ({"STUDIO": {"URL": "studio", "LMS_URL": 1, "CLIENT_ID": "", "CLIENT_SECRET": ""}}, {}),
    ({"STUDIO": {**STUDIO, "LMS": "x"}, "REPOS": {"a": {"STUDIO": {**STUDIO, "KEY": 1}}}}, {}),
    ({}, {"GITRELOAD_STUDIO": "https://studio.example"}),
    ({"WEBHOOK_SECRETS": "one"}, {}),
    ({"WEBHOOK_SECRETS": ["", " \n", "short", 1, None, {}, {"file": "x"}, {"FILE": 1}]}, {}),
    ({"WEBHOOK_SECRETS": [{"FILE": "none"}, {"FILE": "."}, {"FILE": "empty"}]}, {}),
    ({"WEBHOOK_SECRETS": ["whsec_tooshort", "whsec_not/base64!", "whpk_AAAAAAAAAA"]}, {}),
    ({"REPOS": {"course": {"PUBLISH": "yes", "VALIDATE": "check --all"}}}, {}),
    ({"REPOS": {"PUBLISH": {"PUBLISH": {"KEEP": 0, "LINKS": "/srv/x", "HARDLINKS": 1}}}}, {}),
    ({"REPOS": {"course": {"PUBLISH": False, "VALIDATE": ["true"]}}}, {}),
    ({"REPOS": {"course": {"PUBLISH": True, "VALIDATE": [""]}}}, {}),
    ({"REPOS": {"a": {"AFTER": "restart", "PATHS": "course"}, "b": {"AFTER": []}}}, {}),
    ({"REPOS": {"a": {"BUILD": ["make"]}, "b": {"PUBLISH": True, "BUILD": {"OUTPUT": "x"}}}}, {}),
    ({"REPOS": {"a": {"BUILD": {"COMMAND": ["make"], "OUTPUT": "../x", "OUT": 1}}}}, {}),
    ({"REPOS": {"a": {"BUILD": {"COMMAND": ["make"]}}}}, {}),
    (
        {"REPOS": {"a": {"PUBLISH": {"HARDLINKS": True}, "BUILD": {"COMMAND": ["make"]}}}},
        {},
    ),
    (
        {"REPOS": {"a": {"PUBLISH": True, "COURSE_KEY": "a/b/c", "BUILD": {"COMMAND": ["x"]}}}},
        {},
    ),
    ({"REPOS": {"a": {"PATHS": ["", "!", "/x", "a/../b", "./a", "a//b", "[a", "a\\"]}}}, {}),
    ({"REPODIR": "/srv", "REPOS": {"a": {"PUBLISH": {"LINK": "/srv/b"}}}}, {}),
    (
        {
            "REPODIR": "/srv/r",
            "REPOS": {"a": {"PUBLISH": True}, "b": {"PUBLISH": {"LINK": "/srv/published/a"}}},
        },
        {},
    ),
    ({"REPOS": {"course": {"SECRETS": "one", "FORGE": "hub"}}}, {}),
    ({"REPOS": {"course": {"SECRETS": ["short", "long enough to do"], "SECRET": []}}}, {}),
    ({"REPOS": {"course": {"SECRETS": ["long enough to do"]}}}, {}),
    ({"REPOS": {"course": {"SECRETS": ["long enough to do"], "FORGE": "sourcehut"}}}, {}),
    ({"REPOS": {"a": {"DEPTH": 0, "SPARSE": ["b/"]}, "b": {"DEPTH": "1", "SPARSE": "b"}}}, {}),
    (
        {"REPOS": {"a": {"SUBMODULES": "github.com"}, "b": {"SUBMODULES": ["https://b", "b:443"]}}},
        {},
    ),
    ({"REPOS": {"a": {"VERIFY_SIGNATURES": "ada.pub"}, "b": {"VERIFY_SIGNATURES": [1, ""]}}}, {}),
    ({"REPOS": {"a": {"VERIFY_SIGNATURES": ["none", ".", "empty", "gr.env.json"]}}}, {}),
    ({"REPOS": {"a": {"SSH_KEY": 1, "TOKEN": 1}, "b": {"SSH_KEY": "", "TOKEN": "two words"}}}, {}),
    ({"REPOS": {"a": {"TOKEN": ""}, "b": {"TOKEN": {"FILE": "none"}}, "c": {"TOKEN": []}}}, {}),
    ({"REPOS": {"a": {"TOKEN": {"APP_ID": 1}}, "b": {"TOKEN": {"APP_ID": "", "KEY": ""}}}}, {}),
    ({"REPOS": {"a": {"TOKEN": {"APP_ID": 1, "PRIVATE_KEY": "none"}}}}, {}),
    ({"REPOS": {"a": {"TOKEN": {"APP_ID": "Iv1.x", "PRIVATE_KEY": "empty"}}}}, {}),
    ({"STATUS": "yes", "REPOS": {"a": {"STATUS": []}, "b": {"STATUS": {"COLOUR": 1}}}}, {}),
    ({"STATUS": {"TOKEN": "ghp_x"}}, {}),
    ({"STATUS": {"TOKEN": 1, "CONTEXT": "", "FORGE": "azure", "URL": "github.com"}}, {}),
    ({}, {"GITRELOAD_STATUS": "on"}),
    ({"GITHUB_TOKEN": "ghp_x", "GITHUB_URL": "github.com"}, {}),
    ({"GITHUB_TOKEN": "ghp_x", "GITHUB_URL": "http://github.example"}, {}),
    ({"GITHUB_TOKEN": "ghp_x"}, {}),
    ({"PUBLIC_URL": "https://h.example"}, {"GITRELOAD_GITHUB_TOKEN": '{"APP_ID": 1}'}),
    ({"PUBLIC_URL": "hooks.example.org"}, {"GITRELOAD_REPOS": '{"a": {"TOKEN": "a\\nb"}}'}),
    ({"PUBLIC_URL": "https://ada:pw@hooks.example.org"}, {}),
    ({"BASIC_AUTH": {"ada": "long enough to do"}, "ALLOW_UNSIGNED": True}, {}),
    ({"BASIC_AUTH": {"ada": "short", "a:b": 1, "": "long enough to do"}}, {}),
    ({"BASIC_AUTH": ["ada"], "SOURCEHUT_KEYS": ["AAAA", 1]}, {}),
    ({"TRUSTED_PROXIES": ["10.0.0.1/8", "nginx", 1], "ALLOW_FROM": ["unix", "*"]}, {}),
    ({"TRUSTED_PROXIES": "unix"}, {}),
    ({"STANDARD_PATHS": {"ref": "a", "URLS": [], "PUSHES": "push", "EACH": "a..b"}}, {}),
    ({"STANDARD_PATHS": {"REF": None}}, {}),
    ({"REPOS": {"a": {"COMMAND": ["make"]}}}, {}),
    ({"REPOS": {"a": {"IMPORTER": "command"}}}, {}),
    ({"IGNORE_PUSHERS": ["", 1], "IGNORE_COMMITS": "Export*"}, {}),
    ({"CMS_IMPORT": {"PYTHON_LIB": False, "NOSTATICS": True}}, {}),
    ({"REPOS": {"a": {"CMS_IMPORT": {"PYTHON_LIB": False, "OUTLINE": 1}}}}, {}),
    ({"REPOS": {"a": {"CMS_IMPORT": {"PYTHON_LIB": False}}}}, {}),
    ({"CMS_IMPORT": {"PYTHON_LIB_FILENAME": "static/lib.zip"}}, {}),
    ({}, {"GITRELOAD_CMS_IMPORT": "nostatic"}),
    ({"NOTIFY": "json://ada:pw@x.example"}, {}),
    ({"NOTIFY": ["json://ada:pw@x.example", {}, {"URL": "ada@x.example"}, {"URL": "a://b c"}]}, {}),
    ({"NOTIFY": [{"URL": {"FILE": "empty"}, "ON": [], "THROTTLE": 1, "BODY": ""}]}, {}),
    ({"NOTIFY": [{"URL": "json://x", "TITLE": "{job.id}", "BODY": "{", "ON": ["success"]}]}, {}),
    ({"REPOS": {"a": {"NOTIFY": True}, "b": {"NOTIFY": [{"URL": "json://x", "on": []}]}}}, {}),
    ({"OUTGOING_WEBHOOKS": [{"URL": "https://ada:pw@x.example", "SECRET": "whsec_short"}]}, {}),
    ({"OUTGOING_WEBHOOKS": [{"URL": "x.example", "SECRET": "no prefix", "ON": "job.failed"}]}, {}),
    ({"OUTGOING_WEBHOOKS": [{"URL": "http://bot.example/", "SECRET": WHSEC}]}, {}),
    (
        {
            "TUTOR": {
                "MODE": "remote",
                "HOW": "do",
                "COMMAND": "tutor",
                "PATH": "repos",
                "root": "/",
            }
        },
        {},
    ),
    ({"TUTOR": {"MODE": "k8s", "HOW": "run"}}, {}),
    ({"STATE_DIR": "/srv/repos", "REPODIR": "/srv/repos"}, {}),
    ({"STATE_DIR": "/srv/repos/course/../state", "REPODIR": "/srv/repos"}, {}),
    ({"REPODIR": "/var/lib/gitreload"}, {}),
    ({"PORT": 1}, {"GITRELOAD_PORT": "many", "GITRELOAD_QUEUE_PUBLIC": "True"}),
    ({}, {"GITRELOAD_REPOS": "{course}", "GITRELOAD_LOG_LEVEL": "loud", "GITRELOAD_HOST": ""}),
    ({}, {"GITRELOAD_WEBHOOK_SECRET": "x", "GITRELOAD_PORTS": "1", "GITRELOAD_": ""}),
    ({"LINKED_REPOS": {}, "ALSO_CLONE_REPOS": {}}, {}),
    ({"WEBHOOK_SECRETS": ["thirteen-char"], "ALLOW_UNSIGNED": True}, {}),
    ({"REPODIR": "repos", "LOG_FILE_PATH": "gitreload.log"}, {}),
    ({"HOST": "0.0.0.0"}, {}),
    ({"LOG_FILE_PATH": "/no/such/gitreload.log"}, {}),
]


def test_messages(cwd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    (cwd / "empty").touch()
    told = []
    for values, environ in MESSAGES:
        text = values if isinstance(values, bytes) else json.dumps(values).encode()
        (cwd / "gr.env.json").write_bytes(text)
        shown = text.decode(errors="replace")
        told.append(f"$ {shown if len(shown) < 500 else f'{shown[:20]}…'}")
        told += [f"$ {name}={value}" for name, value in environ.items()]
        told += messages(cwd, environ)
        told.append("")
    check_snapshot("config_messages.txt", "\n".join(told).replace(str(cwd), "/here"))


def messages(cwd: Path, environ: dict[str, str]) -> list[str]:
    """Everything that is said about a configuration, at the latest when the server starts."""
    try:
        loaded = load({"HOME": str(cwd / "home"), **environ}, cwd)
        said = [f"warning: {warning}" for warning in loaded.warnings]
        said += filter(None, [config.refuse_open_host(loaded.settings)])
        if not said:
            logs.configure(loaded.settings)
    except ConfigError as error:
        return list(error.problems)
    return said


anything = st.characters(exclude_categories=())  # lone surrogates too
words = st.text(anything, max_size=20)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | words
flat = scalars | st.lists(scalars, max_size=3) | st.dictionaries(words, scalars, max_size=3)
json_values = flat | st.lists(flat, max_size=3)
repos = st.dictionaries(
    st.sampled_from(["course", "org/course", "[key]"]) | words,
    st.dictionaries(st.sampled_from(REPO_KEYS) | words, json_values, max_size=3) | json_values,
    max_size=3,
)
names = st.sampled_from([*KEYS, *(key.lower() for key in KEYS), "LINKED_REPOS"]) | words
files = st.dictionaries(names, json_values, max_size=5) | st.fixed_dictionaries(
    {}, optional={"REPOS": repos, "WEBHOOK_SECRETS": st.lists(json_values, max_size=4)}
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("place")


def check(place: Path, text: str, environ: dict[str, str]) -> None:
    """Anything gives settings or sentences, a line each, that any terminal can show."""
    (place / "gr.env.json").write_text(text)
    try:
        loaded = load({"HOME": str(place / "home"), **environ}, place)
    except ConfigError as error:
        said = error.problems
        assert said
    else:
        said = loaded.warnings
        assert isinstance(loaded.settings, Settings)
        json.dumps(config.masked(loaded))
    for line in said:
        assert visible(line) == line


@pytest.mark.parametrize("where", ["NOTIFY[0]", "REPOS.course.NOTIFY[0]"])
def test_who_notifies_needs_apprise(cwd: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    own = {"NOTIFY": [{"URL": "json://x.example"}]}
    write(cwd, own if where == "NOTIFY[0]" else {"REPOS": {"course": own}})
    monkeypatch.setattr(config, "find_spec", lambda _: None)
    [problem] = problems(cwd)
    assert f"{where} needs Apprise, which is not installed: install gitreload[notify]" in problem


class TestProperties:
    @given(values=files)
    @example(values={"WEBHOOK_SECRETS": [{"FILE": "\0"}]})
    @example(values={"EDX_PLATFORM": "x" * 5000})
    @example(values={"\ud800": 1})
    @example(values={"REPOS": {"course": {"\ud800": 1}}})
    @example(values={"GIT_TIMEOUT_SECONDS": 10**400})
    def test_any_values_give_settings_or_sentences(
        self, place: Path, values: dict[str, object]
    ) -> None:
        check(place, json.dumps(values), {})

    @given(text=st.text())
    def test_any_text_gives_settings_or_sentences(self, place: Path, text: str) -> None:
        check(place, text, {})

    @given(
        environ=st.dictionaries(
            st.sampled_from([*KEYS, "LINKED_REPOS", "PROT", "\udcff"]).map("GITRELOAD_{}".format),
            words.filter(lambda text: "\0" not in text) | json_values.map(json.dumps),
        )
    )
    def test_any_environment_gives_settings_or_sentences(
        self, place: Path, environ: dict[str, str]
    ) -> None:
        check(place, "{}", environ)


def rows(model: type[Group]) -> list[str]:
    """The model's keys as the documentation has them."""
    schema = model.model_json_schema()["properties"]
    return [
        f"| `{key}` | {default_of(field)} | {field['description']} |"
        for key, field in schema.items()
    ]


def default_of(field: dict[str, Any]) -> str:
    return f"`{json.dumps(field['default'])}`" if "default" in field else "required"


# As the tables of the documentation follow each other.
GROUPS = (
    Settings,
    RepoSettings,
    BuildSettings,
    PublishSettings,
    CmsImportSettings,
    TutorSettings,
    StatusSettings,
    StandardPaths,
    StudioSettings,
    NotifySettings,
    OutgoingWebhookSettings,
)


def test_the_documentation_has_every_key_and_default() -> None:
    lines = DOCS.read_text().splitlines()
    tables = [line for line in lines if line.startswith("| `")]
    assert tables == [row for group in GROUPS for row in rows(group)]


def test_the_schema_has_every_key_with_a_description() -> None:
    schema = config.schema()
    assert tuple(schema["properties"]) == KEYS
    assert all(field["description"] for field in schema["properties"].values())
    assert schema["additionalProperties"] is False
    assert schema["properties"]["PORT"]["maximum"] == 65535
    json.dumps(schema)
