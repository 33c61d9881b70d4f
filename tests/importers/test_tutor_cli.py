"""The real Tutor, above the stand-ins for Docker and Kubernetes: what it makes of our arguments."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from tutor_site import KEY, Site, build

REAL = Path(sys.executable).with_name("tutor")


class Pods(BaseHTTPRequestHandler):
    """The API server of a cluster with one pod of cms."""

    def do_GET(self) -> None:
        assert unquote(self.path) == (
            "/api/v1/namespaces/openedx/pods?labelSelector=app.kubernetes.io/name=cms"
        )
        body = json.dumps({"kind": "PodList", "items": [{"metadata": {"name": "cms-5d9c"}}]})
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: Any) -> None:
        """Not into the tests' output."""


@contextmanager
def cluster(kubeconfig: Path) -> Iterator[None]:
    with HTTPServer(("127.0.0.1", 0), Pods) as server:
        named = {"name": "here"}
        contents = {
            "clusters": [
                {**named, "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}
            ],
            "users": [{**named, "user": {}}],
            "contexts": [{**named, "context": {"cluster": "here", "user": "here"}}],
            "current-context": "here",
        }
        kubeconfig.write_text(json.dumps({"apiVersion": "v1", "kind": "Config", **contents}))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield
        finally:
            server.shutdown()


@pytest.mark.parametrize(("mode", "how"), [("local", "exec"), ("dev", "run"), ("k8s", "exec")])
def test_a_course_arrives_through_the_real_tutor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, how: str
) -> None:
    site = build(tmp_path, monkeypatch)
    monkeypatch.setenv("TUTOR_PLUGINS_ROOT", str(tmp_path))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    (site.containers.tutor_root / "config.yml").write_text("PLUGINS: []\n")
    with cluster(tmp_path / "kubeconfig"):
        imported = site.run(tutor={"MODE": mode, "HOW": how, "COMMAND": [str(REAL)]})
    assert imported.course_key == KEY
    real = calls(site)
    site.run(tutor={"MODE": mode, "HOW": how})
    assert calls(site) == [*real, *real]


def calls(site: Site) -> list[list[str]]:
    """Those that lead into the container."""
    return [call for call in site.containers.calls() if "ls" not in call]
