"""The data plane: listens as the virtual servers, asks the members, and gives requests to those that may get them.

A request that cannot be served is no hidden error: the client's connection is closed, as a BIG-IP resets it.
Connections to members are not kept for other requests, so the count of a member is that of its requests under way.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from enlevohub_f5sim.journal import Journal
from enlevohub_f5sim.objects import ONECONNECT, REDIRECT, BigIp, Member

EVERY = 0.1
CONNECT = 3.0
IDLE = 300.0
LIMIT = 64 * 1024


class GoneError(Exception):
    """The other side is not there or went away."""


@dataclass
class Head:
    """The first lines of a request or an answer."""

    start: str
    headers: list[tuple[str, str]]

    def get(self, name: str) -> str:
        """Return a header, empty when it is not there."""
        return next((value for key, value in self.headers if key.lower() == name), "")

    def put(self, name: str, value: str) -> None:
        """Set a header."""
        self.headers = [(key, old) for key, old in self.headers if key.lower() != name.lower()] + [(name, value)]

    def data(self) -> bytes:
        """Return the bytes to send."""
        lines = [self.start, *(f"{name}: {value}" for name, value in self.headers)]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


async def read_head(reader: asyncio.StreamReader) -> Head | None:
    """Read the first lines; None when the other side ended in peace before them."""
    try:
        text = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise GoneError("ended in the middle of its header") from error
        return None
    lines = text.decode("latin-1").split("\r\n")
    pairs = [line.partition(":") for line in lines[1:] if line]
    return Head(lines[0], [(name.strip(), value.strip()) for name, _, value in pairs])


async def copy_body(head: Head, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: bool) -> None:
    """Pass a body on as it comes."""
    if head.get("transfer-encoding").lower() == "chunked":
        while True:
            line = await reader.readline()
            size = int(line.split(b";")[0], 16)
            writer.write(line + await reader.readexactly(size + 2))
            await writer.drain()
            if size == 0:
                return
    length = head.get("content-length")
    if length or not answer:
        left = int(length or 0)
        while left:
            data = await reader.read(min(left, LIMIT))
            if not data:
                raise GoneError("ended in the middle of its body")
            left -= len(data)
            writer.write(data)
            await writer.drain()
        return
    while data := await reader.read(LIMIT):
        writer.write(data)
        await writer.drain()


def matches(rule: dict[str, Any], path: str) -> bool:
    """Whether all conditions of a rule hold for a path."""
    for condition in rule.get("conditions", []):
        test = path.startswith if condition.get("startsWith") else path.__eq__
        if not any(test(value) for value in condition.get("values", [])):
            return False
    return True


@dataclass
class DataPlane:
    """Listens, asks, balances.

    Attributes:
        device: its objects.
        listen: address and port of this machine for each port of a virtual server; port 0: any free one.
        ports: the ports that are listened on, by the port of the virtual server.
        hurry: seconds between two questions of the monitors, instead of what the monitors say.
        journal: where each request is told to, with the member that got it.
    """

    device: BigIp
    certificate: Path
    key: Path
    listen: dict[int, tuple[str, int]]
    hurry: float = 0.0
    journal: Journal = field(default_factory=Journal)
    ports: dict[int, int] = field(default_factory=dict)
    _servers: dict[str, asyncio.Server] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)
    _last: dict[str, tuple[float, float]] = field(default_factory=dict)

    @contextmanager
    def serve(self) -> Iterator[DataPlane]:
        """Work until the end of the block."""
        self.device.probing = True
        thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="f5sim-plane")
        thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            thread.join()

    async def _run(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        probes: set[asyncio.Task[None]] = set()
        while not self._stop.is_set():
            await self._follow_virtuals(context)
            for task in self._due():
                probes.add(task)
                task.add_done_callback(probes.discard)
            await asyncio.sleep(EVERY)
        for server in self._servers.values():
            server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    async def _follow_virtuals(self, context: ssl.SSLContext) -> None:
        """Listen as each virtual server, and as no other."""
        with self.device.lock:
            virtuals = {path: dict(item) for path, item in self.device.table("ltm/virtual").items()}
        for path in [path for path in self._servers if path not in virtuals]:
            self._servers.pop(path).close()
        for path, virtual in virtuals.items():
            port = int(re.split(r"[:.]", virtual["destination"])[-1])
            if path in self._servers or port not in self.listen:
                continue
            tls = any("/client-ssl/" in item["nameReference"]["link"] for item in virtual.get("_profiles", []))

            async def handle(
                reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str = path, tls: bool = tls
            ) -> None:
                await self._client(path, tls, reader, writer)

            host, wanted = self.listen[port]
            server = await asyncio.start_server(handle, host, wanted, ssl=context if tls else None, limit=LIMIT)
            self._servers[path] = server
            self.ports[port] = int(server.sockets[0].getsockname()[1])

    # --- monitors

    def _due(self) -> list[asyncio.Task[None]]:
        """Begin the questions whose time has come."""
        found: list[asyncio.Task[None]] = []
        now = time.monotonic()
        with self.device.lock:
            for path, pool in self.device.table("ltm/pool").items():
                name = str(pool.get("monitor") or "").split(" ")[0]
                monitor = self.device.table("ltm/monitor/http").get(name)
                if monitor is None:
                    continue
                interval = self.hurry or float(monitor["interval"])
                timeout = 3 * self.hurry if self.hurry else float(monitor["timeout"])
                for member in self.device.members[path].values():
                    asked, well = self._last.get(f"{path} {member.path}", (0.0, now))
                    if member.state == "user-down" or now - asked < interval:
                        continue  # nobody asks a member that is forced offline
                    self._last[f"{path} {member.path}"] = (now, well)
                    found.append(
                        asyncio.create_task(self._probe(f"{path} {member.path}", member, dict(monitor), timeout))
                    )
        return found

    async def _probe(self, key: str, member: Member, monitor: dict[str, Any], timeout: float) -> None:
        """Ask one member; it is up at once, and down when no good answer came within the timeout."""
        answer = ""
        with contextlib.suppress(OSError, TimeoutError):
            answer = await asyncio.wait_for(self._ask(member, str(monitor["send"])), timeout)
        now = time.monotonic()
        good = bool(answer) and re.search(monitor["recv"], answer) is not None
        disable = monitor.get("recvDisable")
        with self.device.lock:
            member.told_to_leave = not good and bool(disable and re.search(disable, answer))
            asked, well = self._last[key]
            if good or member.told_to_leave:
                member.health = "up"
                self._last[key] = (asked, now)
            elif now - well >= timeout:
                member.health = "down"

    @staticmethod
    async def _ask(member: Member, send: str) -> str:
        reader, writer = await asyncio.open_connection(member.address, member.port)
        try:
            writer.write(send.replace("\\r", "\r").replace("\\n", "\n").encode())
            return (await reader.read(4096)).decode("latin-1")
        finally:
            writer.close()

    # --- requests

    async def _client(
        self, virtual: str, tls: bool, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Serve one client until it goes or something breaks."""
        kept: dict[str, str] = {}  # pool: member, for a virtual server without OneConnect
        try:
            while True:
                head = await asyncio.wait_for(read_head(reader), IDLE)
                if head is None:
                    return
                if not await self._request(virtual, tls, head, reader, writer, kept):
                    return
        except (OSError, GoneError, TimeoutError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            writer.transport.abort()
        finally:
            writer.close()

    async def _request(
        self,
        path: str,
        tls: bool,
        head: Head,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        kept: dict[str, str],
    ) -> bool:
        """Serve one request; returns whether the connection goes on."""
        with self.device.lock:
            virtual = dict(self.device.table("ltm/virtual")[path])
            if REDIRECT in virtual.get("rules", []):
                location = f"https://{head.get('host').split(':')[0]}{head.start.split(' ')[1]}"
                writer.write(f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode())
                return True
            pool = self._pool(virtual, head.start.split(" ")[1].split("?")[0])
            profiles = [item["fullPath"] for item in virtual.get("_profiles", [])]
            self._headers(head, profiles, str(writer.get_extra_info("peername")[0]), tls)
            cookie = f"BIGipServer{pool.rsplit('/', 1)[-1]}"
            persistent = any(item.get("name") == "cookie" for item in virtual.get("persist") or [])
            member = self._choose(pool, head, cookie if persistent else "", kept, ONECONNECT in profiles)
            told = {"began": time.time(), "pool": pool, "line": head.start}
            if member is None:
                self.journal.write("request", **told, member="", problem="no member may get it")
                raise GoneError("no member")
            member.current += 1
            member.total += 1
            member.most = max(member.most, member.current)
        problem = "cut off"
        added = self._added(profiles) + ([("Set-Cookie", f"{cookie}={member.name}; path=/")] if persistent else [])
        try:
            goes_on = await self._forward(member, head, reader, writer, added)
            problem = ""
            return goes_on
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
            raise
        finally:
            with self.device.lock:
                member.current -= 1
            self.journal.write("request", **told, ended=time.time(), member=member.path, problem=problem)

    def _pool(self, virtual: dict[str, Any], path: str) -> str:
        """Return the pool for a path: the first rule of a policy that holds, else the one of the virtual server."""
        for item in virtual.get("_policies", []):
            rules = self.device.table("ltm/policy").get(item["fullPath"], {}).get("_rules", [])
            for rule in sorted(rules, key=lambda entry: int(entry["ordinal"])):
                if matches(rule, path):
                    return str(rule["actions"][0]["pool"])
        return str(virtual.get("pool") or "")

    def _headers(self, head: Head, profiles: list[str], client: str, tls: bool) -> None:
        for path in profiles:
            profile = self.device.table("ltm/profile/http").get(path, {})
            if profile.get("insertXforwardedFor") == "enabled":
                head.put("X-Forwarded-For", client)
            name, _, value = str(profile.get("headerInsert") or "").partition(":")
            if value and value != "none":
                head.put(name.strip(), value.strip())

    def _added(self, profiles: list[str]) -> list[tuple[str, str]]:
        """Return the headers that the profiles add to an answer."""
        tables = [self.device.table("ltm/profile/http").get(path, {}).get("hsts") or {} for path in profiles]
        return [
            ("Strict-Transport-Security", f"max-age={hsts['maximumAge']}")
            for hsts in tables
            if hsts.get("mode") == "enabled"
        ]

    def _choose(self, pool: str, head: Head, cookie: str, kept: dict[str, str], oneconnect: bool) -> Member | None:
        """Return the member for a request; None when no member may get it."""
        members = self.device.members.get(pool, {})
        if not oneconnect and kept.get(pool) in members:
            return members[kept[pool]]  # this connection was there before: it goes on, whatever was set since
        chosen = None
        if cookie and (match := re.search(rf"{re.escape(cookie)}=([^;]+)", head.get("cookie"))):
            named = [item for item in members.values() if item.name == match.group(1)]
            chosen = next((item for item in named if self.device.gets_new(pool, item, persistent=True)), None)
        if chosen is None:
            able = [item for item in members.values() if self.device.gets_new(pool, item)]
            chosen = min(able, key=lambda item: (item.current, item.total), default=None)
        if chosen is not None:
            kept[pool] = chosen.path
        return chosen

    @staticmethod
    async def _forward(
        member: Member,
        head: Head,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        added: list[tuple[str, str]],
    ) -> bool:
        closes = head.get("connection").lower() == "close"
        head.put("Connection", "close")
        server, sender = await asyncio.wait_for(asyncio.open_connection(member.address, member.port), CONNECT)
        try:
            sender.write(head.data())
            await copy_body(head, reader, sender, answer=False)
            await sender.drain()
            answer = await read_head(server)
            if answer is None:
                raise GoneError("the member closed without an answer")
            bodiless = head.start.startswith("HEAD ") or answer.start.split(" ")[1] in ("204", "304")
            framed = bodiless or answer.get("content-length") or answer.get("transfer-encoding")
            goes_on = bool(framed) and not closes
            answer.put("Connection", "keep-alive" if goes_on else "close")
            answer.headers += added
            writer.write(answer.data())
            if not bodiless:
                await copy_body(answer, server, writer, answer=True)
            await writer.drain()
            return goes_on
        finally:
            sender.close()
