"""The journal's action over a journal that is kept in memory instead of etcd."""

from __future__ import annotations

import json
import os
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.enlevohub.datacenter.plugins.action import release_journal
from ansible_collections.enlevohub.datacenter.plugins.action.release_journal import ActionModule
from ansible_collections.enlevohub.datacenter.plugins.plugin_utils import release_plan

IMAGES = {"api": {"reference": "api:1", "id": "sha256:1"}}


class Store:
    """The keys of one environment, with the rules of the module: a write needs the known lock."""

    def __init__(self) -> None:
        """Begin empty."""
        self.keys: dict[str, str] = {}

    def answer(self, module_args: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Do what the module does."""
        written = False
        if "compare" in module_args and module_args["compare"] == self.keys.get("lock", ""):
            self.keys.update(module_args.get("put", {}))
            for key in module_args.get("delete", []):
                self.keys.pop(key, None)
            written = True
        records = [json.loads(self.keys[key]) for key in sorted(self.keys) if key.startswith("releases/")]
        return {"records": records, "lock": self.keys.get("lock", ""), "written": written}


@pytest.fixture
def store() -> Store:
    """An empty journal."""
    return Store()


def act(store: Store, check_mode: bool = False, **arguments: Any) -> dict[str, Any]:
    """Run the action once."""
    common = {"prefix": "/enlevohub/test", "endpoints": [], "directory": "/x"}
    task = SimpleNamespace(args={**common, **arguments}, check_mode=check_mode, async_val=0, action="x")
    action = ActionModule(task, None, None, None, None, None)
    action._execute_module = store.answer
    action._task_vars = {}
    steps = {"begin": action._begin, "step": action._step, "finish": action._finish}
    try:
        return steps[arguments["state"]](task.args)
    except release_journal.ReleaseError as error:
        return {"failed": True, "msg": str(error)}


def dead(store: Store) -> None:
    """Let the holder of the lock be a process that is gone."""
    lock = json.loads(store.keys["lock"])
    store.keys["lock"] = json.dumps({**lock, "pid": 1, "process": "another boot/1"})


def deploy(store: Store, release: str, failure: str = "", **hosts: str) -> dict[str, Any]:
    """Do a whole run."""
    begun = act(store, state="begin", kind="deploy", release=release)
    plan = act(store, state="step", plan=begun["plan"], hosts=hosts)["plan"] if hosts else begun["plan"]
    return act(store, state="finish", plan=plan, current=begun["current"], images=IMAGES, failure=failure)


def records(store: Store) -> list[tuple[str, str]]:
    """Return release and result of each record."""
    return [(item["release"], item["result"]) for item in store.answer({})["records"]]


def test_good_run_is_written_down_and_gives_the_lock_back(store: Store) -> None:
    deploy(store, "1")
    assert records(store) == [("1", "success")]
    assert "lock" not in store.keys


def test_record_tells_who_when_and_which_images(store: Store) -> None:
    record = deploy(store, "1")["record"]
    assert record["images"] == IMAGES
    assert record["by"]
    assert record["on"] == os.uname().nodename
    assert record["began"] <= record["ended"]


def test_record_keeps_no_token_and_no_process(store: Store) -> None:
    assert {"token", "pid", "process"} & set(deploy(store, "1")["record"]) == set()


def test_failed_run_is_marked_and_fails_with_its_reason(store: Store) -> None:
    deploy(store, "1")
    answer = deploy(store, "2", failure="backend on app1: not healthy")
    assert (answer["failed"], answer["msg"]) == (True, "backend on app1: not healthy")
    assert records(store) == [("1", "success"), ("2", "failed")]
    assert "lock" not in store.keys


def test_living_holder_keeps_the_lock(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    act(store, state="begin", kind="deploy", release="1")
    alive = json.loads(store.keys["lock"])
    monkeypatch.setattr(release_journal, "own_process", lambda: (alive["pid"] + 1, "another process"))
    answer = act(store, state="begin", kind="deploy", release="2")
    assert "another run holds the lock: deploy 1" in answer["msg"]


def test_second_play_of_the_same_run_goes_on(store: Store) -> None:
    first = act(store, state="begin", kind="deploy", release="1")
    assert act(store, state="begin", kind="deploy", release="1")["plan"]["token"] == first["plan"]["token"]


def test_lock_of_a_dead_run_is_taken_over_and_written_down(store: Store) -> None:
    deploy(store, "1")
    begun = act(store, state="begin", kind="deploy", release="2")
    act(store, state="step", plan=begun["plan"], hosts={"app2/backend": "draining"})
    dead(store)
    again = act(store, state="begin", kind="deploy", release="2")
    assert (again["took_over"], again["unfinished"]) == (True, ["app2/backend"])
    assert records(store) == [("1", "success"), ("2", "interrupted")]


def test_dead_run_that_touched_nothing_leaves_no_record(store: Store) -> None:
    act(store, state="begin", kind="deploy", release="1")
    dead(store)
    act(store, state="begin", kind="deploy", release="1")
    assert records(store) == []


def test_run_whose_lock_was_taken_stops(store: Store) -> None:
    begun = act(store, state="begin", kind="deploy", release="1")
    dead(store)
    act(store, state="begin", kind="deploy", release="2")
    answer = act(store, state="step", plan=begun["plan"], hosts={"app1/backend": "draining"})
    assert "somebody else took the lock" in answer["msg"]


def test_converge_that_changes_nothing_leaves_no_record(store: Store) -> None:
    deploy(store, "1")
    begun = act(store, state="begin", kind="converge", release="")
    answer = act(store, state="finish", plan=begun["plan"], current=begun["current"], images=IMAGES, failure="")
    assert answer["changed"] is False
    assert records(store) == [("1", "success")]


@pytest.mark.parametrize("kind", release_plan.WITHOUT_RELEASE)
def test_operation_on_the_database_holds_the_lock_and_leaves_no_record(store: Store, kind: str) -> None:
    begun = act(store, state="begin", kind=kind)
    assert (json.loads(store.keys["lock"])["kind"], begun["plan"]["release"]) == (kind, "")
    act(store, state="finish", plan=begun["plan"], images={})
    assert store.keys == {}


def test_first_converge_names_the_release_by_its_content(store: Store) -> None:
    begun = act(store, state="begin", kind="converge", release="")
    act(store, state="finish", plan=begun["plan"], current="", images=IMAGES, failure="")
    assert records(store) == [("content-1", "success")]


def test_check_mode_writes_nothing(store: Store) -> None:
    begun = act(store, check_mode=True, state="begin", kind="deploy", release="1")
    act(store, check_mode=True, state="finish", plan=begun["plan"], current="", images=IMAGES, failure="")
    assert store.keys == {}


@pytest.mark.parametrize("release", ["a b", "../x", "-e", "x" * 65, "ü"])
def test_release_name_with_strange_signs_is_refused(store: Store, release: str) -> None:
    assert "use letters, digits" in act(store, state="begin", kind="deploy", release=release)["msg"]


def test_identity_of_a_process_is_empty_when_there_is_none() -> None:
    assert release_journal.process_identity(2**22 + 1) == ""


def test_identity_of_this_process_is_stable() -> None:
    assert release_journal.process_identity(os.getpid()) == release_journal.process_identity(os.getpid()) != ""
