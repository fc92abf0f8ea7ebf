"""Begin, follow and end a run that brings a release to the servers: one at a time, and written down."""

from __future__ import annotations

import getpass
import json
import multiprocessing
import os
import platform
import re
import time
import uuid
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.enlevohub.datacenter.plugins.plugin_utils import release_plan
from ansible_collections.enlevohub.datacenter.plugins.plugin_utils.release_plan import ReleaseError

MODULE = "enlevohub.datacenter.release_journal"
TRIES = 5


def process_identity(pid: int) -> str:
    """Return what tells a process from another one that got its number later; empty when there is none."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as handle:
            words = handle.read().rpartition(")")[2].split()
        with open("/proc/sys/kernel/random/boot_id", encoding="utf-8") as handle:
            boot = handle.read().strip()
    except OSError:
        return ""
    return "" if words[0] in "ZX" else f"{boot}/{words[19]}"


def own_process() -> tuple[int, str]:
    """Return number and identity of this ansible-playbook; the action runs in a worker of it.

    Raises:
        ReleaseError: ansible-playbook was killed and left its worker behind, which must not take a lock.
    """
    parent = multiprocessing.parent_process()
    pid = parent.pid if parent and parent.pid else os.getppid()
    identity = process_identity(pid)
    if pid != os.getppid() or not identity:
        raise ReleaseError("ansible-playbook was killed; its worker ends")
    return pid, identity


class ActionModule(ActionBase):
    """Action of enlevohub.datacenter.release_journal."""

    _requires_connection = True
    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Do one step; fails when another run holds the lock or the release cannot be chosen."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        self._task_vars = task_vars or {}
        given = self._task.args
        steps = {"begin": self._begin, "step": self._step, "finish": self._finish}
        try:
            result.update(steps[given["state"]](given))
        except ReleaseError as error:
            result.update(failed=True, msg=str(error))
        return result

    def _ask(self, **more: Any) -> dict[str, Any]:
        """Run the module; returns its answer. Raises ReleaseError."""
        names = ("state", "prefix", "endpoints", "directory", "keep")
        arguments = {name: self._task.args[name] for name in names if name in self._task.args}
        answer: dict[str, Any] = self._execute_module(
            module_name=MODULE, module_args={**arguments, **more}, task_vars=self._task_vars
        )
        if answer.get("failed") or answer.get("unreachable"):
            raise ReleaseError(str(answer.get("msg") or answer.get("module_stderr", "the journal cannot be reached")))
        return answer

    def _begin(self, given: dict[str, Any]) -> dict[str, Any]:
        """Take the lock and choose the release."""
        kind, release = given["kind"], given.get("release") or ""
        if release and not re.fullmatch(release_plan.NAME, release):
            raise ReleaseError(f"release={release}: use letters, digits, dot, hyphen and underscore, at most 64")
        release_plan.check_server(
            kind, given.get("server") or "", list(given.get("servers") or []), int(given.get("minimum") or 1)
        )
        for _ in range(TRIES):
            found = self._ask()
            records = found["records"]
            dead = json.loads(found["lock"]) if found["lock"] else None
            if dead and (dead["pid"], dead["process"]) == own_process():
                return self._answer(dead, records, False)  # an earlier play of this run took it
            if dead:
                self._refuse_living(dead, given.get("unlock") or "")
                records += [self._interrupted(dead, records)] if dead["hosts"] else []
            name, images = release_plan.choose(records, kind, release, bool(given.get("retry")))
            plan = self._plan(kind, name, images, records)
            if self._task.check_mode:
                return self._answer(plan, records, bool(dead))
            put = {"lock": json.dumps(plan)}
            if dead and dead["hosts"]:
                put[f"releases/{records[-1]['number']:08d}"] = json.dumps(records[-1])
            if self._ask(compare=found["lock"], put=put)["written"]:
                return self._answer(plan, records, bool(dead))
        raise ReleaseError("the lock changes all the time; run again")

    def _refuse_living(self, lock: dict[str, Any], unlock: str) -> None:
        """Raise ReleaseError unless the holder of a lock is dead."""
        alive = bool(lock["process"]) and process_identity(lock["pid"]) == lock["process"]
        reason = release_plan.refusal(lock, platform.node(), alive, unlock, time.time())
        if reason:
            raise ReleaseError(reason)

    @staticmethod
    def _interrupted(lock: dict[str, Any], records: list[dict[str, Any]]) -> dict[str, Any]:
        """Return the record of a run whose control process died."""
        record = {key: value for key, value in lock.items() if key not in ("token", "pid", "process")}
        number = max([record["number"], *(item["number"] + 1 for item in records)])
        return {**record, "number": number, "ended": time.time(), "result": release_plan.INTERRUPTED}

    @staticmethod
    def _plan(kind: str, name: str, images: dict[str, Any], records: list[dict[str, Any]]) -> dict[str, Any]:
        """Return the lock of this run, which is also its record."""
        pid, process = own_process()
        return {
            "number": records[-1]["number"] + 1 if records else 1,
            "kind": kind,
            "release": name,
            "images": images,
            "by": os.environ.get("SUDO_USER") or getpass.getuser(),
            "on": platform.node(),
            "pid": pid,
            "process": process,
            "token": uuid.uuid4().hex[:12],
            "began": time.time(),
            "ended": None,
            "result": release_plan.RUNNING,
            "hosts": {},
        }

    @staticmethod
    def _answer(plan: dict[str, Any], records: list[dict[str, Any]], took_over: bool) -> dict[str, Any]:
        """Return what the roles need to know."""
        now = release_plan.current(records)
        return {
            "changed": False,
            "plan": plan,
            "current": now["release"] if now else "",
            "unfinished": release_plan.unfinished(records),
            "took_over": took_over,
        }

    def _step(self, given: dict[str, Any]) -> dict[str, Any]:
        """Write down what is done on a host now; fails when somebody else took the lock."""
        if self._task.check_mode:
            return {"changed": False, "plan": given["plan"]}
        plan = {**given["plan"], "hosts": {**given["plan"]["hosts"], **given["hosts"]}}
        if not self._ask(compare=json.dumps(given["plan"]), put={"lock": json.dumps(plan)})["written"]:
            raise ReleaseError("somebody else took the lock of this run; nothing more is changed")
        return {"changed": False, "plan": plan}

    def _finish(self, given: dict[str, Any]) -> dict[str, Any]:
        """Write the record, when there is something to tell, and give the lock back."""
        plan, failure, images = given["plan"], given.get("failure") or "", given["images"]
        name = plan["release"] or content_name(images)
        told = bool(failure or plan["hosts"]) or name != given.get("current") or plan["kind"] in ("add", "remove")
        told = told and plan["kind"] not in release_plan.WITHOUT_RELEASE
        if self._task.check_mode:
            return {"changed": told}
        record = {key: value for key, value in plan.items() if key not in ("token", "pid", "process")}
        record.update(
            release=name,
            images=images,
            ended=time.time(),
            result=release_plan.FAILED if failure else release_plan.SUCCESS,
        )
        if failure:
            record["failure"] = failure[:2000]
        put = {f"releases/{plan['number']:08d}": json.dumps(record)} if told else {}
        if not self._ask(compare=json.dumps(plan), put=put, delete=["lock"])["written"]:
            raise ReleaseError("somebody else took the lock of this run before its end; see the journal: make status")
        if failure:
            raise ReleaseError(failure)
        return {"changed": told, "record": record if told else {}}


def content_name(images: dict[str, Any]) -> str:
    """Return the name of a release that nobody named, from the tags of its images."""
    return "content-" + "-".join(images[name]["reference"].rpartition(":")[2][:6] for name in sorted(images))
