"""All that Studio may answer to an import, and what a job then has to say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fakes.studio import KEY, STEPS, StudioServer, Task
from gitreload.model import GitreloadError, PermanentError, TransientError


@dataclass(frozen=True)
class Row:
    """`arrange` makes a Studio behave so; `error` is a pattern of the job's error.

    `minutes` is the time that the import has.
    """

    name: str
    arrange: Callable[[StudioServer], object]
    kind: type[GitreloadError] | None = None
    error: str = ""
    minutes: float = 1


def _answers(start: str, status: int, text: str = "", **headers: str) -> Callable[..., object]:
    return lambda server: server.answers.update({start: (status, text, headers)})


def _sets(**attributes: object) -> Callable[[StudioServer], object]:
    return lambda server: vars(server).update(attributes)


_IMPORT = "/api/courses/v0/import/"
_TOKEN = "POST /oauth2/access_token"

ROWS = [
    Row("succeeded", _sets()),
    Row(
        "the credentials are wrong",
        _answers(_TOKEN, 401, '{"error": "invalid_client"}'),
        PermanentError,
        r"the LMS answers 401 at \S+/oauth2/access_token: invalid_client; STUDIO\.CLIENT_ID and "
        r"STUDIO\.CLIENT_SECRET have to be those of an application",
    ),
    Row(
        "the grant type is wrong",
        _answers(_TOKEN, 400, '{"error": "unauthorized_client"}'),
        PermanentError,
        "unauthorized_client; .+ grant type is Client credentials",
    ),
    Row(
        "the LMS is asked too often",
        _answers(_TOKEN, 403, "<h1>403 Forbidden</h1>"),
        TransientError,
        "the LMS answers 403",
    ),
    Row(
        "the LMS is another site",
        _answers(_TOKEN, 200, "<html>"),
        PermanentError,
        r"gives no token: STUDIO\.LMS_URL has to be the address of the LMS",
    ),
    *(
        Row(
            f"the LMS gives {what}",
            _answers(_TOKEN, 200, text),
            PermanentError,
            r"gives no token: STUDIO\.LMS_URL has to be the address of the LMS$",
        )
        for what, text in {
            "a token with a line break": '{"access_token": "SECRET\\n", "expires_in": 60}',
            "a token beyond ASCII": '{"access_token": "s\\u00e9cret", "expires_in": 60}',
            "no token": '{"access_token": null, "expires_in": 60}',
            "a token for ever": f'{{"access_token": "x", "expires_in": 1{"0" * 400}}}',
        }.items()
    ),
    Row(
        "the task has no proper name",
        _answers(f"POST {_IMPORT}", 200, '{"task_id": "a\\nb"}'),
        PermanentError,
        "",
    ),
    Row(
        "the LMS is moved",
        _answers(_TOKEN, 302, Location="https://lms.example/"),
        PermanentError,
        r"it has moved to https://lms\.example/: name its final address in STUDIO\.LMS_URL",
    ),
    Row(
        "the token is of another platform",
        _answers(f"POST {_IMPORT}", 401, '{"detail": "Invalid token."}'),
        PermanentError,
        r"Studio answers 401 at .+: Invalid token\.; it does not take the token of the LMS",
    ),
    Row(
        "the user is no author of the course",
        _sets(author=False),
        PermanentError,
        r"403 .+ does not have course author permissions\.; the user of the application may not "
        "write the course MITx/6.001/2026, or there is no such course",
    ),
    Row(
        "there is no such course",
        _sets(courses={}),
        PermanentError,
        "Studio could not import MITx/6.001/2026: An Unknown error occurred during the unpacking "
        r"step\.; most often there is no course MITx/6.001/2026 in Studio: create it there",
    ),
    Row(
        "the import fails",
        _sets(error="Unknown error while importing course."),
        PermanentError,
        r"could not import MITx/6.001/2026: Unknown error while importing course\.; the log of "
        "Studio's workers tells why",
    ),
    Row(
        "the import fails for a reason that is told",
        _sets(error="Error: chapter <b>\n\x1b[31mx"),
        PermanentError,
        r"could not import MITx/6.001/2026: Error: chapter <b>\\n\\x1b\[31mx$",
    ),
    Row(
        "somebody imports the same course by hand",
        lambda server: server.begin(Task(KEY, "by-hand.tar.gz", {})),
        PermanentError,
        "Unknown error while importing course.+; another import of the same course at the same "
        "time, by hand say, breaks both",
    ),
    Row(
        "what was uploaded is not found",
        _sets(error="Uploaded Tar file not found. Try again."),
        PermanentError,
        "web servers and workers have to share the storage",
    ),
    Row(
        "olxcleaner finds errors",
        _sets(findings=["ERROR InvalidXML course/x.xml", "ERROR TagMismatch y.xml"]),
        PermanentError,
        r"Course olx validation failed\. Please check your email: ERROR InvalidXML course/x\.xml "
        r"\(and 1 more\)$",
    ),
    Row(
        "what failed cannot be read",
        lambda server: (
            _sets(error="x")(server),
            _answers("GET /api/tasks/", 403, '{"detail": "no"}')(server),
        ),
        PermanentError,
        "could not import MITx/6.001/2026: it does not tell why, but its log may$",
    ),
    Row(
        "the import is cancelled in Studio",
        _answers(f"GET {_IMPORT}", 200, '{"state": "Canceled"}'),
        PermanentError,
        "was cancelled in Studio; push again",
    ),
    Row(
        "the task is lost",
        _answers(f"GET {_IMPORT}", 500, '{"developer_message": "\'NoneType\' object has no …"}'),
        TransientError,
        r"Studio has lost the import of MITx/6.001/2026, so it is uploaded again: .+ 'NoneType'",
    ),
    Row(
        "Studio goes away",
        _answers(f"GET {_IMPORT}", 502, "<html>Bad Gateway"),
        TransientError,
        "Studio answers 502 at .+: <html>Bad Gateway$",
    ),
    Row(
        "Studio has troubles with the upload",
        _answers(f"POST {_IMPORT}", 500, '{"developer_message": "No space left on device"}'),
        TransientError,
        "Studio answers 500 at .+: No space left on device$",
    ),
    Row(
        "the upload is dropped",
        _sets(drop_after=300),
        TransientError,
        "Open edX cannot be reached at .+: (Read|Write|RemoteProtocol)Error",
    ),
    Row(
        "the upload is too large",
        _answers(f"POST {_IMPORT}", 413, "<html>Request Entity Too Large"),
        PermanentError,
        "413 .+ takes no file of that size: raise its limit",
    ),
    Row(
        "Studio is another site",
        _answers(f"POST {_IMPORT}", 200, "<html>"),
        PermanentError,
        "is not Studio's API",
    ),
    Row(
        "Studio has no such API",
        _answers(f"POST {_IMPORT}", 404, "<html>"),
        PermanentError,
        r"404 .+; is STUDIO\.URL the address of Studio\?",
    ),
    Row(
        "Studio is moved",
        _answers(f"POST {_IMPORT}", 301, Location="https://evil.example/"),
        PermanentError,
        r"it has moved to https://evil\.example/: name its final address in STUDIO\.URL",
    ),
    Row(
        "it takes too long",
        _sets(held_at=STEPS[3]),
        TransientError,
        "did not end within .+ minutes; what Studio has begun goes on there",
        minutes=0.005,
    ),
]
