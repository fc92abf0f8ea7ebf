"""etcd by its HTTP gateway, with the certificate of this host."""

from __future__ import annotations

import base64
import json
import os
import ssl
import urllib.error
import urllib.request
from typing import Any

SECONDS_PER_MEMBER = 4


class EtcdError(Exception):
    """No member of etcd answered; the text lists what each said."""


class Etcd:
    """The HTTP gateway of an etcd cluster."""

    def __init__(self, endpoints: list[str], directory: str) -> None:
        """Use the certificate of this host."""
        self._endpoints = list(endpoints)
        context = ssl.create_default_context(cafile=os.path.join(directory, "ca.crt"))
        context.load_cert_chain(os.path.join(directory, "host.crt"), os.path.join(directory, "host.key"))
        handlers = [urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)]
        self._opener = urllib.request.build_opener(*handlers)

    def call(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Ask the members one after the other; the first answer counts. The path begins after ``/v3/``.

        Raises:
            EtcdError: none answered.
        """
        said = []
        for endpoint in self._endpoints:
            request = urllib.request.Request(
                f"{endpoint}/v3/{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
            )
            try:
                with self._opener.open(request, timeout=SECONDS_PER_MEMBER) as answer:
                    found: dict[str, Any] = json.loads(answer.read())
                    return found
            except urllib.error.HTTPError as error:
                said.append(f"{endpoint}: {error.code} {error.read().decode(errors='replace')[:200]}")
            except (OSError, ValueError) as error:
                said.append(f"{endpoint}: {getattr(error, 'reason', error)}")
        raise EtcdError("; ".join(said))

    def members(self) -> list[dict[str, Any]]:
        """Return the members: ``id``, ``name`` (empty: not started yet), ``peers``, ``clients`` and ``learner``."""
        return [member_of(item) for item in self.call("cluster/member/list", {}).get("members", [])]

    def remove_member(self, identity: str) -> list[dict[str, Any]]:
        """Remove a member; returns those that are left."""
        return [member_of(item) for item in self.call("cluster/member/remove", {"ID": identity}).get("members", [])]

    def add_member(self, peer: str) -> list[dict[str, Any]]:
        """Add a member that votes, at an URL for peers; returns all members."""
        return [member_of(item) for item in self.call("cluster/member/add", {"peerURLs": [peer]}).get("members", [])]

    def healthy(self, member: dict[str, Any]) -> bool:
        """Whether a member answers that it is healthy, which includes that it sees a leader."""
        for url in member["clients"]:
            try:
                with self._opener.open(f"{url}/health", timeout=SECONDS_PER_MEMBER) as answer:
                    return bool(json.loads(answer.read()).get("health") == "true")
            except (OSError, ValueError):
                continue
        return False

    def values(self, prefix: str) -> dict[str, str]:
        """Return the values of all keys that begin with a prefix."""
        end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
        answer = self.call("kv/range", {"key": encode(prefix), "range_end": encode(end)})
        return {decode(item["key"]): decode(item.get("value", "")) for item in answer.get("kvs", [])}

    def write(self, lock: str, known: str, put: dict[str, str], delete: list[str]) -> bool:
        """Write all or nothing, and only while the key ``lock`` has the value ``known`` (empty: does not exist)."""
        same: dict[str, Any] = {"key": encode(lock), "result": "EQUAL", "target": "VALUE", "value": encode(known)}
        if not known:
            same = {"key": encode(lock), "result": "EQUAL", "target": "VERSION", "version": "0"}
        operations: list[dict[str, Any]] = [
            {"requestPut": {"key": encode(key), "value": encode(value)}} for key, value in put.items()
        ]
        operations += [{"requestDeleteRange": {"key": encode(key)}} for key in delete]
        return bool(self.call("kv/txn", {"compare": [same], "success": operations}).get("succeeded", False))


def member_of(item: dict[str, Any]) -> dict[str, Any]:
    """Return a member of etcd as :meth:`Etcd.members` tells it."""
    return {
        "id": item["ID"],
        "name": item.get("name", ""),
        "peers": item.get("peerURLs", []),
        "clients": item.get("clientURLs", []),
        "learner": item.get("isLearner", False),
    }


def encode(text: str) -> str:
    """Return a text as the gateway wants it."""
    return base64.b64encode(text.encode()).decode()


def decode(text: str) -> str:
    """Return the text of a key or value of the gateway."""
    return base64.b64decode(text).decode()
