"""What forges do when deliveries fail: try again, wait, or switch the hook off.

Each with the page that tells. What is not told there is taken at its worst.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0


def failed(status: int) -> bool:
    return not 200 <= status < 300


@dataclass
class Hook(ABC):
    """A hook's standing with its forge. Times are seconds of the forge's clock."""

    off: bool = False  # until a person switches it on
    waits_until: float = 0.0

    def delivers(self, now: float) -> bool:
        return not self.off and now >= self.waits_until

    @abstractmethod
    def answered(self, status: int, attempt: int, now: float) -> float | None:
        """Note an answer to the n-th try, from 1; after how long the forge tries again, if so."""


class Steadfast(Hook):
    """Never tries again, never switches off: GitHub, Gitea, Forgejo, Gogs, SourceHut, Gitee.

    https://docs.github.com/en/webhooks/using-webhooks/handling-failed-webhook-deliveries
    https://github.com/go-gitea/gitea/blob/main/services/webhook/deliver.go
    """

    def answered(self, status: int, attempt: int, now: float) -> float | None:
        return None


@dataclass
class GitLab(Hook):
    """Off for a minute after 4 failures in a row, then for longer, for good after 40.

    https://docs.gitlab.com/user/project/integrations/webhooks/#auto-disabled-webhooks
    """

    failures: int = 0

    def answered(self, status: int, attempt: int, now: float) -> float | None:
        self.failures = self.failures + 1 if failed(status) else 0
        if self.failures >= 40:
            self.off = True
        elif self.failures >= 4:
            self.waits_until = now + min(MINUTE * 2 ** (self.failures - 4), DAY)
        return None


class BitbucketCloud(Hook):
    """Tries twice more after 5xx.

    https://support.atlassian.com/bitbucket-cloud/docs/manage-webhooks/
    """

    def answered(self, status: int, attempt: int, now: float) -> float | None:
        return MINUTE if status >= 500 and attempt < 3 else None


@dataclass
class BitbucketDataCenter(Hook):
    """Skips for 10 seconds after 5 failures in a row, then for longer, for 10 hours at most.

    https://confluence.atlassian.com/bitbucketserver/manage-webhooks-938025878.html
    """

    failures: int = 0

    def answered(self, status: int, attempt: int, now: float) -> float | None:
        self.failures = self.failures + 1 if failed(status) else 0
        if self.failures >= 5:
            self.waits_until = now + min(10 * 2 ** (self.failures - 5), 10 * HOUR)
        return None


class Azure(Hook):
    """Tries 8 times more after what passes by; anything else that fails may switch it off.

    https://learn.microsoft.com/azure/devops/service-hooks/troubleshoot
    """

    def answered(self, status: int, attempt: int, now: float) -> float | None:
        if status in (408, 502, 503, 504):
            return min(2.0 ** (attempt - 1), MINUTE) if attempt < 9 else None
        self.off = self.off or failed(status)
        return None


class Standard(Hook):
    """Tries for a day and a half; 410 switches it off.

    https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
    """

    DELAYS = (5.0, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR)

    def answered(self, status: int, attempt: int, now: float) -> float | None:
        self.off = self.off or status == 410
        return self.DELAYS[attempt - 1] if failed(status) and attempt <= len(self.DELAYS) else None


RULES: dict[str, type[Hook]] = {
    "gitlab": GitLab,
    "bitbucket-cloud": BitbucketCloud,
    "bitbucket-dc": BitbucketDataCenter,
    "azure": Azure,
    "standard": Standard,
}


def hook_of(forge: str) -> Hook:
    return RULES.get(forge, Steadfast)()
