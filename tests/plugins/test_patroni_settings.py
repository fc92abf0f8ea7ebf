"""patroni_settings: what must be patched."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.enlevohub.datacenter.plugins.modules import patroni_settings

PRESENT = {
    "ttl": 30,
    "loop_wait": 10,
    "postgresql": {"use_slots": True, "parameters": {"max_connections": 100, "wal_level": "replica"}},
}


@pytest.mark.parametrize(
    ("wanted", "patch", "paths"),
    [
        pytest.param({}, {}, [], id="nothing wanted"),
        pytest.param({"ttl": 30}, {}, [], id="equal"),
        pytest.param({"ttl": 20}, {"ttl": 20}, ["ttl"], id="differs"),
        pytest.param({"failsafe_mode": True}, {"failsafe_mode": True}, ["failsafe_mode"], id="new"),
        pytest.param({"ttl": "30"}, {"ttl": "30"}, ["ttl"], id="other type"),
        pytest.param(
            {"postgresql": {"parameters": {"max_connections": 200, "wal_level": "replica"}}},
            {"postgresql": {"parameters": {"max_connections": 200}}},
            ["postgresql.parameters.max_connections"],
            id="nested",
        ),
        pytest.param(
            {"standby": {"host": "db3", "port": 5432}},
            {"standby": {"host": "db3", "port": 5432}},
            ["standby.host", "standby.port"],
            id="new mapping",
        ),
        pytest.param({"ttl": {"a": 1}}, {"ttl": {"a": 1}}, ["ttl.a"], id="mapping instead of a number"),
        pytest.param({"postgresql": {}}, {}, [], id="empty mapping"),
        pytest.param({"ttl": None}, {"ttl": None}, ["ttl"], id="to be removed"),
        pytest.param({"unknown": None}, {}, [], id="removed already"),
    ],
)
def test_patch_is_what_differs(wanted: dict[str, Any], patch: dict[str, Any], paths: list[str]) -> None:
    assert patroni_settings.difference(wanted, PRESENT) == (patch, paths)


def test_settings_that_nobody_named_stay() -> None:
    patch, _ = patroni_settings.difference({"ttl": 20}, PRESENT)
    assert "loop_wait" not in patch
