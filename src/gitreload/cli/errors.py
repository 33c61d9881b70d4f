"""Where errors end: one sentence on stderr and an exit code, for all commands alike."""

from __future__ import annotations

import os
import sys
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from gitreload.cli.output import note
from gitreload.model import GitreloadError, PermanentError

FAILED = 1
# The command line, the configuration, or what they stand on (git, SQLite, STATE_DIR): the same
# command fails again until a person mends it.
USAGE = 2
# What shells report for programs that end by SIGINT and SIGPIPE.
INTERRUPTED = 130
BROKEN_PIPE = 141


class UsageError(GitreloadError):
    """The command line asks for something that makes no sense."""


class Command(TyperCommand):
    """A command that tells where help is, whatever is wrong with its line."""

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        """Take the line apart; raises what Typer raises, with the command that it is about."""
        try:
            return super().parse_args(ctx, args)
        except Exception as error:
            # An option that lacks its argument is noticed by a parser that knows no command.
            if getattr(error, "ctx", ctx) is None:
                error.ctx = ctx  # type: ignore[attr-defined]
            raise


class Commands(TyperGroup):
    """The commands, with an end for their errors."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; GitreloadError and OSError become a sentence and an exit code."""
        try:
            result = super().invoke(ctx)
            # Here, not when the interpreter ends: then nobody could tell of an error.
            sys.stdout.flush()
        except GitreloadError as error:
            raise _ended(str(error), _code(error)) from error
        except BrokenPipeError as error:
            _forget_output()
            raise typer.Exit(BROKEN_PIPE) from error
        except OSError as error:
            if error.filename is None:
                _forget_output()
            raise _ended(_sentence(error), FAILED) from error
        except KeyboardInterrupt as error:
            raise typer.Exit(INTERRUPTED) from error
        return result


def _ended(message: str, code: int) -> typer.Exit:
    for line in message.splitlines():
        note(f"gitreload: {line}")
    return typer.Exit(code)


def _code(error: GitreloadError) -> int:
    from gitreload.config import ConfigError

    return USAGE if isinstance(error, (ConfigError, PermanentError, UsageError)) else FAILED


def _sentence(error: OSError) -> str:
    what = "the output" if error.filename is None else str(error.filename)
    return f"{what} cannot be used: {error.strerror}; correct that, then try again"


def _forget_output() -> None:
    # What is left in the buffer would raise once more when the interpreter ends.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
