"""Why nothing could be run in the platform's container, as `tutor` and those under it say it."""

from __future__ import annotations

import re

from gitreload.importers.failures import shown
from gitreload.model import TransientError
from gitreload.setting_tutor import TutorSettings

# What is said by docker compose (pkg/compose), the docker client, kubectl, and tutor itself; and
# what to do then. {mode} is TUTOR.MODE.
_CURES = {
    r'service "cms" is not running|container .* is not running': "start the platform: "
    "tutor {mode} start -d",
    r"Could not find an active pod|NotFound.*pods|container not found|pod .* not running": "start "
    "the platform: tutor {mode} start",
    r"no such service: cms|no configuration file provided": "render Tutor's files: "
    "tutor config save",
    r"permission denied .*docker(?:\.sock| daemon| API)|connect: permission denied": "the user of "
    "gitreload may not use Docker: add it to the group docker",
    r"Cannot connect to the Docker daemon|docker(?:\.sock| daemon).*connection refused": "Docker "
    "does not run here; start it, or set DOCKER_HOST",
    r"docker is not installed|No such file or directory: 'docker'": "install Docker here, or give "
    "gitreload a PATH that has it",
    r"kubectl is not installed|No such file or directory: 'kubectl'": "install kubectl here, or "
    "give gitreload a PATH that has it",
    r"no Kubernetes configuration file|No module named 'kubernetes'": "give gitreload's user the "
    "configuration of kubectl, and Tutor its extra: pip install 'tutor[full]'",
    r"Project root does not exist": "set TUTOR.ROOT to what `tutor config printroot` tells its "
    "owner",
    r"No such command 'k8s'|No such command 'dev'|No such command 'local'": "TUTOR.COMMAND is not "
    "Tutor's program",
    r"(?:python|true).*executable file not found|exec: \"?python": "the container has no python: "
    "the service cms must be Open edX's",
}

# Tutor's last line only repeats the command, over and over.
_REPEATED = re.compile(r"Error: Command failed|\$? ?(?:docker compose|kubectl) |Traceback |\s")


def unreached(settings: TutorSettings, output: bytes) -> TransientError:
    """The error for what was said; it may pass by itself, once somebody starts what is missing."""
    text = output.decode("utf-8", "replace")
    lines = [line for line in text.splitlines() if line.strip() and not _REPEATED.match(line)]
    told = shown(lines[-1].strip()) if lines else "it said nothing"
    for pattern, cure in _CURES.items():
        if found := re.search(f".*(?:{pattern}).*", text, re.IGNORECASE):
            told = shown(found[0].strip())
            advice = cure.format(mode=settings.mode)
            return TransientError(f"tutor {settings.mode} did not reach cms: {told}; {advice}")
    return TransientError(f"tutor {settings.mode} did not reach cms: {told}")
