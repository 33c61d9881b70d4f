"""The demo's forge: git runs this as the post-receive hook of its repository.

It tells the server of each pushed branch as GitHub would, and prints the answer, which git shows
to the author behind `remote:`.
"""

from __future__ import annotations

import json
import os
import sys
import time
import urllib.request
import uuid

from gitreload.forges import Announcement, github


def main() -> None:
    for line in sys.stdin:
        before, after, ref = line.split()
        announcement = Announcement(
            os.environ["DEMO_REPOSITORY"],
            ref,
            before,
            after,
            delivery_id=str(uuid.uuid4()),
            now=time.time(),
            secret=os.environ["DEMO_SECRET"].encode(),
        )
        headers, body = github.compose(announcement)
        request = urllib.request.Request(os.environ["DEMO_HOOK"], body, headers)  # noqa: S310
        with urllib.request.urlopen(request) as response:  # noqa: S310 - a URL of the demo
            print(f"{response.status} {json.load(response)['msg']}")  # noqa: T201


if __name__ == "__main__":
    main()
