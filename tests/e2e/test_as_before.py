"""A deployment of gitreload 0.2 is replaced, its configuration unchanged."""

from __future__ import annotations

from e2e.deployment import Deployment

SIX_KEYS = {"DJANGO_SETTINGS", "EDX_PLATFORM", "LOG_LEVEL", "NUM_THREADS", "REPODIR", "VIRTUAL_ENV"}


def test_the_six_keys_an_empty_queue_and_an_unsigned_form(here: Deployment) -> None:
    remote = here.course("rivers")
    kept = {key: value for key, value in here.config.items() if key in SIX_KEYS}
    here.config = {"DJANGO_SETTINGS": "aws", "NUM_THREADS": 1, **kept, "LOG_LEVEL": None}
    here.write_config()
    here.variables = {
        "GITRELOAD_PORT": str(here.port),
        "GITRELOAD_STATE_DIR": str(here.state_dir),
    }
    here.start("gitreload")
    here.logs("rivers ← ")
    here.logs("only requests from this machine are served")
    queue = here.request("GET", "/queue")
    assert queue.text == '{"queue_length":0,"queue":[]}'
    revision = remote.commit({"about/overview.html": "<h2>As before</h2>\n"})
    answer = here.deliver(remote, revision, route="/gitreload", secret=None, form=True)
    assert (answer.status, answer.body["outcome"]) == (200, "queued")
    here.settle()
    imported = here.platform.course("Brook/rivers/2026")
    assert imported is not None
    assert imported["revision"] == revision
