"""The keys of the configuration: one frozen, typed object.

A field's upper-cased name is its key; its description is the text of the documentation and of the
JSON Schema.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import Field

from gitreload import setting_importers as importers
from gitreload import setting_types as types
from gitreload.credentials import Secret
from gitreload.setting_forms import AbsolutePath, Between, Form, Group, Start
from gitreload.setting_groups import (
    BuildSettings,
    PublishSettings,
    RepoSettings,
    StandardPaths,
)
from gitreload.setting_importers import StudioSettings
from gitreload.setting_reporters import NotifySettings, OutgoingWebhookSettings
from gitreload.setting_secrets import OptionalToken, SecretEntry
from gitreload.setting_statuses import StatusOfAll, StatusSettings
from gitreload.setting_tutor import TutorSettings


def default_state_dir(environ: Mapping[str, str], home: Path) -> Path:
    """/var/lib/gitreload for root, else the XDG state directory of the user.

    A relative XDG_STATE_HOME counts as unset: https://specifications.freedesktop.org/basedir-spec/
    """
    if os.geteuid() == 0:
        return Path("/var/lib/gitreload")
    state = environ.get("XDG_STATE_HOME", "")
    return (Path(state) if state.startswith("/") else home / ".local/state") / "gitreload"


def _django_settings(valid: dict[str, Any]) -> str:
    # Koa was the last release with `aws`; a platform newer than that has only `production`.
    has_aws = os.path.isfile(valid["edx_platform"] / "lms/envs/aws.py")  # noqa: PTH113 (no raise)
    return "aws" if has_aws else "production"


class Settings(Group):
    """The configuration of gitreload."""

    edx_platform: AbsolutePath = Field(
        default=Path("/edx/app/edxapp/edx-platform"),
        description="The Open edX platform's directory.",
    )
    virtual_env: AbsolutePath = Field(
        default=Path("/edx/app/edxapp/venvs/edxapp"),
        description="The platform's virtual environment.",
    )
    django_settings: types.SettingsModule = Field(
        default_factory=_django_settings,
        description="The platform's settings module; when unset, and the platform has no "
        "`lms/envs/aws.py`, it is `production`.",
        json_schema_extra={"default": "aws"},
    )
    lms_cfg: types.OptionalPath = Field(
        default=None, description="Passed to the platform as `LMS_CFG`: its settings file."
    )
    revision_cfg: types.OptionalPath = Field(
        default=None, description="Passed to the platform as `REVISION_CFG`: its revisions file."
    )
    subprocess_timeout_minutes: Annotated[float, Between(0.001, 10080)] = Field(
        default=60, description="How long an import may run before it is ended."
    )
    importer: importers.Importer = Field(
        default="git_add_course",
        description="What imports courses, see [Importers](importers.md); `auto` is what this host "
        "has.",
    )
    importer_env: Mapping[types.VariableName, types.VariableValue] = Field(
        default={}, description="Further environment variables for the importer.", repr=False
    )
    cms_import: importers.CmsImportSettings = Field(
        default=importers.CmsImportSettings(),
        description="How `cms_import` imports; see below.",
        json_schema_extra={"default": {}},
    )
    tutor: TutorSettings = Field(
        default=TutorSettings(),
        description="How `tutor` gets into the platform's container; see below.",
        json_schema_extra={"default": {}},
    )
    evidence: Annotated[Literal["required", "exit"], Form('"required" or "exit"')] = Field(
        default="required",
        description="What proves an import: `required` = the platform's own record of it, "
        "`exit` = exit code 0 alone.",
    )
    guard: importers.Guard = Field(
        default="report",
        description="What becomes of an import that takes identifiers out of a course that was "
        "imported before, with which learners lose their state: `report` them in its log, "
        "`refuse` it until `gitreload approve`, or `off`.",
    )
    ignore_pushers: tuple[types.Pattern, ...] = Field(
        default=(),
        description="Whose pushes are not imported, as their forge calls them: those of Studio's "
        "own exporter, say; see [loops](loops.md).",
    )
    ignore_commits: tuple[types.Pattern, ...] = Field(
        default=(),
        description="The first lines of commits that are not imported, such as `Export*from "
        "Studio at *`; see [loops](loops.md).",
    )
    git_add_course_style: Annotated[
        Literal["option", "positional"], Form('"option" or "positional"')
    ] = Field(
        default="option",
        description="How `git_add_course` is told the directory: as an `option`, or `positional` "
        "for platforms before 2018.",
    )
    studio: StudioSettings | None = Field(
        default=None,
        description="The Studio that `studio` imports into, and as whom; see "
        "[Importers](importers.md#studio).",
    )
    repodir: AbsolutePath = Field(
        default=Path("/mnt/data/repos"), description="The directory that holds the checkouts."
    )
    repos: Mapping[types.Directory, RepoSettings] = Field(
        default={},
        description="Settings of single checkouts, by directory below `REPODIR`.",
    )
    num_threads: Annotated[int, Between(1, 256)] = Field(
        default=1, description="Workers per host and state directory."
    )
    git_timeout_seconds: Annotated[float, Between(0.1, 86400)] = Field(
        default=600, description="How long one git command may run."
    )
    reconcile_minutes: Annotated[float, Between(0, 10080)] = Field(
        default=30,
        description="How often the followed branches are compared with their remotes, for pushes "
        "that no webhook announced; 0 = never.",
    )
    shutdown_grace_seconds: Annotated[float, Between(0, 86400)] = Field(
        default=30, description="How long running jobs may go on once the server is told to stop."
    )
    host: types.Host = Field(default="127.0.0.1", description="The address to listen on.")
    port: Annotated[int, Between(0, 65535)] = Field(
        default=5000, description="The port to listen on; 0 takes any free one."
    )
    webhook_secrets: tuple[SecretEntry, ...] = Field(
        default=(),
        description='The secrets of the webhooks, each a string or `{"FILE": path}`; any one may '
        "match. A file is read again when it changes.",
    )
    basic_auth: Mapping[types.UserName, SecretEntry] = Field(
        default={},
        description='Users and their passwords, each a string or `{"FILE": path}`; who sends one '
        "of them by HTTP Basic authentication may send and read. A file is read again when it "
        "changes.",
    )
    sourcehut_keys: tuple[types.PublicKey, ...] = Field(
        default=(),
        description="The public keys of the SourceHut instances that are trusted where `FORGE` is "
        "`sourcehut`; without any, it is that of sr.ht.",
    )
    standard_paths: StandardPaths = Field(
        default=StandardPaths(),
        description="Where the JSON of senders of Standard Webhooks has what a push tells; see "
        "below.",
        json_schema_extra={"default": {}},
    )
    public_url: types.OptionalPublicUrl = Field(
        default=None,
        description="The address under which forges reach this server, for what `gitreload add` "
        "tells them, and to know the webhooks that lead here.",
    )
    status: StatusOfAll = Field(
        default=None,
        description="`true` or an object: mark each commit at its forge with what became of it; "
        "see below.",
    )
    github_token: OptionalToken = Field(
        default=None,
        description="A token that may read and use the webhooks of the repositories at "
        "`GITHUB_URL`, in one of the forms of `TOKEN`: pushes whose delivery failed are asked for "
        "again, and `gitreload check` looks at the webhooks. Needs `PUBLIC_URL`.",
    )
    github_url: types.GitHubUrl = Field(
        default="https://github.com", description="The GitHub that `GITHUB_TOKEN` is of."
    )
    trusted_proxies: tuple[types.Proxy, ...] = Field(
        default=(),
        description="The addresses or networks of the web servers in front, `unix` for those that "
        "come through a unix socket: whom they name in `X-Forwarded-For` or `Forwarded` is taken "
        "for the client.",
    )
    allow_from: tuple[types.Network, ...] = Field(
        default=(),
        description="The addresses or networks from which deliveries are taken; empty for all.",
    )
    allow_unsigned: types.Flag = Field(
        default=False,
        description="Without any secret: serve other hosts too, because the web server in front "
        "authenticates.",
    )
    queue_public: types.Flag = Field(
        default=False, description="Show the queue and the API to everyone who can reach them."
    )
    notify: tuple[NotifySettings, ...] = Field(
        default=(),
        description="Who is told of failures and alarms, by e-mail, Slack and so on: a list of "
        "objects; see below. Needs `gitreload[notify]`.",
    )
    outgoing_webhooks: tuple[OutgoingWebhookSettings, ...] = Field(
        default=(),
        description="Programs that are told what became of each job: a list of objects; see below.",
    )
    state_dir: AbsolutePath = Field(
        default_factory=lambda: default_state_dir(os.environ, Start.of(os.environ).home),
        description="Holds the ledger, locks and tokens; for other users than root it is the XDG "
        "state directory, `~/.local/state/gitreload`.",
        json_schema_extra={"default": "/var/lib/gitreload"},
    )
    history_days: Annotated[int, Between(1, 36500)] = Field(
        default=30, description="How long finished jobs and their logs are kept."
    )
    history_mb: Annotated[int, Between(1, 1048576)] = Field(
        default=1024, description="How much of them is kept, in MiB."
    )
    log_level: types.LogLevel = Field(
        default=None,
        description="`DEBUG`, `INFO`, `WARNING`, `ERROR` or `CRITICAL`, in any case; `null` is "
        "`WARNING`. Start-up lines are always shown.",
    )
    log_file_path: types.OptionalPath = Field(
        default=None, description="`null` is stderr. The file may be rotated from outside."
    )
    log_format: Annotated[Literal["text", "json"], Form('"text" or "json"')] = Field(
        default="text", description="`json` writes one JSON object a line."
    )

    @property
    def authenticated(self) -> bool:
        """Whether senders have to prove that they are genuine, as there is something to prove."""
        own = any(repo.secrets or repo.forge == "sourcehut" for repo in self.repos.values())
        return bool(self.webhook_secrets or self.basic_auth or own)

    def secrets(self) -> Iterator[tuple[str, Secret]]:
        """Every secret that proves who sends or reads, with the place where it is configured."""
        for number, secret in enumerate(self.webhook_secrets):
            yield f"WEBHOOK_SECRETS[{number}]", secret
        for user, password in self.basic_auth.items():
            yield f"BASIC_AUTH.{user}", password
        for directory, repo in self.repos.items():
            for number, secret in enumerate(repo.secrets):
                yield f"REPOS.{directory}.SECRETS[{number}]", secret

    @property
    def held(self) -> frozenset[str]:
        """The directories below REPODIR whose jobs wait because of their HOLD."""
        return frozenset(directory for directory, repo in self.repos.items() if repo.hold)

    def repo(self, directory: str) -> RepoSettings:
        """What is set for a directory below REPODIR, the defaults where nothing is."""
        return self.repos.get(directory) or RepoSettings()

    def cms_import_of(self, directory: str) -> importers.CmsImportSettings:
        """How Studio's commands import a directory below REPODIR."""
        return self.repo(directory).cms_import or self.cms_import

    def link(self, directory: str) -> Path:
        """Where a directory below REPODIR is published, if it is."""
        publish = self.repo(directory).publish
        if publish is not None and publish.link is not None:
            return Path(os.path.normpath(publish.link))
        return Path(os.path.normpath(self.repodir)).parent / "published" / directory


KEYS = tuple(name.upper() for name in Settings.model_fields)
REPO_KEYS = tuple(str(field.alias) for field in RepoSettings.model_fields.values())
_INNER_GROUPS: Mapping[str, type[Group]] = {
    "PUBLISH": PublishSettings,
    "BUILD": BuildSettings,
    "STANDARD_PATHS": StandardPaths,
    "CMS_IMPORT": importers.CmsImportSettings,
    "STUDIO": importers.StudioSettings,
    "NOTIFY": NotifySettings,
    "OUTGOING_WEBHOOKS": OutgoingWebhookSettings,
    "TUTOR": TutorSettings,
    "STATUS": StatusSettings,
}
# What may stand in the objects that keys have, by the key.
INNER_KEYS: Mapping[str, tuple[str, ...]] = {
    "REPOS": REPO_KEYS,
    **{
        key: tuple(name.upper() for name in group.model_fields)
        for key, group in _INNER_GROUPS.items()
    },
}
PATH_KEYS = (
    "EDX_PLATFORM",
    "VIRTUAL_ENV",
    "LMS_CFG",
    "REVISION_CFG",
    "REPODIR",
    "STATE_DIR",
    "LOG_FILE_PATH",
)


def kind(key: str) -> Literal["text", "scalar", "structure"]:
    """What a key's value is: a text, a number or boolean, or a list or object."""
    annotation = Settings.model_fields[key.lower()].annotation
    if annotation in (int, float, bool):
        return "scalar"
    groups = [annotation, *get_args(annotation)]
    if any(isinstance(each, type) and issubclass(each, Group) for each in groups):
        return "structure"
    if get_origin(annotation) in (tuple, Mapping):
        return "structure"
    return "text"


def nullable(key: str) -> bool:
    return type(None) in get_args(Settings.model_fields[key.lower()].annotation)


def schema() -> dict[str, Any]:
    """The JSON Schema of the configuration file."""
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": dialect, **Settings.model_json_schema(), "title": "gr.env.json"}
