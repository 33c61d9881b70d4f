"""Why Studio could not import a course, in the platform's words, with the cure where one is known.

The words are those of cms/djangoapps/contentstore/errors.py, and what olxcleaner reports where
Studio is set up to ask it (validate_course_olx in tasks.py beside it).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping

from gitreload.importers.failures import shown
from gitreload.importers.studio.api import StudioApi, Task
from gitreload.model import GitreloadError, PermanentError

# A log needs no more of them.
_MOST = 50

_CURES = {
    "during the unpacking step": "most often there is no course {key} in Studio: create it there, "
    "with just this organization, number and run",
    "write access|[Pp]ermission denied": "add the user of the application to the course's team as "
    "admin or staff",
    "Uploaded .+ not found": "Studio's web servers and workers have to share the storage for "
    "imports (COURSE_IMPORT_EXPORT_STORAGE)",
    "Unknown error while importing": "the log of Studio's workers tells why; another import of the "
    "same course at the same time, by hand say, breaks both",
}


def failure(
    api: StudioApi, key: str, task: Task, state: str, log: Callable[[str], None]
) -> PermanentError:
    """The error that a task means which ended in `state`; `log` gets all that Studio says of it."""
    if state == "Canceled":
        return PermanentError(f"the import of {key} was cancelled in Studio; push again to repeat")
    try:
        texts: Mapping[str, str] = dict(reversed(api.artifacts(key, task)))
    except GitreloadError as error:
        log(f"Studio does not tell why: {error}")
        texts = {}
    findings = _findings(texts.get("OLX_VALIDATION_ERROR", ""))
    for finding in findings[:_MOST]:
        log(shown(finding))
    told = shown(texts.get("Error", "")) or "it does not tell why, but its log may"
    if findings:
        more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
        told = f"{told.removesuffix('.')}: {shown(findings[0])}{more}"
    cures = [cure.format(key=key) for words, cure in _CURES.items() if re.search(words, told)]
    return PermanentError("; ".join([f"Studio could not import {key}: {told}", *cures[:1]]))


def _findings(text: str) -> list[str]:
    """The errors in the JSON of `log_errors_to_artifact`."""
    try:
        errors = json.loads(text)["errors"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return []
    return [str(error) for error in errors] if isinstance(errors, list) else []
