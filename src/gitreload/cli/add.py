"""`gitreload add`: from a repository's URL to a checkout that its pushes keep current."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gitreload.cli.deliveries import known_forge
from gitreload.cli.errors import UsageError
from gitreload.cli.output import facts, note, say
from gitreload.cli.trust import HostKeyOption, confirmed
from gitreload.model import GitreloadError

if TYPE_CHECKING:
    from gitreload.config import Config, Settings
    from gitreload.git import Access
    from gitreload.hook_apis import Hook
    from gitreload.model import Checkout


_NAMED = 5


def add(
    url: Annotated[str, typer.Argument(metavar="URL", help="The repository, as git takes it.")],
    branch: Annotated[
        str | None, typer.Option(metavar="NAME", help="Follow it, not the default branch.")
    ] = None,
    directory: Annotated[
        str | None,
        typer.Option("--dir", metavar="DIR", help="Its name below REPODIR, `dir` or `org/dir`."),
    ] = None,
    update: Annotated[
        bool, typer.Option("--update/--import", help="What pushes do: only update, or import.")
    ] = False,
    publish: Annotated[
        bool, typer.Option("--publish", help="Serve whole revisions through a link (PUBLISH).")
    ] = False,
    forge: Annotated[
        str | None, typer.Option(metavar="FORGE", help="What runs at a host of your own.")
    ] = None,
    ssh_key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Fetch with this private key (SSH_KEY).")
    ] = None,
    fetch_token_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Fetch with the token in it (TOKEN).")
    ] = None,
    depth: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Only the last N commits (DEPTH).")
    ] = None,
    sparse: Annotated[
        list[str] | None,
        typer.Option(metavar="DIR", help="Only this directory (SPARSE); may be repeated."),
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Make the webhook with the forge's API and this token."),
    ] = None,
    api: Annotated[
        str | None, typer.Option(metavar="URL", help="The API's base, if not the usual one.")
    ] = None,
    host_key: HostKeyOption = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Ask nothing but whether to trust an unknown host.")
    ] = False,
) -> None:
    """Clone a repository, and say what to enter at the forge.

    Its webhook gets a secret, and the checkout an entry in REPOS. The same command again takes up
    what was not finished.
    """
    from gitreload import config
    from gitreload.checkouts import Checkouts
    from gitreload.cli import cloning, webhooks
    from gitreload.config_file import path_of
    from gitreload.git import Extent
    from gitreload.git.clone import Wanted
    from gitreload.git.turns import turn
    from gitreload.ledger import statedir

    loaded = config.load()
    settings = loaded.settings
    name = directory or _name(url)
    _check_name(name)
    if forge is not None:
        known_forge(forge)
    kind = forge or settings.repo(name).forge or webhooks.forge_of(url)
    hook_token = None if token_file is None else _hook_token(settings, kind, token_file)
    path_of(loaded)  # refuses before anything is done
    statedir.prepare(settings.state_dir)
    if not settings.repodir.is_dir():
        raise GitreloadError(
            f"there is no REPODIR, {settings.repodir}: make it (mkdir -p "
            f"{shlex.quote(str(settings.repodir))}), or name another in the configuration"
        )
    entry = _entry(loaded, name, kind, ssh_key, fetch_token_file) | _extent(depth, sparse)
    if publish and settings.repo(name).publish is None:
        entry["PUBLISH"] = True
    checkouts = Checkouts.of(settings)
    if "SECRETS" in entry and not (settings.authenticated or yes):
        _warn([each.directory for each in checkouts.all() if each.directory != name])
    configured = Extent.of(settings, name)
    extent = Extent(depth or configured.depth, tuple(sparse or configured.sparse))
    wanted = Wanted(url, branch, settings.repodir, name, extent)
    with turn(settings.state_dir, wanted.target) as mine:
        access = _access(loaded, name, ssh_key, fetch_token_file)
        checkout = cloning.bring(wanted, checkouts, access, mine, host_key)
        cloning.tell(checkout)
        secret = _configure(loaded, name, kind, entry)
    if publish or settings.repo(name).publish is not None:
        say(f"its readers are served from {settings.link(name)}, once its first job is done")
    hook_url = webhooks.payload_url(settings, update=update)
    if hook_token is None:
        _tell_hook(kind, hook_url, secret, public=settings.public_url is not None)
    else:
        assert kind is not None
        _make_hook(kind, url, _hook(hook_url, secret), hook_token, api)
    _tell_next(settings, checkout, kind, update=update)


def _name(url: str) -> str:
    from gitreload.remotes import canonical, http_site, mask

    if not url.startswith("/") and Path(url).exists():
        raise UsageError(
            f"{url} is a path that depends on the working directory; name the whole one: "
            f"gitreload add {shlex.quote(str(Path(url).resolve()))}"
        )
    site = http_site(url)
    if canonical(url) is None:
        raise UsageError(
            f"{mask(url)} is no URL of a repository; expected one such as "
            "https://git.example.org/org/course.git or git@git.example.org:org/course.git"
        )
    if site.has_password if site else mask(url) != url:
        raise UsageError(
            f"{mask(url)} holds a password, which everybody could read in .git/config: leave it "
            "out, and name a file with the token by --fetch-token-file"
        )
    # In its own spelling: the identity has it in lower case where the forge ignores case.
    return url.rstrip("/").replace(":", "/").rpartition("/")[2].removesuffix(".git")


def _check_name(name: str) -> None:
    from gitreload.setting_types import is_directory
    from gitreload.visible import visible

    if not is_directory(name):
        raise UsageError(
            f"--dir {visible(name)}; expected a directory below REPODIR, `dir` or `org/dir`, whose "
            "names do not begin with a dot"
        )


def _hook_token(settings: Settings, forge: str | None, file: Path) -> str:
    from gitreload.credentials import Token
    from gitreload.hook_apis import APIS

    if forge not in APIS:
        raise UsageError(
            f"--token-file makes webhooks at {', '.join(APIS)}, and the repository is at "
            f"{forge or 'a host that may run anything'}: name what runs there with --forge, or "
            "leave --token-file away"
        )
    if settings.public_url is None:
        raise UsageError(
            "--token-file needs PUBLIC_URL in the configuration: the address under which the forge "
            "reaches this server, such as https://hooks.example.org"
        )
    return Token(file=file).read().decode()


def _warn(others: list[str]) -> None:
    """Raise `GitreloadError` unless the first secret of all is meant, where that ends others."""
    if not others:
        return
    named = ", ".join([*others[:_NAMED], *(["…"] if len(others) > _NAMED else [])])
    note(
        "Until now no webhook has to prove anything, as there is no secret. From the first one on, "
        f"those of the other checkouts ({named}) need one too: WEBHOOK_SECRETS, or `gitreload add` "
        "for each"
    )
    if not confirmed("Go on"):
        raise GitreloadError("nothing was done; --yes goes on without a question")


def _entry(
    loaded: Config, name: str, forge: str | None, ssh_key: Path | None, token_file: Path | None
) -> dict[str, Any]:
    """What REPOS gets for the checkout besides what is there."""
    from gitreload.cli.webhooks import secret_file

    repo = loaded.settings.repo(name)
    entry: dict[str, Any] = {}
    # SourceHut signs with a key of its own.
    if not repo.secrets and forge != "sourcehut":
        entry["SECRETS"] = [{"FILE": str(secret_file(loaded.settings, name))}]
    if forge is not None and repo.forge is None:
        entry["FORGE"] = forge
    if ssh_key is not None:
        entry["SSH_KEY"] = str(ssh_key.absolute())
    if token_file is not None:
        entry["TOKEN"] = {"FILE": str(token_file.absolute())}
    return entry


def _extent(depth: int | None, sparse: list[str] | None) -> dict[str, Any]:
    """What REPOS gets of how much of the repository is wanted."""
    from gitreload.setting_types import is_folder

    for each in sparse or ():
        if not is_folder(each):
            raise UsageError(
                f"--sparse {each}; expected a directory of the repository, without a slash at its "
                "ends, such as static/images"
            )
    given: dict[str, Any] = {} if depth is None else {"DEPTH": depth}
    return given | ({"SPARSE": sparse} if sparse else {})


def _access(loaded: Config, name: str, ssh_key: Path | None, token_file: Path | None) -> Access:
    """What is configured, with what the command line adds."""
    from gitreload.credentials import Token
    from gitreload.git import Access

    settings = loaded.settings
    given: dict[str, Any] = {}
    if ssh_key is not None:
        given["ssh_key"] = ssh_key.absolute()
    if token_file is not None:
        given["token"] = Token(file=token_file.absolute())
    repo = settings.repo(name).model_copy(update=given)
    return Access.of(settings.model_copy(update={"repos": {**settings.repos, name: repo}}), name)


def _configure(loaded: Config, name: str, forge: str | None, entry: dict[str, Any]) -> str | None:
    """Write the entry, have running servers read it; the secret of its webhook, if it has one."""
    from gitreload.cli.running import tell_running
    from gitreload.cli.webhooks import make_secret, secret_file
    from gitreload.config_file import BACKUP, change
    from gitreload.json_edit import put

    if "SECRETS" in entry:
        make_secret(secret_file(loaded.settings, name), forge)

    def edit(text: str) -> str:
        there = json.loads(text).get("REPOS", {}).get(name, {})
        return put(text, ["REPOS", name], {**there, **entry})

    if entry:
        path = change(loaded, edit)
        say(f"wrote REPOS.{name} into {path} (as it was before: {path.name}{BACKUP})")
        if tell_running(loaded.settings.state_dir):
            say("the running gitreload was told to read its configuration again")
        else:
            say("no `gitreload serve` runs here: start it; gunicorn and uWSGI have to be restarted")
    repo = loaded.settings.repo(name)
    if "SECRETS" in entry:
        return secret_file(loaded.settings, name).read_text().strip()
    return repo.secrets[0].read().decode() if repo.secrets else None


def _hook(url: str, secret: str | None) -> Hook:
    from gitreload.hook_apis import Hook

    assert secret is not None, "a forge with an API signs with a secret"
    return Hook(url, secret)


def _make_hook(forge: str, url: str, hook: Hook, token: str, api: str | None) -> None:
    from gitreload.hook_apis import make_hook
    from gitreload.remotes import canonical

    place, _, repository = (canonical(url) or "").partition("/")
    host = place.partition(":")[0]
    make_hook(forge, repository, hook, host=host, token=token, base=api)
    say(f"made the webhook of {repository} at {forge}: pushes to {hook.url}")


def _tell_hook(forge: str | None, url: str, secret: str | None, *, public: bool) -> None:
    from gitreload.cli.webhooks import page

    say("\nEnter this as a webhook for pushes at the forge:\n")
    facts(
        [
            ("  URL", url),
            ("  Content type", "application/json"),
            ("  Secret", secret),
            ("  What to click", page(forge)),
        ]
    )
    say("")
    if not public:
        note(
            "PUBLIC_URL is not set, so YOUR.SERVER stands for the address that forges reach: set "
            "it in the configuration to be told the whole URL"
        )


def _tell_next(settings: Settings, checkout: Checkout, forge: str | None, *, update: bool) -> None:
    route = " --route /update" if update else ""
    url = f" --url {settings.public_url}" if settings.public_url else ""
    action = " --update" if update else ""
    if forge != "sourcehut":
        say(f"try it as the forge would: gitreload send {checkout.directory}{route}{url}")
    say(f"{'update' if update else 'import'} it now: gitreload sync {checkout.directory}{action}")
