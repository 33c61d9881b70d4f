"""The URLs that the documentation has are ones that Apprise takes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs/notifications.md"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # what Apprise loads
def test_urls_of_services() -> None:
    import apprise

    table = PAGE.read_text().partition("| service |")[2].partition("\n\n")[0]
    urls = re.findall(r"`(\w+://[^`]+)`", table)
    assert len(urls) > 10
    refused = [url for url in urls if apprise.Apprise.instantiate(url) is None]
    assert refused == []
