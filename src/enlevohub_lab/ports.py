"""Ports of this machine for servers that a test or a benchmark starts; only the standard library is needed."""

from __future__ import annotations

import itertools
import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def _listening_ports() -> Iterator[int]:
    """Give the ports that the kernel never gives to an outgoing connection, round and round.

    A port of the kernel's own choice is one of those it gives to connections: one of them may have it before the server
    that it was chosen for.
    """
    first, last = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split())
    ports = [*range(10240, first), *range(last + 1, 65536)]
    begin = os.getpid() * 64 % len(ports)
    return itertools.cycle(ports[begin:] + ports[:begin])


_PORTS = _listening_ports()


def free_port(address: str = "127.0.0.1") -> int:
    """Return a port of an address of this machine that nothing listens on now and that was not returned before."""
    for port in _PORTS:
        with socket.socket() as listener, suppress(OSError):
            listener.bind((address, port))
            return port
    raise AssertionError("the ports never end")
