"""All forges as senders."""

from __future__ import annotations

from fakes.forges import (
    azure,
    bitbucket_cloud,
    bitbucket_dc,
    forgejo,
    gitea,
    gitee,
    github,
    gitlab,
    gogs,
    sourcehut,
    standard,
)
from fakes.forges.sender import Sender

SENDERS: tuple[Sender, ...] = (
    *forgejo.SENDERS,
    *gitea.SENDERS,
    *gogs.SENDERS,
    *github.SENDERS,
    *gitlab.SENDERS,
    *gitee.SENDERS,
    *bitbucket_cloud.SENDERS,
    *bitbucket_dc.SENDERS,
    *azure.SENDERS,
    *sourcehut.SENDERS,
    *standard.SENDERS,
)
