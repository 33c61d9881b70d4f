"""`gitreload config`: what is in force, and where it comes from."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from gitreload.cli import output
from gitreload.cli.output import Json


def config(
    schema: Annotated[bool, typer.Option("--schema", help="Print a JSON Schema instead.")] = False,
    as_json: Json = False,
) -> None:
    """Show the configuration in force, and where it comes from."""
    from gitreload import config as configuration

    if schema:
        output.print_json(configuration.schema())
        return
    loaded = configuration.load()
    values = configuration.masked(loaded)
    if as_json:
        output.print_json(
            {
                "path": loaded.path,
                "settings": {key: {"value": value, "source": src} for key, value, src in values},
                "warnings": loaded.warnings,
            }
        )
        return
    output.table(
        ("key", "value", "source"),
        [(key, _shown(value, source), source) for key, value, source in values],
    )
    for warning in loaded.warnings:
        output.note(f"warning: {warning}")


def _shown(value: object, source: str) -> str:
    # What nobody has set fills a screen and tells nothing; --json has it.
    if source == "default" and isinstance(value, dict) and value:
        return "{…}"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value, ensure_ascii=False)
