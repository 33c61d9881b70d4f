"""The keys that lie within others: of one checkout, and of how generic senders are read."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator

from gitreload import setting_importers as importers
from gitreload import setting_types as types
from gitreload.setting_forms import Between, Group, sentence
from gitreload.setting_reporters import NotifySettings, OutgoingWebhookSettings
from gitreload.setting_secrets import OptionalToken, SecretEntry, SigningKeysFile
from gitreload.setting_statuses import OwnStatus


class StandardPaths(Group):
    """Where the JSON of a sender of Standard Webhooks has what a push tells."""

    event: types.JsonPath = Field(default="type", description="The event's name.")
    pushes: types.Words = Field(default=("push",), description="The events that are pushes.")
    pings: tuple[types.Word, ...] = Field(
        default=("ping",), description="The events that only test the hook."
    )
    each: types.JsonPath | None = Field(
        default=None,
        description="A list with an entry for every ref that moved; then `REF`, `BRANCH`, "
        "`BEFORE`, `AFTER` and `DELETED` start at the entry.",
    )
    ref: types.JsonPath | None = Field(
        default="data.ref", description="The full ref, such as `refs/heads/main`."
    )
    branch: types.JsonPath | None = Field(
        default=None, description="The branch's name, where there is no full ref."
    )
    before: types.JsonPath | None = Field(
        default="data.before", description="The revision before the push."
    )
    after: types.JsonPath | None = Field(
        default="data.after", description="The revision after the push."
    )
    deleted: types.JsonPath | None = Field(
        default="data.deleted", description="`true` where the ref was deleted."
    )
    urls: types.JsonPaths = Field(
        default=(
            "data.repository.clone_url",
            "data.repository.ssh_url",
            "data.repository.html_url",
        ),
        description="URLs of the repository; one of them has to be there.",
    )
    repository: types.JsonPath | None = Field(
        default="data.repository.full_name", description="The repository's name, for the log."
    )
    pusher: types.JsonPath | None = Field(
        default="data.pusher.name", description="Who pushed, for the log."
    )

    @model_validator(mode="after")
    def _tells_the_ref(self) -> Self:
        if self.ref is None and self.branch is None:
            raise sentence("REF and BRANCH are both null; one has to lead to what was pushed")
        return self


class PublishSettings(Group):
    """How one checkout is published."""

    link: types.OptionalPath = Field(
        default=None,
        description="The symbolic link that leads to the revision that is served; `null` is "
        "`published/<dir>` beside `REPODIR`.",
    )
    keep: Annotated[int, Between(1, 1000)] = Field(
        default=3, description="How many revisions stay, the newest ones."
    )
    grace_seconds: Annotated[float, Between(0, 31536000)] = Field(
        default=60, description="For how long each stays at least after it was served."
    )
    hardlinks: types.Flag = Field(
        default=False,
        description="Make unchanged files one file in all revisions: quick and small, but who "
        "writes into one revision changes all.",
    )


class BuildSettings(Group):
    """How what is published of one checkout is built."""

    command: types.Command = Field(
        default=(),
        description="The command, as a list; it runs in a copy of the checkout that is kept "
        "between builds.",
    )
    output: types.Below = Field(
        default=".",
        description="The directory in that copy which is published; `.` is all of it.",
    )

    @model_validator(mode="after")
    def _has_a_command(self) -> Self:
        if not self.command:
            raise sentence('COMMAND is missing, which builds; a list such as ["make"]')
        return self


class RepoSettings(Group):
    """What is set for one directory below REPODIR."""

    # Whose pushes act on it, and when.
    secrets: tuple[SecretEntry, ...] = Field(
        default=(),
        description="The secrets of this repository's webhooks, as in `WEBHOOK_SECRETS`; where "
        "there are some, no others make jobs for this checkout.",
    )
    forge: types.ForgeName | None = Field(
        default=None,
        description="The forge that has to send; deliveries of others make no jobs for this "
        "checkout.",
    )
    remotes: tuple[types.RemoteUrl, ...] = Field(
        default=(), description="Further URLs of repositories whose pushes count for this checkout."
    )
    hold: types.Flag = Field(
        default=False,
        description="Record pushes, but act on them only once this is `false` again, as after "
        "`gitreload hold`.",
    )

    # What is checked out.
    ref: types.TagPattern = Field(
        default=None,
        description="The tags that are followed instead of the branch, such as `v*`: the newest "
        "version of them; see below.",
    )
    clean: types.Clean = Field(
        default="untracked",
        description="What an update removes: `none`, `untracked` files (ignored ones stay), or "
        "`ignored` ones too.",
    )
    depth: types.Depth = Field(
        default=None,
        description="How many commits of the history are fetched; `null` for all.",
    )
    sparse: tuple[types.Folder, ...] = Field(
        default=(),
        description="The directories that are checked out, besides the files at the top and those "
        "above them; without any, all are.",
    )
    lfs: types.Flag = Field(
        default=False,
        description="Check out the files that Git LFS keeps elsewhere, not the pointers to them; "
        "needs git-lfs.",
    )
    submodules: types.OptionalHosts = Field(
        default=None,
        description="`true` or a list of hosts: check out submodules too, from the host of "
        "`origin`, and from these; `null` leaves them alone.",
    )

    # With what it is fetched, and what of that is believed.
    ssh_key: types.OptionalPath = Field(
        default=None,
        description="The private key to fetch this repository with over ssh, and no other key.",
    )
    token: OptionalToken = Field(
        default=None,
        description='The token to fetch this repository with over HTTPS: a string, `{"FILE": '
        "path}`, which is read for each fetch, or a GitHub App; see below. It goes to the host of "
        "`origin` alone.",
    )
    verify_signatures: tuple[SigningKeysFile, ...] = Field(
        default=(),
        description="Files with public keys, OpenSSH's or OpenPGP's: a tip is refused that none of "
        "these signed; see below.",
    )

    # What is done with it.
    importer: importers.Importer | None = Field(
        default=None, description="What imports it; `null` for the global `IMPORTER`."
    )
    cms_import: importers.CmsImportSettings | None = Field(
        default=None,
        description="As the global `CMS_IMPORT`, in whose place it stands as a whole.",
    )
    command: types.Command = Field(
        default=(),
        description="What the importer `command` runs, as a list: see [around an update]"
        "(around.md).",
    )
    subdir: importers.Roots = Field(
        default=(),
        description="The directory of the repository that holds course.xml, or a list for several "
        "courses; without it, the one that is there is found.",
    )
    guard: importers.Guard | None = Field(
        default=None, description="As the global `GUARD`, which `null` stands for."
    )
    course_key: types.CourseKey | None = Field(
        default=None, description="The course that an import must be of; another one is refused."
    )
    ignore_pushers: tuple[types.Pattern, ...] = Field(
        default=(), description="Further ones than those of the global `IGNORE_PUSHERS`."
    )
    ignore_commits: tuple[types.Pattern, ...] = Field(
        default=(), description="Further ones than those of the global `IGNORE_COMMITS`."
    )
    studio: importers.StudioSettings | None = Field(
        default=None, description="As `STUDIO`, and whole, where it is another one."
    )
    paths: tuple[types.Glob, ...] = Field(
        default=(),
        description="Only changes below these are published, imported and followed by `AFTER`; "
        "with `!` before it, a glob takes away from the others.",
    )
    publish: Annotated[
        PublishSettings | None,
        BeforeValidator(types.switched, json_schema_input_type=PublishSettings | bool | None),
    ] = Field(
        default=None,
        description="`true` or an object: serve each revision whole, from a directory of its own; "
        "see below.",
    )
    build: BuildSettings | None = Field(
        default=None,
        description="An object: publish what a command makes of each revision, instead of its "
        "files; see below. Needs `PUBLISH`.",
    )
    validator: types.Command = Field(  # pydantic has a `validate` of its own
        default=(),
        alias="VALIDATE",
        description="A command, as a list, that runs in each revision before it is served, and may "
        "refuse it by its exit code. Needs `PUBLISH`.",
    )
    after: types.Command = Field(
        default=(),
        description="A command, as a list, that runs once what has changed is served or imported, "
        "and again until it succeeds.",
    )

    # Who is told of it.
    status: OwnStatus = Field(
        default=None,
        description="How its commits are marked, where that is not as in `STATUS` for all; `false` "
        "marks none.",
    )
    notify: tuple[NotifySettings, ...] | None = Field(
        default=None,
        description="Who is told of this checkout, as in `NOTIFY`, and instead of those.",
    )
    outgoing_webhooks: tuple[OutgoingWebhookSettings, ...] | None = Field(
        default=None,
        description="The programs that are told of it, as in `OUTGOING_WEBHOOKS`, and instead of "
        "those.",
    )

    @model_validator(mode="after")
    def _can_be_proven(self) -> Self:
        if self.secrets and self.forge == "sourcehut":
            raise sentence(
                "SECRETS and the FORGE sourcehut exclude each other, as that signs with a key of "
                "its own; remove SECRETS"
            )
        return self

    @model_validator(mode="after")
    def _validates_what_is_published(self) -> Self:
        if self.validator and self.publish is None:
            raise sentence(
                "VALIDATE looks at what is published, and PUBLISH is not set; set it to true"
            )
        return self

    @model_validator(mode="after")
    def _publishes_what_is_built(self) -> Self:
        if self.build is None:
            return self
        if self.publish is None:
            raise sentence("BUILD makes what is published, and PUBLISH is not set; set it to true")
        if self.publish.hardlinks:
            raise sentence(
                "BUILD and PUBLISH.HARDLINKS exclude each other, as builds write files in place; "
                "remove HARDLINKS"
            )
        return self
