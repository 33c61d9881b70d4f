"""Runs a script of the platform as its own Python would, and copies what its log says in proof.

    python launcher.py manage.py ARGUMENT...

does what `python manage.py ARGUMENT...` does: same `sys.argv`, `sys.path` and `__main__`, same
output, same exit code. Besides, every record that the loggers below are given is written to the
pipe whose number is in GITRELOAD_EVIDENCE_FD, one JSON object a line:
{"logger": name, "level": number, "message": text}, at most PIPE_BUF bytes with the line's end.

It runs inside the platform's virtual environment: Python 2.7 or 3, standard library only.
"""

import os
import sys

# First of all, so that no module beside this file passes for one of the standard library.
if sys.path and os.path.realpath(sys.path[0]) == os.path.dirname(os.path.realpath(__file__)):
    sys.path[0] = os.path.dirname(os.path.realpath(sys.argv[1]))

import fcntl
import json
import logging
import runpy
import select

VARIABLE = "GITRELOAD_EVIDENCE_FD"

LOGGERS = (
    "xmodule.modulestore.xml_importer",
    "xmodule.modulestore.xml",
    # Where git_add_course says what git told it: the platform to 2017, to 2021, the plugin since.
    "dashboard.git_import",
    "lms.djangoapps.dashboard.git_import",
    "edx_sysadmin.git_import",
)


def take_pipe():
    """The pipe's descriptor, or None. Children of the platform get neither it nor its name."""
    number = os.environ.pop(VARIABLE, "")
    if not number.isdigit():
        return None
    try:
        flags = fcntl.fcntl(int(number), fcntl.F_GETFD)
        fcntl.fcntl(int(number), fcntl.F_SETFD, flags | fcntl.FD_CLOEXEC)
    except (IOError, OSError):
        return None
    return int(number)


def encode(record):
    """One line for `record`. Below PIPE_BUF a write is never mixed with that of another process."""
    try:
        message = record.getMessage()
    except Exception:  # arguments that do not fit; the platform's own handlers say so
        message = record.msg
    if isinstance(message, bytes):
        message = message.decode("utf-8", "replace")
    for length in 3000, 300:
        shown = (u"%s" % (message,))[:length]
        line = json.dumps({"logger": record.name, "level": record.levelno, "message": shown})
        if len(line) < select.PIPE_BUF:
            break
    return line.encode("ascii") + b"\n"


def copy_records(logger, pipe):
    """Write all that `logger` is given to `pipe`; what it logs for others stays as it was.

    The platform's configuration sets levels, handlers, filters and `disabled` of the logger, at
    any time. Its methods decide what becomes of that, so they are what is wrapped.
    """
    wants, handles = logger.isEnabledFor, logger.handle

    def is_enabled_for(level):
        return level >= logging.DEBUG or wants(level)

    def handle(record):
        try:
            os.write(pipe, encode(record))
        except Exception:  # nobody reads any more: without proof, but the import goes on
            pass
        if wants(record.levelno):
            handles(record)

    logger.isEnabledFor = is_enabled_for
    logger.handle = handle


def watch_loggers(pipe):
    """Wrap each of `LOGGERS` when the platform first asks for it: not before, since dictConfig may
    disable all loggers that exist by then."""
    manager = logging.Logger.manager
    get = manager.getLogger

    def get_logger(name):
        logger = get(name)
        if name in LOGGERS and "handle" not in vars(logger):
            copy_records(logger, pipe)
        return logger

    manager.getLogger = get_logger


def main():
    pipe = take_pipe()
    if pipe is not None:
        watch_loggers(pipe)
    del sys.argv[0]
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
