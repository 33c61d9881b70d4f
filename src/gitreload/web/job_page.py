"""One job as a page, where the links of commit statuses and notifications lead.

There is no script in it and nothing is loaded: while the job is unfinished, the browser is told to
load the page again. Whatever comes from elsewhere (branches, people, errors, logs) is escaped.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from html import escape

from starlette.responses import HTMLResponse, RedirectResponse, Response

from gitreload.ledger import Ledger, LinkedDelivery
from gitreload.model import Attempt, Job, State
from gitreload.telling import asked, interruption, state_of, took, when
from gitreload.visible import legible, visible

# How soon an unfinished job is looked at again: one that runs, and one that waits.
RUNNING_SECONDS, WAITING_SECONDS = 2, 5
# So many attempts, and deliveries, are listed, the newest ones.
MOST_LISTED = 20

_STYLE = """
:root { color-scheme: light dark; --good: light-dark(#1a7f37, #3fb950);
  --bad: light-dark(#cf222e, #f85149); --busy: light-dark(#0969da, #58a6ff); }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.5rem; margin: 0; }
dt { opacity: .7; } dd { margin: 0; overflow-wrap: anywhere; }
table { border-collapse: collapse; } th, td { text-align: left; padding: .1rem 1.5rem .1rem 0;
  vertical-align: top; overflow-wrap: anywhere; } th { font-weight: normal; opacity: .7; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; padding: .8rem 1rem; margin: .5rem 0;
  border: 1px solid color-mix(in srgb, currentColor 20%, transparent); border-radius: 6px;
  font: 14px/1.45 ui-monospace, monospace; }
.error { border-left: 4px solid var(--bad); }
.succeeded { color: var(--good); } .failed, .failing { color: var(--bad); }
.running, .queued { color: var(--busy); }
"""
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


def job_page(ledger: Ledger, number: str, attempt: str | None) -> Response:
    """The page of a job, with the log of its newest `attempt` where none is named.

    A job that was superseded leads to the one that now stands for it. Raises LedgerUnavailable.
    """
    asked_for = _whole(number)
    job = None if asked_for is None else ledger.follow(asked_for)
    if job is None:
        return message_page(
            404,
            "no such job",
            f"There is no job {number[:20]}: finished ones are removed after HISTORY_DAYS.",
        )
    if job.id != asked_for:
        # Below whatever address the web server in front has for us.
        return RedirectResponse(str(job.id), headers=_HEADERS)
    attempts = ledger.attempts(job.id)
    place = _whole(attempt or "") or len(attempts)
    log = _log(ledger, attempts[place - 1]) if 0 < place <= len(attempts) else ""
    return _answer(200, html_of(job, ledger.deliveries(job.id), attempts, place, log))


def html_of(
    job: Job,
    deliveries: Sequence[LinkedDelivery],
    attempts: Sequence[Attempt],
    place: int,
    log: str,
) -> str:
    """All of the page; `log` is that of the attempt at this `place`, counted from 1."""
    state = f'<span class="{_class(job)}">{_text(state_of(job))}</span>'
    parts = [
        f"<h1>{_text(asked(job))} of {_text(job.directory)}: {state}</h1>",
        _reasons(job),
        _facts(job),
        _deliveries(deliveries),
        _attempts(job, attempts),
        f"<h2>Log of attempt {place}</h2>\n<pre>{_lines(log)}</pre>" if attempts else "",
    ]
    refresh = None
    if not job.state.finished:
        refresh = RUNNING_SECONDS if job.state is State.RUNNING else WAITING_SECONDS
    return _page(f"{state_of(job)}: {asked(job)} of {job.directory}", parts, refresh=refresh)


def message_page(
    status: int, title: str, message: str, headers: Mapping[str, str] | None = None
) -> Response:
    """A page that only says why there is no other."""
    parts = [f"<h1>{_text(title)}</h1>", f"<p>{_text(message)}</p>"]
    return _answer(status, _page(title, parts), headers)


def _answer(status: int, page: str, headers: Mapping[str, str] | None = None) -> Response:
    return HTMLResponse(page, status_code=status, headers={**_HEADERS, **(headers or {})})


def _page(title: str, parts: Iterable[str], *, refresh: int | None = None) -> str:
    again = "" if refresh is None else f'<meta http-equiv="refresh" content="{refresh}">\n'
    body = "\n".join(filter(None, parts))
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n{again}'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="robots" content="noindex">\n'
        f"<title>{_text(title)}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def _reasons(job: Job) -> str:
    """Why it failed, or had nothing to do."""
    if job.error is not None:
        return f'<pre class="error">{_lines(job.error)}</pre>'
    return "" if job.skipped is None else f"<p>{_text(job.skipped)}</p>"


def _facts(job: Job) -> str:
    waits = job.state is State.QUEUED and not job.held
    pairs = [
        ("job", str(job.id)),
        ("checkout", job.directory),
        ("remote", job.origin),
        ("follows", job.follows),
        ("revision", job.to_revision or job.wanted),
        ("before", job.from_revision if job.from_revision != job.to_revision else None),
        ("course", job.exclusion),
        ("reason", job.reason),
        ("queued", when(job.queued_at)),
        ("due", when(job.due_at) if waits else None),
        ("started", when(job.started_at)),
        ("finished", when(job.finished_at)),
        ("took", took(job.started_at, job.finished_at)),
        ("failed tries", str(job.tries) if job.tries else None),
    ]
    shown = [f"<dt>{name}</dt><dd>{_text(value)}</dd>" for name, value in pairs if value]
    return "<dl>\n" + "\n".join(shown) + "\n</dl>"


def _deliveries(deliveries: Sequence[LinkedDelivery]) -> str:
    rows = [
        (when(each.received_at), each.forge, each.pusher or "", each.ref, each.after or "")
        for each in deliveries[-MOST_LISTED:]
    ]
    return _table("Pushes", ("received", "forge", "pushed by", "ref", "revision"), rows)


def _attempts(job: Job, attempts: Sequence[Attempt]) -> str:
    first = max(0, len(attempts) - MOST_LISTED)
    rows = [
        (
            f'<a href="?attempt={place}">{place}</a>',
            when(each.started_at),
            took(each.started_at, each.finished_at),
            each.result,
            (each.error or "") if each.error != job.error else "",
        )
        for place, each in enumerate(attempts[first:], first + 1)
    ]
    table = _table("Attempts", ("attempt", "started", "took", "result", "error"), rows, linked=True)
    earlier = f"<p>{first} earlier ones: gitreload logs {job.id}</p>" if first else ""
    return table + earlier


def _table(
    title: str,
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    linked: bool = False,
) -> str:
    """`linked`: the first cell of each row is HTML of ours; all others are text."""
    if not rows:
        return ""
    lines = [
        "<tr>"
        + "".join(
            f"<td>{cell if linked and not place else _text(cell)}</td>"
            for place, cell in enumerate(row)
        )
        + "</tr>"
        for row in rows
    ]
    heads = "".join(f"<th>{name}</th>" for name in head)
    return f"<h2>{title}</h2>\n<table>\n<tr>{heads}</tr>\n" + "\n".join(lines) + "\n</table>"


def _log(ledger: Ledger, attempt: Attempt) -> str:
    return "".join(text for _, text in ledger.log(attempt.id)) + interruption(attempt)


def _class(job: Job) -> str:
    return "failing" if job.failing else job.state.value


def _whole(text: str) -> int | None:
    """The number that a part of an address is, as far as the ledger can have it."""
    fits = text.isascii() and text.isdigit() and len(text) <= 18  # SQLite's largest has 19
    return int(text) if fits else None


def _text(text: str) -> str:
    return escape(visible(text))


def _lines(text: str) -> str:
    return escape(legible(text))
