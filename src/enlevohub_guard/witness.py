#!/usr/bin/python3
"""Watches the leader of the database from a member of the quorum, and shortens its lease when its server is off.

Without help a lost server keeps the lease of the leader for up to 20 seconds. A witness sends an echo request to that
server several times a second. When it is silent, the witness writes so into etcd; when enough witnesses wrote it, the
operator's command is asked whether that server is really off. Only then, and only when a synchronous standby is there
to take over, the key of the leader is removed: the standby takes over at once. A silent server that is not off, a
leader that was changed meanwhile and a cluster without a synchronous standby are left to the lease.

Usage: witness.py CONFIG, a JSON file.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Set, Tuple
from urllib.parse import urlsplit

VOTE_SECONDS = 5
ASK_AGAIN_SECONDS = 2.0
ETCD_SECONDS = 2.0
CONNECTION_SECONDS = 60.0


@dataclass
class View:
    """What etcd knows of the cluster.

    Attributes:
        leader: its name, empty when there is none.
        leader_revision: revision at which the key of the leader was made.
        address: address of the leader.
        standby: the synchronous standby, empty when there is none.
        standby_address: its address.
        sync_revision: revision of the last change of the key that names the standby.
        addresses: those of all members.
        votes: witnesses for which the leader is silent.
    """

    leader: str = ""
    leader_revision: int = 0
    address: str = ""
    standby: str = ""
    standby_address: str = ""
    sync_revision: int = 0
    addresses: Set[str] = field(default_factory=set)
    votes: List[str] = field(default_factory=list)


def address_of(member: str) -> str:
    """Return the address of a member from its key."""
    return urlsplit(json.loads(member).get("api_url", "")).hostname or ""


def view_of(items: List[Dict[str, Any]], prefix: str, votes: str) -> View:
    """Make a view of decoded keys: each with ``key``, ``value``, ``create`` and ``mod``."""
    keys = {item["key"]: item for item in items}
    found = View()
    members = f"{prefix}/members/"
    found.addresses = {address_of(item["value"]) for name, item in keys.items() if name.startswith(members)} - {""}
    leader = keys.get(f"{prefix}/leader")
    if leader is None or not leader["value"]:
        return found
    found.leader, found.leader_revision = leader["value"], leader["create"]

    def address(name: str) -> str:
        member = keys.get(f"{members}{name}")
        return address_of(member["value"]) if member else ""

    found.address = address(found.leader)
    sync = keys.get(f"{prefix}/sync")
    if sync is not None and sync["value"]:
        state = json.loads(sync["value"])
        names = [name.strip() for name in (state.get("sync_standby") or "").split(",") if name.strip()]
        if state.get("leader") == found.leader and names:
            found.standby, found.standby_address = names[0], address(names[0])
            found.sync_revision = sync["mod"]
    mine = f"{votes}/{found.leader}/"
    found.votes = sorted(key[len(mine) :] for key in keys if key.startswith(mine))
    return found


class Silence:
    """For how long a server has not answered, although it was asked; one that never answered is not silent."""

    def __init__(self, limit: float) -> None:
        """Use a limit in seconds."""
        self.limit = limit
        self.heard: Set[str] = set()
        self.waiting: Dict[str, float] = {}

    def asked(self, addresses: Set[str], now: float) -> None:
        """Take all servers that are asked now; one that is no longer asked begins anew later."""
        self.waiting = {address: self.waiting.get(address, now) for address in addresses}

    def answered(self, address: str) -> None:
        """Take an answer."""
        self.heard.add(address)
        self.waiting.pop(address, None)

    def lasts(self, address: str, now: float) -> bool:
        """Whether the server has been silent for longer than the limit."""
        return address in self.heard and now - self.waiting.get(address, now) > self.limit


def may_release(view: View, silence: Silence, now: float, agree: int) -> Tuple[bool, str]:
    """Tell whether the operator's command may be asked, and why not (empty: nothing to tell)."""
    if not view.leader or not silence.lasts(view.address, now):
        return False, ""
    if len(view.votes) < agree:
        return False, f"{view.leader} is silent for {len(view.votes)} of the {agree} witnesses that must agree"
    if not view.standby or not view.standby_address:
        return False, f"{view.leader} is silent, and there is no synchronous standby: its lease decides"
    if silence.lasts(view.standby_address, now) or view.standby_address not in silence.heard:
        return False, f"{view.leader} and {view.standby} are silent: the lease decides"
    return True, ""


def checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071)."""
    total = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def echo_request(number: int, sequence: int) -> bytes:
    """Return an ICMP echo request."""
    head = struct.pack("!BBHHH", 8, 0, 0, number, sequence)
    return struct.pack("!BBHHH", 8, 0, checksum(head), number, sequence)


class Echo:
    """Sends echo requests and takes the answers, in a thread of its own."""

    def __init__(self, silence: Silence) -> None:
        """Open the socket; needs CAP_NET_RAW."""
        self.silence = silence
        self.number = os.getpid() & 0xFFFF
        self.sequence = 0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        threading.Thread(target=self._listen, name="echo", daemon=True).start()

    def send(self, address: str) -> None:
        """Ask a server; an error is a silence."""
        self.sequence = (self.sequence + 1) & 0xFFFF
        with contextlib.suppress(OSError):
            self.socket.sendto(echo_request(self.number, self.sequence), socket.MSG_DONTWAIT, (address, 0))

    def _listen(self) -> None:
        while True:
            packet, (address, _) = self.socket.recvfrom(1024)
            body = packet[(packet[0] & 15) * 4 :]
            if len(body) >= 8 and body[0] == 0 and struct.unpack("!H", body[4:6])[0] == self.number:
                self.silence.answered(address)


class Etcd:
    """The HTTP gateway of etcd, over a connection that is kept."""

    def __init__(self, endpoints: List[str], pki: str) -> None:
        """Use the certificate of this host; the first endpoint is asked first."""
        self.endpoints, self.pki = endpoints, pki
        self.connection: Optional[http.client.HTTPSConnection] = None
        self.opened = 0.0

    def connect(self, endpoint: str) -> http.client.HTTPSConnection:
        """Prepare a connection, with the certificate that is there now."""
        context = ssl.create_default_context(cafile=f"{self.pki}/ca.crt")
        context.load_cert_chain(f"{self.pki}/host.crt", f"{self.pki}/host.key")
        self.opened = time.monotonic()
        return http.client.HTTPSConnection(urlsplit(endpoint).netloc, timeout=ETCD_SECONDS, context=context)

    def call(self, path: str, body: Dict[str, Any]) -> Dict[str, Any]:
        """Call the first member that answers; raises OSError when none does."""
        reason: Optional[Exception] = None
        if time.monotonic() - self.opened > CONNECTION_SECONDS:
            self.connection = None
        for endpoint in ["", *self.endpoints]:
            connection = self.connect(endpoint) if endpoint else self.connection
            if connection is None:
                continue
            self.connection = None
            try:
                connection.request("POST", f"/v3/{path}", json.dumps(body))
                answer = connection.getresponse()
                text = answer.read()
                if answer.status != 200:
                    raise OSError(f"{answer.status} {text[:200]!r}")
                found: Dict[str, Any] = json.loads(text)
            except (OSError, http.client.HTTPException) as error:
                reason = error
                connection.close()
            else:
                self.connection = connection
                return found
        raise OSError(f"no member of etcd answers: {reason}")

    def items(self, *prefixes: str) -> List[Dict[str, Any]]:
        """Return all keys below some prefixes, in one call and as this member knows them."""
        reads = [
            {"requestRange": {"key": encode(f"{prefix}/"), "range_end": encode(f"{prefix}0"), "serializable": True}}
            for prefix in prefixes
        ]
        answers = self.call("kv/txn", {"success": reads}).get("responses", [])
        return [
            {
                "key": decode(item["key"]),
                "value": decode(item.get("value", "")),
                "create": int(item["create_revision"]),
                "mod": int(item["mod_revision"]),
            }
            for answer in answers
            for item in answer["response_range"].get("kvs", [])
        ]

    def vote(self, key: str) -> None:
        """Write a key that goes away by itself."""
        lease = self.call("lease/grant", {"TTL": VOTE_SECONDS})["ID"]
        self.call("kv/put", {"key": encode(key), "value": encode(str(time.time())), "lease": lease})

    def release(self, prefix: str, view: View) -> bool:
        """Remove the keys of the leader, if leader and standby are still those of the view."""
        compare = [
            {"key": encode(f"{prefix}/leader"), "target": "CREATE", "create_revision": str(view.leader_revision)},
            {"key": encode(f"{prefix}/sync"), "target": "MOD", "mod_revision": str(view.sync_revision)},
        ]
        # The member first: the leader's key wakes the standby, which asks each member that it knows, 2 s long.
        remove = [
            {"requestDeleteRange": {"key": encode(f"{prefix}/members/{view.leader}")}},
            {"requestDeleteRange": {"key": encode(f"{prefix}/leader")}},
        ]
        return bool(self.call("kv/txn", {"compare": compare, "success": remove}).get("succeeded"))


def encode(text: str) -> str:
    """Return a text as the gateway wants it."""
    return base64.b64encode(text.encode()).decode()


def decode(text: str) -> str:
    """Return the text of a key or value of the gateway."""
    return base64.b64decode(text).decode()


class Witness:
    """One witness at work."""

    def __init__(self, config: Dict[str, Any]) -> None:
        """Use a configuration, see the role `witness`."""
        self.config = config
        self.etcd = Etcd(config["etcd"], config["pki"])
        self.silence = Silence(float(config["silence_seconds"]))
        self.said = ""
        self.voted = 0.0
        self.asked = 0.0

    def say(self, text: str) -> None:
        """Write to the journal, once as long as it stays the same."""
        if text != self.said:
            self.said = text
            if text:
                print(text, flush=True)

    def is_off(self, view: View) -> bool:
        """Ask the operator's command whether the server of the leader is off: exit status 0."""
        command = [word.format(host=view.leader, address=view.address) for word in self.config["fence"]]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=float(self.config["fence_seconds"]), check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            self.say(f"{view.leader} is silent, but nobody can say whether it is off: {error}")
            return False
        if done.returncode != 0:
            self.say(f"{view.leader} is silent, but not off ({done.returncode} {done.stderr.strip()[-200:]})")
        return done.returncode == 0

    def look(self, echo: Echo) -> None:
        """Look once; raises OSError when etcd does not answer."""
        prefix, votes, now = self.config["prefix"], self.config["votes"], time.monotonic()
        view = view_of(self.etcd.items(prefix, votes), prefix, votes)
        self.silence.asked(view.addresses, now)
        for address in view.addresses:
            echo.send(address)
        if not view.leader or not self.silence.lasts(view.address, now):
            self.say("")
            return
        if now - self.voted > VOTE_SECONDS / 2:
            self.voted = now
            self.etcd.vote(f"{votes}/{view.leader}/{self.config['name']}")
            view = view_of(self.etcd.items(prefix, votes), prefix, votes)
        allowed, why = may_release(view, self.silence, now, int(self.config["agree"]))
        if not allowed:
            self.say(why)
            return
        if now - self.asked > ASK_AGAIN_SECONDS:
            self.asked = now
            if self.is_off(view) and self.etcd.release(prefix, view):
                self.say(f"RELEASED: {view.leader} is off, {view.standby} takes over; seen by {', '.join(view.votes)}")


def main() -> int:
    """Look again and again, for ever."""
    with open(sys.argv[1], encoding="utf-8") as handle:
        witness = Witness(json.load(handle))
    echo = Echo(witness.silence)
    beat = float(witness.config["beat_seconds"])
    while True:
        begin = time.monotonic()
        try:
            witness.look(echo)
        except (OSError, ValueError, KeyError) as error:
            witness.say(f"cannot look: {error}")
        time.sleep(max(0.05, beat - (time.monotonic() - begin)))


if __name__ == "__main__":
    sys.exit(main())
