"""What Studio and the LMS mean where they do not do what they are asked, with the cure."""

from __future__ import annotations

from collections.abc import Sequence

from gitreload.http_client import Answer
from gitreload.importers.failures import shown
from gitreload.model import GitreloadError, PermanentError, TransientError

# The sites, and the keys of `STUDIO` that name them.
STUDIO = "Studio"
LMS = "the LMS"
_KEYS = {STUDIO: "URL", LMS: "LMS_URL"}

# Refusals that pass by themselves: too slow, too early, too many.
_PASSING = (408, 425, 429)


def told(site: str, answer: Answer, url: str, secrets: Sequence[str]) -> str:
    """What `site` answered, in a sentence without `secrets`."""
    said = answer.said(secrets, _message(answer)) or "nothing"
    return f"{site} answers {answer.status} at {url.partition('?')[0]}: {said}"


def refusal(
    site: str, answer: Answer, url: str, secrets: Sequence[str], course: str | None = None
) -> GitreloadError:
    """The error that an answer is; `course` is the course that is imported there."""
    sentence = told(site, answer, url, secrets)
    if answer.status >= 500 or answer.status in _PASSING:
        return TransientError(sentence)
    cure = _cure(site, answer, course)
    return PermanentError(f"{sentence}; {cure}" if cure else sentence)


def no_api(url: str) -> PermanentError:
    return PermanentError(
        f"what answers at {url} is not Studio's API: STUDIO.URL has to be the address of Studio, "
        "not of the LMS or of the pages for authoring"
    )


def _cure(site: str, answer: Answer, course: str | None) -> str | None:
    match answer.status:
        case 401:
            return (
                "it does not take the token of the LMS: STUDIO.URL and STUDIO.LMS_URL have to be "
                "of one platform, and the user of the application has to be active there"
            )
        case 403 if course is not None:
            return (
                f"the user of the application may not write the course {course}, or there is no "
                "such course: create it in Studio, and add the user to its team as admin or staff"
            )
        case 413:
            return (
                "the web server in front of Studio takes no file of that size: raise its limit "
                "(client_max_body_size of nginx, max_size in request_body of Caddy)"
            )
        case status if 300 <= status < 400:
            leads = shown(answer.headers.get("Location", "nowhere"))
            return f"it has moved to {leads}: name its final address in STUDIO.{_KEYS[site]}"
        case 404:
            return f"is STUDIO.{_KEYS[site]} the address of {site}?"
    return None


def _message(answer: Answer) -> str:
    """The platform's own words, by DeveloperErrorViewMixin, OAuth (RFC 6749) or REST framework."""
    try:
        found = answer.json()
    except ValueError:
        return answer.text
    if isinstance(found, dict):
        for name in ("developer_message", "error_description", "error", "detail"):
            if found.get(name):
                return str(found[name])
    return answer.text
