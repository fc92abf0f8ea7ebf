"""One HTTP/1.1 connection of a user, spoken by hand so that every way to fail is seen."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit


class StaleError(Exception):
    """A kept connection was closed before a byte of the answer came: browsers send the request again on a new one."""


class BrokenError(Exception):
    """The connection broke while the request was under way."""


@dataclass
class Reply:
    """An answer.

    Attributes:
        status: HTTP status.
        headers: header lines by lower-case name.
        body: the bytes of the body.
        closes: whether the server closes the connection after it.
    """

    status: int
    headers: dict[str, str]
    body: bytes
    closes: bool

    @property
    def json(self) -> Any:
        """The body read as JSON."""
        return json.loads(self.body)


@dataclass
class Connection:
    """A connection to the public address, opened by the first request."""

    address: str
    context: ssl.SSLContext
    used: int = 0
    _streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = field(default=None, repr=False)

    async def request(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes = b"",
        seconds: float = 0,
    ) -> Reply:
        """Send a request and read its answer.

        Args:
            method: HTTP method.
            path: path with query.
            headers: further header lines.
            body: bytes to send.
            seconds: how long the sending of the body takes; 0 sends it at once.

        Raises:
            StaleError: see there. BrokenError: see there. OSError: no connection.
        """
        fresh = self._streams is None
        if fresh:
            await self._open()
        assert self._streams is not None
        reader, writer = self._streams
        lines = [f"{method} {path} HTTP/1.1", f"Host: {urlsplit(self.address).netloc}", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        try:
            writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
            await self._send(writer, body, seconds)
            first = await reader.readline()
        except (OSError, asyncio.IncompleteReadError) as error:
            self.close()
            raise (BrokenError if fresh or seconds else StaleError)(str(error) or type(error).__name__) from error
        if not first:
            self.close()
            raise (BrokenError if fresh or seconds else StaleError)("closed without an answer")
        try:
            reply = await self._read(reader, first)
        except (OSError, asyncio.IncompleteReadError, ValueError) as error:
            self.close()
            raise BrokenError(f"broken in the answer: {error}") from error
        self.used += 1
        if reply.closes:
            self.close()
        return reply

    async def _open(self) -> None:
        parts = urlsplit(self.address)
        self._streams = await asyncio.open_connection(
            parts.hostname, parts.port or 443, ssl=self.context, server_hostname=parts.hostname
        )

    @staticmethod
    async def _send(writer: asyncio.StreamWriter, body: bytes, seconds: float) -> None:
        pieces = max(1, round(seconds * 2))
        size = -(-len(body) // pieces) or 1
        for begin in range(0, len(body), size):
            writer.write(body[begin : begin + size])
            await writer.drain()
            if seconds:
                await asyncio.sleep(seconds / pieces)

    @staticmethod
    async def _read(reader: asyncio.StreamReader, first: bytes) -> Reply:
        version, status = first.split()[:2]
        headers: dict[str, str] = {}
        while line := (await reader.readline()).strip():
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        if headers.get("transfer-encoding", "").lower() == "chunked":
            body = b""
            while size := int((await reader.readline()).split(b";")[0], 16):
                body += await reader.readexactly(size)
                await reader.readline()
            await reader.readline()
        else:
            body = await reader.readexactly(int(headers.get("content-length", "0")))
        closes = headers.get("connection", "").lower() == "close" or version == b"HTTP/1.0"
        return Reply(int(status), headers, body, closes)

    def close(self) -> None:
        """Close the connection; the next request opens a new one."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None
