from __future__ import annotations

import json

from fakes import inbox

from .conftest import Host

SIGNED = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_everybody_is_told_and_what_came_of_it(host: Host) -> None:
    with inbox.http() as people, inbox.http() as programs:
        hook = {"URL": f"http://127.0.0.1:{programs.port}/", "SECRET": SIGNED, "ON": ["job.failed"]}
        service = {"URL": f"json://127.0.0.1:{people.port}/", "ON": ["failure"]}
        host.configure(NOTIFY=[service], REPOS={"course": {"OUTGOING_WEBHOOKS": [hook]}})
        assert host.done("notify", "hello there").splitlines() == [
            "NOTIFY[0]: sent",
            "REPOS.course.OUTGOING_WEBHOOKS[0]: sent",
        ]
        assert people.posted[0].json()["title"].startswith("A test of gitreload on ")
        assert people.posted[0].json()["message"].startswith("hello there")
        told = programs.posted[0].json()
        assert (told["type"], told["data"]["message"]) == ("test", "hello there")
        programs.answer = (500, {})
        host.configure(OUTGOING_WEBHOOKS=[hook])
        result = host.run("notify", "--json")
        assert result.exit_code == 1
        [end] = json.loads(result.stdout)
        assert (end["place"], end["sent"]) == ("OUTGOING_WEBHOOKS[0]", False)
        assert "answers 500" in end["error"]
