"""The API of Studio that imports courses, as far as gitreload asks it.

The import: cms/djangoapps/contentstore/api/views/course_import.py and tasks.py (import_olx) of
https://github.com/openedx/openedx-platform. What became of it: serializers.py and views.py of
https://github.com/openedx/django-user-tasks, which Studio has at api/tasks/v0.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from gitreload.http_client import HttpClient
from gitreload.importers.studio.archive import Archive
from gitreload.importers.studio.refusals import STUDIO, no_api, refusal, told
from gitreload.importers.studio.tokens import Tokens
from gitreload.model import TransientError
from gitreload.olx.keys import course_id
from gitreload.setting_importers import StudioSettings

# An id or a state: it is shown, kept, and sent again.
_WORD = re.compile(r"[\w .:-]{1,200}")
# Once all is uploaded, Studio copies it to where its workers find it, before it answers.
UPLOADED_SECONDS = 300.0
_CHUNK = 256 * 1024
_ARTIFACTS = "/api/tasks/v0/artifacts/"


@dataclass(frozen=True, slots=True)
class Task:
    """An import of Studio; it is asked for with the name of the file that was uploaded."""

    id: str
    filename: str


class LostTaskError(TransientError):
    """Studio answers 500 for a task, as it does for one that it does not know."""


class StudioApi:
    """One Studio, asked as the user of its OAuth application. No error tells of secrets.

    All methods raise `TransientError` where it cannot be reached or has troubles of its own, and
    `PermanentError` with the cure where it refuses.
    """

    def __init__(self, settings: StudioSettings, client: HttpClient, tokens: Tokens) -> None:
        self._settings = settings
        self._client = client
        self._tokens = tokens
        self._url = settings.url.rstrip("/")

    def upload(
        self, key: str, filename: str, archive: Archive, sent: Callable[[int], None]
    ) -> Task:
        """Have the course `key` ("org/course/run") overwritten with `archive`.

        `sent` is told again and again how many bytes are sent, and may raise.
        """
        url = self._course_url(key)
        boundary = secrets.token_hex(16)
        head = (
            f"--{boundary}\r\nContent-Disposition: form-data; "
            f'name="course_data"; filename="{filename}"\r\nContent-Type: application/gzip\r\n\r\n'
        ).encode()
        tail = f"\r\n--{boundary}--\r\n".encode()
        headers = {
            "Content-Type": f"multipart/form-data; boundary={boundary}",
            "Content-Length": str(len(head) + archive.size + len(tail)),
        }

        def body() -> Iterator[bytes]:
            archive.file.seek(0)
            yield head
            while chunk := archive.file.read(_CHUNK):
                yield chunk
                sent(archive.file.tell())
            yield tail

        found = self._ask("POST", url, body=body, headers=headers, course=key)
        return Task(_text(found, "task_id", url), filename)

    def state(self, key: str, task: Task) -> str:
        """Where a task stands: "Pending", "Updating", "Succeeded", "Failed", …

        Raises `LostTaskError` besides.
        """
        url = self._course_url(key)
        query = urlencode({"task_id": task.id, "filename": task.filename})
        return _text(self._ask("GET", f"{url}?{query}", course=key, lost=True), "state", url)

    def artifacts(self, key: str, task: Task) -> list[tuple[str, str]]:
        """What a task left for people: names, such as "Error", and texts.

        Of the tasks of our user, which are listed by their names, the newest first, it is the first
        with the name that `CourseImportTask.generate_name` makes: the list has no ids as ours.
        """
        name = f"Import of {course_id(key)} from {task.filename}"
        listed = self._ask("GET", f"{self._url}/api/tasks/v0/tasks/?page_size=100")
        tasks = listed.get("results") if isinstance(listed, dict) else None
        for each in tasks if isinstance(tasks, list) else ():
            if isinstance(each, dict) and each.get("name") == name:
                return [*self._texts(each.get("artifacts"))]
        return []

    def _texts(self, urls: object) -> Iterator[tuple[str, str]]:
        for url in urls if isinstance(urls, list) else ():
            # Behind a web server Studio may not know its own address; nor does the token go to any
            # other.
            _, mark, artifact = str(url).partition(_ARTIFACTS)
            if mark:
                found = self._ask("GET", f"{self._url}{_ARTIFACTS}{quote(artifact)}")
                if isinstance(found, dict):
                    yield str(found.get("name")), str(found.get("text") or "")

    def _course_url(self, key: str) -> str:
        return f"{self._url}/api/courses/v0/import/{quote(course_id(key), safe=':+')}/"

    def _ask(
        self,
        method: str,
        url: str,
        *,
        body: Callable[[], Iterator[bytes]] | None = None,
        headers: Mapping[str, str] | None = None,
        course: str | None = None,
        lost: bool = False,
    ) -> Any:
        """The JSON of the answer; where the token is refused, that to another one."""
        for last in (False, True):
            token = self._tokens.get(self._settings, self._client)
            answer = self._client.ask(
                method,
                url,
                content=None if body is None else body(),
                headers={"Authorization": f"JWT {token}", **(headers or {})},
                seconds=None if body is None else UPLOADED_SECONDS,
            )
            if answer.status != 401 or last:
                break
            self._tokens.forget(self._settings)
        if lost and answer.status == 500:
            raise LostTaskError(told(STUDIO, answer, url, [token]))
        if not answer.ok:
            raise refusal(STUDIO, answer, url, [token], course)
        try:
            return answer.json()
        except ValueError:
            raise no_api(url) from None


def _text(found: object, name: str, url: str) -> str:
    text = found.get(name) if isinstance(found, dict) else None
    if isinstance(text, str) and _WORD.fullmatch(text):
        return text
    raise no_api(url)
