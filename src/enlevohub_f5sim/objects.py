"""What a BIG-IP knows: pools, members, monitors, virtual servers, policies; how REST shows and changes them."""

from __future__ import annotations

import copy
import json
import re
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

VERSION = "17.1.1"
ONECONNECT = "/Common/oneconnect"
REDIRECT = "/Common/_sys_https_redirect"
BUILT_IN = {
    "ltm/profile/http": ["http"],
    "ltm/profile/tcp": ["tcp"],
    "ltm/profile/one-connect": ["oneconnect"],
    "ltm/profile/client-ssl": ["clientssl"],
    "ltm/profile/server-ssl": ["serverssl"],
    "ltm/profile/diameter": ["diameter"],
    "ltm/profile/sip": ["sip"],
    "ltm/profile/fastl4": ["fastL4"],
    "ltm/profile/fasthttp": ["fasthttp"],
    "ltm/profile/udp": ["udp"],
    "ltm/profile/dhcpv4": ["dhcpv4"],
    "ltm/profile/dhcpv6": ["dhcpv6"],
    "ltm/message-routing/sip/profile/session": ["sipsession"],
    "ltm/rule": ["_sys_https_redirect"],
    "ltm/monitor/http": ["http"],
    "ltm/persistence/cookie": ["cookie"],
    "net/tunnels/gre": ["gre"],
    "net/tunnels/ipip": ["ipip"],
}
POOL = {
    "allowNat": "yes",
    "allowSnat": "yes",
    "loadBalancingMode": "round-robin",
    "minActiveMembers": 0,
    "minUpMembers": 0,
    "minUpMembersAction": "failover",
    "minUpMembersChecking": "disabled",
    "serviceDownAction": "none",
    "slowRampTime": 10,
}
MONITOR = {"defaultsFrom": "/Common/http", "destination": "*:*", "interval": 5, "timeout": 16, "adaptive": "disabled"}
HSTS = {"includeSubdomains": "enabled", "maximumAge": 16070400, "mode": "disabled", "preload": "disabled"}
# The modules read all of it before they change one part.
HTTP_PROFILE = {
    "enforcement": {
        "excessClientHeaders": "reject",
        "excessServerHeaders": "reject",
        "knownMethods": ["CONNECT", "DELETE", "GET", "HEAD", "LOCK", "OPTIONS", "POST", "PROPFIND", "PUT", "TRACE"],
        "maxHeaderCount": 64,
        "maxHeaderSize": 32768,
        "maxRequests": 0,
        "oversizeClientHeaders": "reject",
        "oversizeServerHeaders": "reject",
        "pipeline": "allow",
        "truncatedRedirects": "disabled",
        "unknownMethod": "allow",
    },
    "sflow": {
        "pollInterval": 0,
        "pollIntervalGlobal": "yes",
        "samplingRate": 0,
        "samplingRateGlobal": "yes",
    },
}
VIRTUAL = {"enabled": True, "ipProtocol": "tcp", "mask": "255.255.255.255", "source": "0.0.0.0/0"}
SUBCOLLECTIONS = {
    "ltm/pool": ("members",),
    "ltm/virtual": ("profiles", "policies"),
    "ltm/policy": ("rules",),
}
RULE_PARTS = ("conditions", "actions")
CONFIGURED = ("name", "partition", "address", "session", "state", "description")


class RestError(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, message: str) -> None:
        """Keep status and message."""
        super().__init__(message)
        self.status = status
        self.message = message


def split_name(text: str) -> str:
    """Return the full path of a name in an address: ``~Common~pool`` is ``/Common/pool``."""
    return text.replace("~", "/")


def last(path: str) -> str:
    """Return the last part of a full path."""
    return path.rsplit("/", 1)[-1]


@dataclass
class Member:
    """A pool member: what was set, what the monitor says, what the data plane counts."""

    name: str
    partition: str
    address: str
    session: str = "user-enabled"
    state: str = "user-up"
    description: str = ""
    health: str = "checking"
    told_to_leave: bool = False
    current: int = 0
    most: int = 0
    total: int = 0
    stuck: int = 0

    @property
    def path(self) -> str:
        """The full path."""
        return f"/{self.partition}/{self.name}"

    @property
    def node(self) -> str:
        """The name of the node."""
        return self.name.rpartition(":")[0] if "." not in self.name.rpartition(":")[2] else self.name.rpartition(".")[0]

    @property
    def port(self) -> int:
        """The port."""
        return int(re.split(r"[:.]", self.name)[-1])

    @property
    def connections(self) -> int:
        """What the statistics tell."""
        return max(self.current, self.stuck)


@dataclass
class BigIp:
    """The objects of one device; every access holds the lock.

    Attributes:
        health: fixed results of the monitor by (address, port), used while no data plane asks for real.
        probing: whether a data plane asks.
        saved: how often the configuration was saved.
        file: where a saved configuration lies, None to keep none; a device that starts reads it.
        declared: what AS3 was given, by tenant.
        pending: whether the other device of the pair lacks a change.
        synced: what was asked for to give it.
    """

    objects: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    members: dict[str, dict[str, Member]] = field(default_factory=dict)
    health: dict[tuple[str, int], str] = field(default_factory=dict)
    default_health: str = "up"
    probing: bool = False
    saved: int = 0
    file: Path | None = None
    declared: dict[str, Any] = field(default_factory=dict)
    pending: bool = False
    synced: list[str] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)
    _transactions: dict[int, list[Callable[[], Any]]] = field(default_factory=dict)
    _generation: int = 1

    def __post_init__(self) -> None:
        """Make what every device has."""
        for kind, names in BUILT_IN.items():
            for name in names:
                self._put(kind, f"/Common/{name}", {})
        self._put("cm/device-group", "/Common/pair", {"autoSync": "disabled"})
        if self.file is not None and self.file.exists():
            kept = json.loads(self.file.read_text(encoding="utf-8"))
            self.objects, self.declared = kept["objects"], kept["declared"]
            for pool, members in kept["members"].items():
                self.members[pool] = {item.path: item for item in (Member(**values) for values in members)}

    def save(self) -> None:
        """Keep the configuration for the next start; what was counted and asked is not part of it."""
        self.saved += 1
        if self.file is None:
            return
        members = {
            pool: [{key: value for key, value in asdict(item).items() if key in CONFIGURED} for item in found.values()]
            for pool, found in self.members.items()
        }
        text = json.dumps({"objects": self.objects, "members": members, "declared": self.declared})
        partial = self.file.with_name(f"{self.file.name}.partial")
        partial.write_text(text, encoding="utf-8")
        partial.replace(self.file)

    # --- objects

    def table(self, kind: str) -> dict[str, dict[str, Any]]:
        """Return the objects of a kind by their full path."""
        return self.objects.setdefault(kind, {})

    def _put(self, kind: str, path: str, values: dict[str, Any]) -> None:
        self._generation += 1
        self.table(kind)[path] = {
            "name": last(path),
            "partition": path.split("/")[1],
            "fullPath": path,
            "generation": self._generation,
            **values,
        }

    def put_pool(self, path: str, values: dict[str, Any]) -> None:
        """Make a pool or change its settings; its members stay."""
        old = self.table("ltm/pool").get(path, POOL)
        self._put("ltm/pool", path, {**{key: old[key] for key in old if key not in ("generation",)}, **values})
        self.members.setdefault(path, {})

    def has_monitor(self, pool: str) -> bool:
        """Whether the members of a pool are asked."""
        return bool(str(self.table("ltm/pool")[pool].get("monitor") or "").strip())

    def state_of(self, pool: str, member: Member) -> tuple[str, str]:
        """Return session and state as they are read: other words than those that are written."""
        monitored = self.has_monitor(pool)
        session = member.session
        if session == "user-enabled" and monitored:
            session = "monitor-enabled"
        if member.state == "user-down":
            return session, "user-down"
        return session, self.result(member) if monitored else "unchecked"

    def result(self, member: Member) -> str:
        """Return what the monitor says about a member."""
        if self.probing:
            return member.health
        return self.health.get((member.address, member.port), self.default_health)

    def gets_new(self, pool: str, member: Member, persistent: bool = False) -> bool:
        """Whether a member gets a new connection; a disabled one still does when persistence brings the client back."""
        session, state = self.state_of(pool, member)
        if state not in ("up", "unchecked"):
            return False
        if member.session == "user-disabled" or member.told_to_leave:
            return persistent
        return session in ("monitor-enabled", "user-enabled")

    def put_member(self, pool: str, name: str, partition: str, values: dict[str, Any]) -> Member:
        """Add a member; its node is made when there is none.

        Raises:
            RestError: the node has another address, or its address belongs to another node.
        """
        members = self.members[pool]
        path = f"/{partition}/{name}"
        if path in members:
            raise RestError(409, f"01020066:3: The requested Pool Member ({pool} {path}) already exists.")
        nodes = self.table("ltm/node")
        given = str(values.get("address") or "")
        member = Member(name, partition, given)
        node = f"/{partition}/{member.node}"
        if node not in nodes:
            owner = next((item for item in nodes.values() if item["address"] == given), None)
            if owner is not None:
                raise RestError(400, f"0107176c:3: Invalid Node, the IP address {given} already exists.")
            self._put("ltm/node", node, {"address": given, "fqdn": {"autopopulate": "disabled"}, "ephemeral": "false"})
        member.address = nodes[node]["address"]
        self.set_member(member, values)
        members[path] = member
        return member

    @staticmethod
    def set_member(member: Member, values: dict[str, Any]) -> None:
        """Write to a member what may be written.

        Raises:
            RestError: a word that can only be read.
        """
        allowed = {"session": ("user-enabled", "user-disabled"), "state": ("user-up", "user-down")}
        for key, words in allowed.items():
            if key in values:
                if values[key] not in words:
                    raise RestError(400, f'01020057:3: invalid property value "{key}":"{values[key]}"')
                setattr(member, key, values[key])
        if "description" in values:
            member.description = str(values["description"] or "")

    def remove_member(self, pool: str, path: str) -> None:
        """Remove a member; its node stays."""
        if path not in self.members.get(pool, {}):
            name, _, port = path.rpartition(":")
            raise RestError(404, f"01020036:3: The requested Pool Member ({pool} {name} {port}) was not found.")
        del self.members[pool][path]

    def remove_node(self, path: str) -> None:
        """Remove a node that no member uses."""
        for pool, members in self.members.items():
            if any(f"/{item.partition}/{item.node}" == path for item in members.values()):
                raise RestError(400, f"01070110:3: Node address '{path}' is referenced by a member of pool '{pool}'.")
        if self.table("ltm/node").pop(path, None) is None:
            raise RestError(404, f"01020036:3: The requested Node ({path}) was not found.")

    # --- REST

    def request(
        self, method: str, path: str, query: dict[str, str], body: dict[str, Any], transaction: str = ""
    ) -> dict[str, Any]:
        """Answer one request below /mgmt/tm.

        Raises:
            RestError: the answer is no success.
        """
        parts = [part for part in path.removeprefix("/mgmt/tm").split("/") if part]
        with self.lock:
            if parts[:1] == ["transaction"]:
                return self._transaction(method, parts, body)
            if transaction:
                queue = self._transactions.get(int(transaction))
                if queue is None:
                    raise RestError(404, f"01020036:3: The requested transaction ({transaction}) was not found.")
                queue.append(lambda: self._route(method, parts, query, body))
                return {"method": method, "uri": path, "body": body, "evalOrder": len(queue)}
            return self._route(method, parts, query, body)

    def _transaction(self, method: str, parts: list[str], body: dict[str, Any]) -> dict[str, Any]:
        if method == "POST":
            number = len(self._transactions) + 1
            self._transactions[number] = []
            return {"transId": number, "state": "STARTED", "timeoutSeconds": 120}
        number = int(parts[1])
        queue = self._transactions.pop(number, None)
        if queue is None:
            raise RestError(404, f"01020036:3: The requested transaction ({number}) was not found.")
        kept = copy.deepcopy((self.objects, self.members))
        try:
            for command in queue:
                command()
        except RestError:
            self.objects, self.members = kept
            raise
        return {"transId": number, "state": "COMPLETED", **body, "kind": "tm:transactionstate"} | {"state": "COMPLETED"}

    def _route(self, method: str, parts: list[str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        if parts == ["sys"] and method == "GET":
            return {"kind": "tm:sys:sysstate", "selfLink": f"https://localhost/mgmt/tm/sys?ver={VERSION}"}
        if parts == ["sys", "provision"] and method == "GET":
            items = [{"name": "ltm", "fullPath": "ltm", "level": "nominal"}]
            return {"kind": "tm:sys:provision:provisioncollectionstate", "items": items}
        if parts == ["util", "bash"] and method == "POST":
            if "save sys config" in str(body.get("utilCmdArgs")):
                self.save()
            return {"kind": "tm:util:bash:runstate", **body, "commandResult": "Saving running configuration...\n"}
        if parts[:1] == ["cm"]:
            return self._sync(method, parts, body)
        if parts[:1] not in (["ltm"], ["net"]):
            raise RestError(404, f"Public URI path not registered: /{'/'.join(parts)}")
        self.pending = self.pending or method != "GET"
        kind, rest = self._kind(parts)
        if not rest:
            return self._collection(method, kind, query, body)
        return self._object(method, kind, split_name(rest[0]), rest[1:], query, body)

    @staticmethod
    def _kind(parts: list[str]) -> tuple[str, list[str]]:
        """Split the parts of a path into the kind of object and what follows."""
        deep = {"message-routing": 5, "monitor": 3, "profile": 3, "tunnels": 3, "persistence": 3}.get(parts[1], 2)
        return "/".join(parts[:deep]), parts[deep:]

    def _sync(self, method: str, parts: list[str], body: dict[str, Any]) -> dict[str, Any]:
        if parts == ["cm"] and method == "POST":
            self.synced.append(str(body.get("utilCmdArgs", "")).strip())
            self.pending = False
            return {"kind": "tm:cm:runstate", **body}
        if parts[1:2] == ["device-group"]:
            path = split_name(parts[2]) if parts[2].startswith("~") else f"/Common/{parts[2]}"
            return self._found("cm/device-group", path)
        if parts[1:2] == ["sync-status"]:
            entries = {
                "color": {"description": "green"},
                "mode": {"description": "high-availability"},
                "status": {"description": "Changes Pending" if self.pending else "In Sync"},
                "summary": {"description": "All devices in the device group are in sync"},
            }
            link = "https://localhost/mgmt/tm/cm/sync-status/0"
            return {
                "kind": "tm:cm:sync-status:sync-statusstats",
                "entries": {link: {"nestedStats": {"entries": entries}}},
            }
        raise RestError(404, "Public URI path not registered")

    def _found(self, kind: str, path: str) -> dict[str, Any]:
        found = self.table(kind).get(path)
        if found is None:
            word = {"ltm/pool": "Pool", "ltm/node": "Node", "ltm/virtual": "Virtual Server"}.get(kind, "Object")
            raise RestError(404, f"01020036:3: The requested {word} ({path}) was not found.")
        return found

    def _link(self, kind: str, path: str) -> str:
        return f"https://localhost/mgmt/tm/{kind}/{path.replace('/', '~')}?ver={VERSION}"

    def shown(self, kind: str, path: str, expand: bool = False) -> dict[str, Any]:
        """Return an object as REST shows it."""
        found = {key: value for key, value in self._found(kind, path).items() if not key.startswith("_")}
        found.update(
            kind=f"tm:{kind.replace('/', ':')}:{kind.rsplit('/', 1)[-1]}state", selfLink=self._link(kind, path)
        )
        if kind == "ltm/pool" and found.get("monitor"):
            found["monitor"] = f"{found['monitor'].strip()} "
        for name in SUBCOLLECTIONS.get(kind, ()):
            link = self._link(kind, path).replace("?", f"/{name}?")
            found[f"{name}Reference"] = {"link": link, "isSubcollection": True}
            if expand:
                items = self._items(kind, path, name, expand)
                if items:
                    found[f"{name}Reference"]["items"] = items
        return found

    def _items(self, kind: str, path: str, name: str, expand: bool) -> list[dict[str, Any]]:
        if name == "members":
            return [self.shown_member(path, item) for item in self.members[path].values()]
        stored = self._found(kind, path).get(f"_{name}", [])
        if name == "rules":
            return [self._shown_rule(path, rule, expand) for rule in stored]
        return [dict(item) for item in stored]

    def _shown_rule(self, policy: str, rule: dict[str, Any], expand: bool) -> dict[str, Any]:
        link = self._link("ltm/policy", policy).replace("?", f"/rules/{rule['name']}?")
        found = {"name": rule["name"], "fullPath": rule["name"], "ordinal": rule["ordinal"], "selfLink": link}
        found["kind"] = "tm:ltm:policy:rules:rulesstate"
        for part in RULE_PARTS:
            found[f"{part}Reference"] = {"link": link.replace("?", f"/{part}?"), "isSubcollection": True}
            if expand and rule.get(part):
                found[f"{part}Reference"]["items"] = [
                    {"name": str(number), "fullPath": str(number), **item} for number, item in enumerate(rule[part])
                ]
        return found

    def shown_member(self, pool: str, member: Member) -> dict[str, Any]:
        """Return a member as REST shows it."""
        session, state = self.state_of(pool, member)
        link = self._link("ltm/pool", pool).replace("?", f"/members/{member.path.replace('/', '~')}?")
        found = {
            "kind": "tm:ltm:pool:members:membersstate",
            "name": member.name,
            "partition": member.partition,
            "fullPath": member.path,
            "selfLink": link,
            "address": member.address,
            "connectionLimit": 0,
            "dynamicRatio": 1,
            "ephemeral": "false",
            "fqdn": {"autopopulate": "disabled"},
            "inheritProfile": "enabled",
            "logging": "disabled",
            "monitor": "default",
            "priorityGroup": 0,
            "rateLimit": "disabled",
            "ratio": 1,
            "session": session,
            "state": state,
        }
        if member.description:
            found["description"] = member.description
        return found

    def _collection(self, method: str, kind: str, query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        if method == "GET":
            items = [self.shown(kind, path, "expandSubcollections" in query) for path in self.table(kind)]
            answer: dict[str, Any] = {"kind": f"tm:{kind.replace('/', ':')}:collectionstate"}
            return {**answer, "items": items} if items else answer
        if method != "POST":
            raise RestError(405, "method not allowed")
        if kind == "ltm/policy" and body.get("command") == "publish":
            return self._publish(str(body["name"]))
        partition = str(body.get("partition", "Common"))
        name = str(body["name"])
        path = name if name.startswith("/") else "/".join(["", partition, *filter(None, [body.get("subPath")]), name])
        if path in self.table(kind):
            word = kind.rsplit("/", 1)[-1].capitalize()
            raise RestError(409, f"01020066:3: The requested {word} ({path}) already exists in partition {partition}.")
        self.create(kind, path, {key: body[key] for key in body if key not in ("name", "partition", "subPath")})
        return self.shown(kind, path)

    def create(self, kind: str, path: str, values: dict[str, Any]) -> None:
        """Make an object.

        Raises:
            RestError: it refers to an object that does not exist.
        """
        self._check(kind, values)
        if kind == "ltm/pool":
            self.put_pool(path, values)
        elif kind == "ltm/virtual":
            self._put(kind, path, {**VIRTUAL, **self._virtual(values)})
        elif kind == "ltm/policy":
            self._put(
                kind, path, {"strategy": "/Common/first-match", "_rules": [], **values, "status": self._status(path)}
            )
        elif kind == "ltm/node":
            if any(item["address"] == values.get("address") for item in self.table(kind).values()):
                raise RestError(
                    400, f"0107176c:3: Invalid Node, the IP address {values.get('address')} already exists."
                )
            self._put(kind, path, {"fqdn": {"autopopulate": "disabled"}, "ephemeral": "false", **values})
        elif kind.startswith("ltm/monitor/"):
            self._put(kind, path, {**MONITOR, **values})
        elif kind == "ltm/profile/http":
            self._put(kind, path, {**HTTP_PROFILE, **values, "hsts": {**HSTS, **values.get("hsts", {})}})
        else:
            self._put(kind, path, values)

    def _check(self, kind: str, values: dict[str, Any]) -> None:
        """Refuse what refers to nothing."""
        monitor = str(values.get("monitor") or "").strip()
        if kind == "ltm/pool" and monitor and monitor != "default":
            for name in re.findall(r"/\S+", monitor):
                if name.rstrip("}") not in self.table("ltm/monitor/http"):
                    raise RestError(400, f"01070734:3: Configuration error: the monitor {name} does not exist.")
        pool = values.get("pool")
        if kind == "ltm/virtual" and pool and pool not in self.table("ltm/pool"):
            raise RestError(
                400, f"01070712:3: Values ({pool}) specified for Virtual Server: foreign key (pool) is not there."
            )

    @staticmethod
    def _status(path: str) -> str:
        return "draft" if "/Drafts/" in path else "published"

    def _virtual(self, values: dict[str, Any]) -> dict[str, Any]:
        """Turn the profiles and policies of a body into what is kept."""
        kept = {key: value for key, value in values.items() if key not in ("profiles", "policies", "rules")}
        if "rules" in values:
            kept["rules"] = [str(name) for name in values["rules"] or []]
        if "profiles" in values:
            kept["_profiles"] = [self._profile(item) for item in values["profiles"] or []]
        if "policies" in values:
            kept["_policies"] = [self._named(item, "ltm/policy") for item in values["policies"] or []]
        return kept

    @staticmethod
    def _full(item: Any) -> str:
        if isinstance(item, str):
            return item if item.startswith("/") else f"/Common/{item}"
        name = str(item["name"])
        return name if name.startswith("/") else f"/{item.get('partition', 'Common')}/{name}"

    def _named(self, item: Any, kind: str) -> dict[str, Any]:
        path = self._full(item)
        if path not in self.table(kind):
            raise RestError(400, f"01020036:3: The requested object ({path}) was not found.")
        return {
            "name": last(path),
            "partition": path.split("/")[1],
            "fullPath": path,
            "nameReference": {"link": self._link(kind, path)},
        }

    def _profile(self, item: Any) -> dict[str, Any]:
        path = self._full(item)
        kinds = [kind for kind, table in self.objects.items() if kind.startswith("ltm/profile/") and path in table]
        if not kinds:
            raise RestError(400, f"01020036:3: The requested profile ({path}) was not found.")
        context = item.get("context", "all") if isinstance(item, dict) else "all"
        return {**self._named(item, kinds[0]), "context": context, "kind": "tm:ltm:virtual:profiles:profilesstate"}

    def _publish(self, draft: str) -> dict[str, Any]:
        found = self.table("ltm/policy").pop(draft, None)
        if found is None:
            raise RestError(404, f"01020036:3: The requested Policy ({draft}) was not found.")
        path = draft.replace("/Drafts/", "/")
        values = {
            key: value for key, value in found.items() if key not in ("name", "partition", "fullPath", "generation")
        }
        self._put("ltm/policy", path, {**values, "status": "published"})
        return {"kind": "tm:ltm:policy:publish:publishstate", "command": "publish", "name": draft}

    def _object(
        self, method: str, kind: str, path: str, rest: list[str], query: dict[str, str], body: dict[str, Any]
    ) -> dict[str, Any]:
        if not path.startswith("/"):
            path = f"/Common/{path}"
        self._found(kind, path)
        if rest:
            return self._inner(method, kind, path, rest, query, body)
        if method == "GET":
            return self.shown(kind, path, "expandSubcollections" in query)
        if method == "DELETE":
            if kind == "ltm/node":
                self.remove_node(path)
                return {}
            for virtual in self.table("ltm/virtual").values():
                if kind == "ltm/pool" and virtual.get("pool") == path:
                    raise RestError(400, f"01070265:3: The Pool ({path}) cannot be deleted because it is in use.")
            del self.table(kind)[path]
            self.members.pop(path, None)
            return {}
        if kind == "ltm/policy" and body.get("createDraft"):
            draft = re.sub(r"^(/[^/]+)/", r"\1/Drafts/", path)
            old = copy.deepcopy(self.table(kind)[path])
            self._put(kind, draft, {**old, "name": last(draft), "fullPath": draft, "status": "draft"})
            return self.shown(kind, draft)
        self._check(kind, body)
        if kind == "ltm/profile/http" and "hsts" in body:
            body = {**body, "hsts": {**self.table(kind)[path].get("hsts", HSTS), **body["hsts"]}}
        self.table(kind)[path].update(self._virtual(body) if kind == "ltm/virtual" else body)
        return self.shown(kind, path)

    def _inner(
        self, method: str, kind: str, path: str, rest: list[str], query: dict[str, str], body: dict[str, Any]
    ) -> dict[str, Any]:
        expand = "expandSubcollections" in query
        if kind == "ltm/pool" and rest[0] == "members":
            return self._members(method, path, rest[1:], body)
        if kind == "ltm/policy" and rest[0] == "rules":
            return self._rules(method, path, rest[1:], expand, body)
        if method == "GET" and len(rest) == 1 and rest[0] in SUBCOLLECTIONS.get(kind, ()):
            items = self._items(kind, path, rest[0], expand)
            answer: dict[str, Any] = {"kind": f"tm:{kind.replace('/', ':')}:{rest[0]}:collectionstate"}
            return {**answer, "items": items} if items else answer
        raise RestError(404, f"Public URI path not registered: {kind}/{'/'.join(rest)}")

    def _members(self, method: str, pool: str, rest: list[str], body: dict[str, Any]) -> dict[str, Any]:
        members = self.members[pool]
        if rest == ["stats"]:
            return self._stats(pool, list(members.values()))
        if not rest:
            if method == "POST":
                values = {key: value for key, value in body.items() if key not in ("name", "partition")}
                member = self.put_member(pool, str(body["name"]), str(body.get("partition", "Common")), values)
                return self.shown_member(pool, member)
            items = [self.shown_member(pool, item) for item in members.values()]
            answer: dict[str, Any] = {"kind": "tm:ltm:pool:members:memberscollectionstate"}
            return {**answer, "items": items} if items else answer
        path = split_name(rest[0])
        if path not in members:
            name, _, port = path.rpartition(":")
            raise RestError(404, f"01020036:3: The requested Pool Member ({pool} {name} {port}) was not found.")
        if rest[1:] == ["stats"]:
            return self._stats(pool, [members[path]])
        if method == "DELETE":
            self.remove_member(pool, path)
            return {}
        if method == "PATCH":
            self.set_member(members[path], body)
        return self.shown_member(pool, members[path])

    def _stats(self, pool: str, members: list[Member]) -> dict[str, Any]:
        entries: dict[str, Any] = {}
        for member in members:
            session, state = self.state_of(pool, member)
            up = {"up": "available", "unchecked": "unknown", "checking": "unknown"}.get(state, "offline")
            base = (
                f"https://localhost/mgmt/tm/ltm/pool/{pool.replace('/', '~')}/members/{member.path.replace('/', '~')}"
            )
            entries[f"{base}/{member.path.replace('/', '~')}/stats"] = {
                "nestedStats": {
                    "entries": {
                        "addr": {"description": member.address},
                        "curSessions": {"value": member.connections},
                        "monitorStatus": {"description": state},
                        "nodeName": {"description": f"/{member.partition}/{member.node}"},
                        "poolName": {"description": pool},
                        "port": {"value": member.port},
                        "serverside.curConns": {"value": member.connections},
                        "serverside.maxConns": {"value": member.most},
                        "serverside.totConns": {"value": member.total},
                        "sessionStatus": {"description": session},
                        "status.availabilityState": {"description": up},
                        "status.enabledState": {"description": member.session.removeprefix("user-")},
                        "totRequests": {"value": member.total},
                    }
                }
            }
        answer: dict[str, Any] = {"kind": "tm:ltm:pool:members:memberscollectionstats"}
        return {**answer, "entries": entries} if entries else answer

    def _rules(self, method: str, policy: str, rest: list[str], expand: bool, body: dict[str, Any]) -> dict[str, Any]:
        rules: list[dict[str, Any]] = self.table("ltm/policy")[policy]["_rules"]
        if method != "GET" and self._status(policy) == "published":
            raise RestError(400, f"01071776:3: Published policy '{policy}' cannot be changed; make a draft.")
        if not rest:
            if method == "POST":
                rule = {
                    "name": body["name"],
                    "ordinal": body.get("ordinal", len(rules)),
                    "conditions": [],
                    "actions": [],
                }
                rule.update({part: self._parts(body[part]) for part in RULE_PARTS if part in body})
                rules.append(rule)
                return self._shown_rule(policy, rule, expand)
            items = [self._shown_rule(policy, rule, expand) for rule in rules]
            answer: dict[str, Any] = {"kind": "tm:ltm:policy:rules:rulescollectionstate"}
            return {**answer, "items": items} if items else answer
        found = next((rule for rule in rules if rule["name"] == rest[0]), None)
        if found is None:
            raise RestError(404, f"01020036:3: The requested policy rule ({policy} {rest[0]}) was not found.")
        if method == "DELETE":
            rules.remove(found)
            return {}
        if method == "PATCH":
            found.update({part: self._parts(body[part]) for part in RULE_PARTS if part in body})
            found["ordinal"] = body.get("ordinal", found["ordinal"])
        return self._shown_rule(policy, found, expand)

    @staticmethod
    def _parts(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{key: value for key, value in item.items() if key != "name"} for item in items]

    # --- what tests set

    def member(self, pool: str, name: str) -> Member:
        """Return a member by the full path of its pool and its short name."""
        with self.lock:
            return next(item for item in self.members[pool].values() if item.name == name)
