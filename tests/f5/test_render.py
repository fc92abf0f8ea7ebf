"""What a network team gets: golden files, the official schema of AS3, and what that schema does not see."""

from __future__ import annotations

import copy
import ipaddress
import json
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ansible_collections.enlevohub.datacenter.plugins.plugin_utils.f5_model import f5_model
from ansible_collections.enlevohub.datacenter.plugins.plugin_utils.f5_render import (
    f5_declaration,
    f5_member_lines,
    f5_problems,
    f5_script,
)

from tests.conftest import ROOT, Renderer
from tests.f5.site import OPTIONS, pools

GOLDEN = Path(__file__).parent / "golden"
# The schema is reference data of its vendor and lies beside the project (or its worktrees), not in it.
PLACES = [ROOT / up / "shared/f5/as3-schema.json" for up in ("..", "../..")]
WHOLE = {"virtual_servers": True, "address": "192.0.2.100", "ssl_profile": "/Common/clientssl"}
VARIANTS: dict[str, dict[str, Any]] = {
    "pools": {},
    "whole": WHOLE,
    "as3": {**WHOLE, "method": "as3", "sync_group": "/Common/pair"},
    "modules": {**WHOLE, "method": "modules"},
    "taken": {**WHOLE, "names": {"backend": "/Common/pool_api"}},
    "snat_pool": {**WHOLE, "snat": "/Common/snat_app"},
    "no_snat": {**WHOLE, "snat": "none"},
    "ipv6": {"virtual_servers": True, "address": "2001:db8::100", "ssl_profile": "/Common/clientssl"},
}
STATES = {
    "backend 192.0.2.12 3001": {"admin": "disabled", "remark": "EnlevoHub: drained"},
    "backend 192.0.2.13 3001": {"admin": "forced_offline", "remark": ""},
}


def model(variant: str, **changed: Any) -> dict[str, Any]:
    """Return the model of a variant."""
    return f5_model(pools(), {**OPTIONS, **VARIANTS[variant], **changed})


def is_f5ip(text: object) -> bool:
    """Check the schema's own format: an address with route domain and mask."""
    try:
        ipaddress.ip_address(str(text).split("/")[0].split("%")[0])
    except ValueError:
        return text in ("any", "any6")
    return True


@cache
def validator() -> jsonschema.Draft7Validator | None:
    """Return the validator of the part below ``declaration``, None when the schema is absent."""
    present = [path for path in PLACES if path.is_file()]
    if not present:
        return None
    schema = json.loads(present[0].read_text(encoding="utf-8"))
    checker = jsonschema.FormatChecker()
    checker.checks("f5ip")(is_f5ip)
    inner = {"$ref": "#/definitions/ADC", "definitions": schema["definitions"]}
    return jsonschema.Draft7Validator(inner, format_checker=checker)


def schema_errors(request: dict[str, Any]) -> list[str]:
    """Return what the official schema says; nothing, with a warning, when it is absent."""
    found = validator()
    if found is None:
        warnings.warn("schema absent (../shared/f5/as3-schema.json): the declaration was not checked", stacklevel=2)
        return []
    best = jsonschema.exceptions.best_match(found.iter_errors(request["declaration"]))
    return [] if best is None else [f"/{'/'.join(map(str, best.absolute_path))}: {best.message[:300]}"]


@pytest.mark.parametrize("variant", VARIANTS)
def test_declaration_is_valid_by_the_official_schema(variant: str) -> None:
    assert schema_errors(f5_declaration(model(variant))) == []


def test_declaration_with_kept_states_is_valid_by_the_official_schema() -> None:
    assert schema_errors(f5_declaration(model("as3"), STATES)) == []


def test_schema_is_not_blind() -> None:
    request = f5_declaration(model("pools"))
    request["declaration"]["EnlevoHub"]["enlevohub"]["enlevohub_backend"]["members"][0]["servicePort"] = "3001"
    assert schema_errors(request) != [] or validator() is None


@pytest.mark.parametrize("variant", VARIANTS)
def test_declaration_passes_our_own_lint(variant: str) -> None:
    assert f5_problems(f5_declaration(model(variant))) == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pools/as3.json", json.dumps(f5_declaration(model("pools")), indent=2) + "\n"),
        ("pools/pools.tmsh", f5_script(model("pools"))),
        ("pools/members.txt", f5_member_lines(model("pools"))),
        ("whole/as3.json", json.dumps(f5_declaration(model("as3"), STATES), indent=2) + "\n"),
        ("whole/pools.tmsh", f5_script(model("modules"))),
        ("taken/as3.json", json.dumps(f5_declaration(model("taken")), indent=2) + "\n"),
        ("taken/pools.tmsh", f5_script(model("taken"))),
    ],
    ids=lambda value: value if "\n" not in str(value) else "",
)
def test_artefact_is_the_golden_file(name: str, text: str) -> None:
    assert text == (GOLDEN / name).read_text(encoding="utf-8")


def broken(change: str) -> dict[str, Any]:
    """Return a declaration with one fault."""
    request = copy.deepcopy(f5_declaration(model("as3")))
    application = request["declaration"]["EnlevoHub"]["enlevohub"]
    pool = application["enlevohub_backend"]
    first = pool["members"][0]
    if change == "monitor":
        pool["monitors"] = [{"use": "gone"}]
    elif change == "policy":
        application["enlevohub_https"]["policyEndpoint"] = "gone"
    elif change == "address":
        first["servers"][0]["address"] = "999.1.1.1"
    elif change == "twice":
        pool["members"].append(copy.deepcopy(first))
    elif change == "two addresses":
        application["enlevohub_frontend"]["members"][0]["servers"][0]["address"] = "192.0.2.99"
    elif change == "two names":
        application["enlevohub_frontend"]["members"][0]["servers"][0]["name"] = "web1"
    elif change == "port":
        first["servicePort"] = "3001"
    elif change == "key":
        first["adminstate"] = "enable"
    elif change == "empty":
        pool["members"] = []
    elif change == "unmonitored":
        pool["monitors"] = []
    elif change == "virtual":
        application["enlevohub_https"]["virtualAddresses"] = [""]
    return request


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("monitor", "refers to 'gone'"),
        ("policy", "refers to 'gone'"),
        ("address", "'999.1.1.1' of app1 is not an IP address"),
        ("twice", "192.0.2.11 port 3001 stands twice"),
        ("two addresses", "the server app1 has two addresses, 192.0.2.11 and 192.0.2.99"),
        ("two names", "192.0.2.11 is the address of two servers, app1 and web1"),
        ("port", "the port '3001' is not a number"),
        ("key", "unknown property 'adminstate'"),
        ("empty", "/EnlevoHub/enlevohub/enlevohub_backend: has no member"),
        ("unmonitored", "has no monitor"),
        ("virtual", "'' is not an IP address"),
    ],
)
def test_lint_finds_what_the_schema_does_not(change: str, said: str) -> None:
    assert any(said in problem for problem in f5_problems(broken(change)))


def test_ports_are_numbers_even_when_they_come_as_text() -> None:
    given = pools()
    given[0]["members"][0]["port"] = "3001"
    pool = f5_declaration(f5_model(given, {**OPTIONS, "slow_ramp": "7"}))["declaration"]["EnlevoHub"]["enlevohub"]
    assert pool["enlevohub_backend"]["members"][0]["servicePort"] == 3001
    assert pool["enlevohub_backend"]["slowRampTime"] == 7


def test_copies_on_one_server_share_its_node() -> None:
    given = pools()
    copied = {"name": "app1-2", "host": "app1", "address": "192.0.2.11", "port": 3002, "number": 2}
    given[0]["members"].append(copied)
    request = f5_declaration(f5_model(given, OPTIONS))
    assert f5_problems(request) == []
    last = request["declaration"]["EnlevoHub"]["enlevohub"]["enlevohub_backend"]["members"][-1]
    assert (last["servers"], last["servicePort"]) == ([{"name": "app1", "address": "192.0.2.11"}], 3002)


def test_drained_member_stays_drained_in_the_declaration() -> None:
    pool = f5_declaration(model("as3"), STATES)["declaration"]["EnlevoHub"]["enlevohub"]["enlevohub_backend"]
    assert [member["adminState"] for member in pool["members"]] == ["enable", "disable", "offline"]
    assert pool["members"][1]["remark"] == "EnlevoHub: drained"


def test_rendered_declaration_says_by_503_that_a_backend_drains() -> None:
    application = f5_declaration(model("pools"))["declaration"]["EnlevoHub"]["enlevohub"]
    assert application["enlevohub_backend_health"]["receiveDown"] == "^HTTP/1\\.[01] 503"


def test_driven_f5_does_not_need_that_answer() -> None:
    assert "receiveDown" not in json.dumps(f5_declaration(model("as3")))


@pytest.mark.parametrize("environment", ["lab", "datacenter"])
def test_pools_of_the_inventory_become_a_valid_declaration(render: Renderer, environment: str) -> None:
    request = render.value("f5_pool", "__f5_pool_declaration", "app1", environment=environment)
    assert schema_errors(request) == []
    assert f5_problems(request) == []
