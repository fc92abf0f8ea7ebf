"""Filters that few tasks need are imported when they are called."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from ansible_collections.enlevohub.datacenter.plugins.filter import database, f5
from ansible_collections.enlevohub.datacenter.plugins.plugin_utils import database_plan, f5_model, f5_plan, f5_render
from ansible_collections.enlevohub.datacenter.plugins.plugin_utils.later import later

from tests.conftest import ROOT

FILTERS = ROOT / "collections/ansible_collections/enlevohub/datacenter/plugins/filter"

HEAVY = ("database_plan", "f5_plan", "f5_render", "preflight_survival", "preflight_model", "patroni_steps")

CHILD = f"""
import importlib, os, sys
os.environ["ANSIBLE_CONFIG"] = {str(ROOT / "ansible.cfg")!r}
from ansible.plugins.loader import init_plugin_loader
init_plugin_loader()
for name in {sorted(path.stem for path in FILTERS.glob("*.py"))}:
    importlib.import_module("ansible_collections.enlevohub.datacenter.plugins.filter." + name).FilterModule().filters()
print(" ".join(name.rpartition(".")[2] for name in sys.modules))
"""


def test_files_of_filters_import_nothing_that_few_tasks_need() -> None:
    done = subprocess.run([sys.executable, "-c", CHILD], check=True, capture_output=True, text=True)
    assert "topology" in done.stdout.split()
    assert set(HEAVY) & set(done.stdout.split()) == set()


def test_function_gets_what_it_is_called_with() -> None:
    assert later("preflight_survival", "quorum")(members=5) == 3


@pytest.mark.parametrize(("filters", "modules"), [(f5, [f5_model, f5_plan, f5_render]), (database, [database_plan])])
def test_filter_is_a_function_of_its_module(filters: Any, modules: list[Any]) -> None:
    names = {name for name, each in filters.FilterModule().filters().items() if each.__module__.endswith(".later")}
    assert names
    assert {name for name in names if not any(callable(getattr(module, name, None)) for module in modules)} == set()


def test_unknown_function_is_told_when_it_is_called() -> None:
    with pytest.raises(AttributeError, match="nothing_like_it"):
        later("database_plan", "nothing_like_it")()
