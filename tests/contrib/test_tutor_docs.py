"""The guide for operators of Tutor says what there is."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from tutor.commands import config, dev, images, k8s, local, mounts, plugins

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs/tutor.md").read_text()
PLUGIN = ROOT / "contrib/tutor-gitreload"

TUTOR = click.Group(
    commands={
        "config": config.config_command,
        "dev": dev.dev,
        "images": images.images_command,
        "k8s": k8s.k8s,
        "local": local.local,
        "mounts": mounts.mounts_command,
        "plugins": plugins.plugins_command,
    }
)


def commands() -> Iterator[str]:
    """The commands of Tutor that the guide and the plugin's page show to be typed."""
    readme = (PLUGIN / "README.md").read_text()
    for line in re.findall(r"^tutor [^#\n]+", GUIDE + readme, re.MULTILINE):
        yield line.strip()
    yield from re.findall(r"`(tutor [a-z0-9]+ [^`{]+)`", " ".join((GUIDE + readme).split()))


@pytest.mark.parametrize("line", sorted(set(commands())))
def test_tutor_has_the_commands(line: str) -> None:
    _, *words = shlex.split(line)
    command: click.Command = TUTOR
    while isinstance(command, click.Group):
        command = command.commands[words.pop(0)]
    context = click.Context(command, **command.context_settings)
    command.make_parser(context).parse_args(words)


def test_every_setting_of_the_plugin_is_told() -> None:
    told = set(re.findall(r"^\| .*", GUIDE, re.MULTILINE))
    named = {name for row in told for name in re.findall(r"`(GITRELOAD_\w+)`", row)}
    assert named == set(
        re.findall(r'"(GITRELOAD_\w+)":', (PLUGIN / "tutorgitreload/plugin.py").read_text())
    )
