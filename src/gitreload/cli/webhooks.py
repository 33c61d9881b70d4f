"""The secret that a repository's webhook has of its own, and what its forge has to be told."""

from __future__ import annotations

import base64
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from gitreload.remotes import canonical

if TYPE_CHECKING:
    from gitreload.config import Settings

# Forges that are told by the host of the repository.
FORGES = {
    "github.com": "github",
    "gitlab.com": "gitlab",
    "codeberg.org": "forgejo",
    "gitea.com": "gitea",
    "bitbucket.org": "bitbucket-cloud",
    "dev.azure.com": "azure",
    "ssh.dev.azure.com": "azure",
    "git.sr.ht": "sourcehut",
    "gitee.com": "gitee",
}
# Where what to click is described, for those whose page has another name.
_PAGES = {
    "gitea": "gitea-forgejo",
    "forgejo": "gitea-forgejo",
    "bitbucket-dc": "bitbucket-data-center",
    "azure": "azure-devops",
    "standard": "standard-webhooks",
}


def forge_of(url: str) -> str | None:
    """The public forge that a repository is at, None for other hosts."""
    host, _, _ = (canonical(url) or "").partition("/")
    return FORGES.get(host)


def page(forge: str | None) -> str:
    return f"docs/forges/{_PAGES.get(forge, forge)}.md" if forge else "docs/forges.md"


def secret_file(settings: Settings, directory: str) -> Path:
    """Where the secret of one repository's webhook lies: in STATE_DIR, which nobody else reads."""
    return settings.state_dir / "webhook-secrets" / f"{quote(directory, safe='')}.secret"


def make_secret(path: Path, forge: str | None) -> None:
    """Write a new secret to `path`, unless one is there. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    value = secrets.token_hex(32)
    if forge == "standard":
        value = f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"
    draft = path.with_name(f".{path.name}")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(f"{value}\n")
        file.flush()
        os.fsync(file.fileno())
    if path.exists():
        draft.unlink()
    else:
        draft.rename(path)


def payload_url(settings: Settings, *, update: bool) -> str:
    """What a forge has to send to, as far as the configuration tells."""
    base = settings.public_url or "https://YOUR.SERVER"
    return f"{base.rstrip('/')}/{'update' if update else ''}"
