"""What a management command of the platform meant by its end: one sentence, for good or for now."""

from __future__ import annotations

import re
import signal
from collections.abc import Mapping

from gitreload.importers.tracebacks import reason
from gitreload.model import GitreloadError, PermanentError, TransientError
from gitreload.process import Completed
from gitreload.remotes import mask
from gitreload.visible import visible

_LONGEST = 500

# The databases and queues of the platform, and the machine under them, as their clients say it.
_PASSES_BY_ITSELF = re.compile(
    r"""\b(?: OperationalError | InterfaceError | AutoReconnect | ServerSelectionTimeoutError
      | NetworkTimeout | ConnectionFailure | NotPrimaryError | NotMasterError
      | ConnectionError | ConnectionRefusedError | ConnectionResetError | TimeoutError
      | MemoryError )\b
    | Can't\ connect\ to\ MySQL | MySQL\ server\ has\ gone\ away | Lost\ connection\ to\ MySQL
    | Connection\ (?:refused|reset|timed\ out) | Temporary\ failure\ in\ name\ resolution
    | Could\ not\ resolve\ host | No\ space\ left\ on\ device | Cannot\ allocate\ memory
    | [./]lock'?:\ File\ exists""",
    re.VERBOSE,
)


def shown(text: str) -> str:
    """`text` of the platform as a sentence may hold it: one line, short, without credentials."""
    text = mask(visible(text))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def failure(
    command: str,
    completed: Completed,
    *,
    minutes: float,
    cures: Mapping[str, str],
    detail: str | None = None,
) -> GitreloadError:
    """Why `command` failed: a `TransientError` where that may pass by itself, else permanent.

    `minutes` is the time it had. `cures` maps patterns of what it is known to say to advice.
    `detail` is what else is known of the cause.
    """
    if completed.timed_out:
        return TransientError(
            f"{command} did not end within {minutes:g} minutes and was ended; the course may be "
            "imported in part. Raise SUBPROCESS_TIMEOUT_MINUTES if an import takes that long"
        )
    if completed.signal is not None:
        # The kernel's out-of-memory killer and supervisors end processes that did nothing wrong.
        memory = "; perhaps memory ran out" if completed.signal == signal.SIGKILL else ""
        return TransientError(f"{command} was ended by {_signal_name(completed.signal)}{memory}")
    told = reason(completed.output.decode("utf-8", "replace")) + (f": {detail}" if detail else "")
    sentence = f"{shown(told)} (exit {completed.exit_code})"
    for pattern, advice in cures.items():
        if re.search(pattern, told):
            return PermanentError(f"{command} failed: {sentence}; {advice}")
    kind = TransientError if _PASSES_BY_ITSELF.search(told) else PermanentError
    return kind(f"{command} failed: {sentence}")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # most real-time signals have none
        return f"signal {number}"
