"""AS3 on the device: information, dry run, declaration, tasks."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from enlevohub_f5sim.objects import REDIRECT, BigIp, Member, RestError

VERSION = "3.56.0"
BASE = "/mgmt/shared/appsvcs"
SESSIONS = {
    "enable": {"session": "user-enabled", "state": "user-up"},
    "disable": {"session": "user-disabled", "state": "user-up"},
    "offline": {"session": "user-disabled", "state": "user-down"},
}

Check = Callable[[dict[str, Any]], list[str]]


@dataclass
class As3:
    """The declarations of a device.

    Attributes:
        check: further checks of a declaration, for example against the official schema; returns what is wrong.
        endless: tasks never end.
        busy: how many posts are refused because another one is under way.
    """

    device: BigIp
    check: Check = lambda declaration: []
    endless: bool = False
    busy: int = 0
    tasks: dict[str, dict[str, Any]] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def request(
        self, method: str, path: str, query: dict[str, str], body: dict[str, Any]
    ) -> tuple[int, dict[str, Any]]:
        """Answer one request below /mgmt/shared/appsvcs."""
        parts = path.removeprefix(BASE).strip("/").split("/")
        with self._lock:
            if parts == ["info"]:
                return 200, {"version": VERSION, "release": "10", "schemaCurrent": VERSION, "schemaMinimum": "3.0.0"}
            if parts[0] == "task" and len(parts) == 2:
                return self._task(parts[1])
            if parts[0] == "declare" and method == "GET":
                wanted = {name: item for name, item in self.device.declared.items() if parts[1:] in ([], [name])}
                return (200, {"class": "ADC", "schemaVersion": VERSION, **wanted}) if wanted else (204, {})
            if parts[0] == "declare" and method == "POST":
                return self._declare(query, body)
        return 404, {"code": 404, "message": "not found"}

    def _task(self, number: str) -> tuple[int, dict[str, Any]]:
        task = self.tasks.get(number)
        if task is None:
            return 404, {"code": 404, "message": "specified task does not exist"}
        if self.endless:
            return 200, {**task, "results": [{"message": "in progress", "code": 0, "tenant": "", "runTime": 0}]}
        if task["waits"] > 0:
            task["waits"] -= 1
            return 200, {**task, "results": [{"message": "in progress", "code": 0, "tenant": "", "runTime": 0}]}
        return 200, task

    def _declare(self, query: dict[str, str], body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if self.busy > 0:
            self.busy -= 1
            message = "Configuration operation in progress on device localhost, please try again in 2 minutes"
            return 503, {"code": 503, "message": message}
        declaration = body.get("declaration", body)
        errors = self.check(body)
        if errors:
            answer = {"code": 422, "errors": errors, "declarationFullId": "", "message": "declaration is invalid"}
            return 422, answer
        dry = body.get("action") == "dry-run" or query.get("controls.dryRun") == "true"
        results = [
            self._tenant(name, content, dry)
            for name, content in declaration.items()
            if isinstance(content, dict) and content.get("class") == "Tenant"
        ]
        codes = {item["code"] for item in results}
        answer = {"results": results, "declaration": declaration}
        if query.get("async") == "true" and not dry:
            number = f"task-{len(self.tasks) + 1}"
            link = f"https://localhost{BASE}/task/{number}"
            self.tasks[number] = {"id": number, "waits": 1, **answer}
            submitted = [
                {"message": "Declaration successfully submitted", "code": 0, "tenant": "", "host": "", "runTime": 0}
            ]
            return 202, {"id": number, "results": submitted, "declaration": {}, "selfLink": link}
        return (codes.pop() if len(codes) == 1 else 207), answer

    def _tenant(self, name: str, content: dict[str, Any], dry: bool) -> dict[str, Any]:
        """Bring one tenant into its form; what is not in the declaration goes."""
        result: dict[str, Any] = {"code": 200, "host": "localhost", "tenant": name, "runTime": 1}
        if dry:
            result["dryRun"] = True
        if self.device.declared.get(name) == content and self._is_applied(name, content):
            return {**result, "message": "no change"}
        with self.device.lock:
            objects = copy.deepcopy(self.device.objects)
            members = {path: dict(found) for path, found in self.device.members.items()}  # those that count connections
            try:
                self._apply(name, content)
            except RestError as error:
                self.device.objects, self.device.members = objects, members
                return {**result, "code": 422, "message": "declaration failed", "response": error.message}
            if dry:
                self.device.objects, self.device.members = objects, members
            else:
                self._go_on(members)
                self.device.declared[name] = copy.deepcopy(content)
                self.device.save()
        return {**result, "message": "success"}

    def _go_on(self, before: dict[str, dict[str, Member]]) -> None:
        """Let the members that stay go on with their connections, in the state that was declared."""
        for path, members in self.device.members.items():
            for name, made in members.items():
                old = before.get(path, {}).get(name)
                if old is not None and old is not made:
                    old.session, old.state, old.description = made.session, made.state, made.description
                    members[name] = old

    def _is_applied(self, tenant: str, content: dict[str, Any]) -> bool:
        """Whether nobody changed the state of a member past AS3."""
        for application, items in _applications(content):
            for name, item in items:
                if item.get("class") != "Pool":
                    continue
                members = self.device.members.get(f"/{tenant}/{application}/{name}", {})
                wanted = dict(_members(tenant, item))
                if set(wanted) != set(members):
                    return False
                for path, values in wanted.items():
                    have = members[path]
                    if any(getattr(have, key) != values[key] for key in ("session", "state")):
                        return False
        return True

    def _apply(self, tenant: str, content: dict[str, Any]) -> None:
        device = self.device
        for table in device.objects.values():
            for path in [path for path in table if path.startswith(f"/{tenant}/")]:
                del table[path]
        for path in [path for path in device.members if path.startswith(f"/{tenant}/")]:
            del device.members[path]
        for application, items in _applications(content):
            folder = f"/{tenant}/{application}"
            for name, item in sorted(
                items, key=lambda pair: ORDER.index(pair[1].get("class", "")) if pair[1].get("class") in ORDER else 99
            ):
                self._item(folder, tenant, name, item)

    def _item(self, folder: str, tenant: str, name: str, item: dict[str, Any]) -> None:
        device, path = self.device, f"{folder}/{name}"
        if item.get("class") == "Monitor":
            values = {
                "send": item["send"],
                "recv": item["receive"],
                "interval": item["interval"],
                "timeout": item["timeout"],
            }
            if item.get("receiveDown"):
                values["recvDisable"] = item["receiveDown"]
            device.create("ltm/monitor/http", path, values)
        elif item.get("class") == "Pool":
            monitors = " and ".join(f"{folder}/{monitor['use']}" for monitor in item.get("monitors", []))
            settings = {
                "loadBalancingMode": item.get("loadBalancingMode", "round-robin"),
                "slowRampTime": item.get("slowRampTime", 10),
                "serviceDownAction": item.get("serviceDownAction", "none"),
                "monitor": monitors,
            }
            device.create("ltm/pool", path, settings)
            for member_path, values in _members(tenant, item):
                device.put_member(path, member_path.split("/", 2)[2], tenant, values)
        elif item.get("class") == "HTTP_Profile":
            header = item.get("insertHeader") or {}
            profile: dict[str, Any] = {"insertXforwardedFor": "enabled" if item.get("xForwardedFor") else "disabled"}
            if item.get("hstsInsert"):
                profile["hsts"] = {"mode": "enabled", "maximumAge": item["hstsPeriod"], "includeSubdomains": "disabled"}
            if header:
                profile["headerInsert"] = f"{header['name']}: {header['value']}"
            device.create("ltm/profile/http", path, profile)
        elif item.get("class") == "Endpoint_Policy":
            device.create("ltm/policy", path, {})
            device.table("ltm/policy")[path]["_rules"] = [
                _rule(folder, number, rule) for number, rule in enumerate(item["rules"])
            ]
        elif item.get("class") == "Service_HTTPS":
            address = item["virtualAddresses"][0]
            separator = "." if ":" in address else ":"
            profiles: list[Any] = ["/Common/tcp", f"{folder}/{item['profileHTTP']['use']}"]
            profiles += [item["profileMultiplex"]["bigip"]] if "profileMultiplex" in item else []
            profiles.append({"name": item["serverTLS"]["bigip"], "context": "clientside"})
            values = {
                "destination": f"/{tenant}/{address}{separator}{item.get('virtualPort', 443)}",
                "pool": _path(folder, item["pool"]),
                "profiles": profiles,
                "policies": [f"{folder}/{item['policyEndpoint']}"],
                "sourceAddressTranslation": {"type": "automap"},
            }
            device.create("ltm/virtual", path, values)
            if item.get("redirect80", True):
                redirect = {
                    "destination": f"/{tenant}/{address}{separator}80",
                    "profiles": ["/Common/tcp", "/Common/http"],
                    "rules": [REDIRECT],
                }
                device.create("ltm/virtual", f"{path}-Redirect-", redirect)


ORDER = ["Monitor", "Pool", "HTTP_Profile", "Endpoint_Policy", "Service_HTTPS"]


def _applications(content: dict[str, Any]) -> list[tuple[str, list[tuple[str, dict[str, Any]]]]]:
    return [
        (name, [(key, value) for key, value in item.items() if isinstance(value, dict)])
        for name, item in content.items()
        if isinstance(item, dict) and item.get("class") == "Application"
    ]


def _path(folder: str, pointer: dict[str, str]) -> str:
    return f"{folder}/{pointer['use']}" if "use" in pointer else pointer["bigip"]


def _members(tenant: str, pool: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    found = []
    for member in pool.get("members", []):
        for server in member.get("servers", []):
            values = {
                "address": server["address"],
                "description": member.get("remark", ""),
                **SESSIONS[member.get("adminState", "enable")],
            }
            found.append((f"/{tenant}/{server['name']}:{member['servicePort']}", values))
    return found


def _rule(folder: str, number: int, rule: dict[str, Any]) -> dict[str, Any]:
    comparison = rule["conditions"][0]["path"]
    condition: dict[str, Any] = {"httpUri": True, "path": True, "values": comparison["values"], "request": True}
    condition["startsWith" if comparison["operand"] == "starts-with" else "equals"] = True
    action = {
        "forward": True,
        "select": True,
        "request": True,
        "pool": _path(folder, rule["actions"][0]["select"]["pool"]),
    }
    return {"name": rule["name"], "ordinal": number, "conditions": [condition], "actions": [action]}
