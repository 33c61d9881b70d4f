"""The sockets that `serve` listens on, bound before anything is started."""

from __future__ import annotations

import errno
import socket

from gitreload.config import ConfigError
from gitreload.model import GitreloadError

# An address family that this machine lacks: `localhost` may have names in several.
_ABSENT = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)


def bind(host: str, port: int) -> list[socket.socket]:
    """A bound socket for every address of `host`, at least one.

    Port 0 takes a free one, the same for all. Raises ConfigError, or GitreloadError where the port
    is taken.
    """
    try:
        found = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE | socket.AI_NUMERICSERV
        )
    except socket.gaierror as error:
        raise ConfigError(
            f"HOST is {host}, which cannot be resolved ({error.strerror}): set it to an address "
            "of this machine, such as 127.0.0.1"
        ) from error
    sockets: list[socket.socket] = []
    absent: OSError | None = None
    for family, _, _, _, address in dict.fromkeys(found):
        taken = sockets[0].getsockname()[1] if sockets else port
        try:
            sockets.append(_bound(family, (address[0], taken, *address[2:])))
        except OSError as error:
            if error.errno not in _ABSENT:
                for each in sockets:
                    each.close()
                raise _fault(host, port, error) from error
            absent = error
    if not sockets:
        assert absent is not None, "a name that resolves has an address"
        raise _fault(host, port, absent) from absent
    return sockets


def _bound(family: int, address: tuple[str | int, ...]) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        # A port whose last connections are still being closed can be taken over at once.
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(address)
    except BaseException:
        made.close()
        raise
    return made


def _fault(host: str, port: int, error: OSError) -> GitreloadError:
    if error.errno == errno.EADDRINUSE:
        # No ConfigError: it may pass by itself, as where a server is replaced by the next.
        return GitreloadError(
            f"port {port} of {host} is taken by another program, perhaps by another gitreload: "
            "stop that, or set PORT to a free port"
        )
    return ConfigError(_sentence(host, port, error))


def _sentence(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EACCES:
        return (
            f"PORT is {port}, and this user may not listen on ports that low: set it to 1024 or "
            "more, with a web server in front"
        )
    if error.errno in _ABSENT:
        return (
            f"HOST is {host}, which is no address of this machine: set it to one, such as 127.0.0.1"
        )
    return f"cannot listen on port {port} of {host}: {error.strerror}; correct HOST or PORT"
