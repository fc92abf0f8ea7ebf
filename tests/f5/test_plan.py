"""What would change on an F5: compared without network."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.enlevohub.datacenter.plugins.plugin_utils.f5_model import f5_model, member_name
from ansible_collections.enlevohub.datacenter.plugins.plugin_utils.f5_plan import (
    DRAINED,
    LEAVES,
    NEW,
    f5_by_pool,
    f5_member,
    f5_plan,
    f5_rollback,
)

from tests.f5.site import BACKEND, FRONTEND, HOSTS, OPTIONS, pools


def model(**changed: Any) -> dict[str, Any]:
    """Return a model that is driven with modules."""
    hosts = changed.pop("hosts", None)
    return f5_model(pools(hosts), {**OPTIONS, "method": "modules", **changed})


def present(wanted: dict[str, Any], **admin: str) -> dict[str, Any]:
    """Return the state of an F5 that has everything, with other administrative states by host."""
    return {
        "monitors": {
            item["path"]: {
                "send": item["send"],
                "recv": item["receive"],
                "interval": item["interval"],
                "timeout": item["timeout"],
            }
            for item in wanted["monitors"]
        },
        "pools": {
            pool["path"]: {
                "monitor": f"{pool['monitor']} ",
                "loadBalancingMode": pool["balancing"],
                "slowRampTime": pool["slow_ramp"],
                "serviceDownAction": "none",
                "members": [
                    {
                        "name": f"{member['node']}:{member['port']}",
                        "node": member["node"],
                        "address": member["address"],
                        "port": member["port"],
                        "partition": "Common",
                        "session": "monitor-enabled",
                        "state": "up",
                        "admin": admin.get(member["node"], "enabled"),
                        "description": "",
                        "connections": 0,
                    }
                    for member in pool["members"]
                ],
            }
            for pool in wanted["pools"]
        },
        "virtuals": {},
        "nodes": [{"name": name, "partition": "Common", "address": address} for name, address in HOSTS.items()],
    }


def blank(wanted: dict[str, Any]) -> dict[str, Any]:
    """Return the state of an F5 that has nothing."""
    return {
        "monitors": {item["path"]: None for item in wanted["monitors"]},
        "pools": {pool["path"]: None for pool in wanted["pools"]},
        "virtuals": {},
        "nodes": [],
    }


def test_blank_f5_gets_everything() -> None:
    plan = f5_plan(model(), blank(model()), 1)
    assert plan["problems"] == []
    assert [item["member"] for item in plan["add"]] == ["app1:3001", "app2:3001", "app3:3001", "app1:80"]
    assert [item["path"] for item in plan["pools"]] == [BACKEND, FRONTEND]


def test_f5_that_has_everything_is_left_alone() -> None:
    plan = f5_plan(model(), present(model()), 1)
    assert (plan["changed"], plan["text"]) == (False, "nothing to change")


@pytest.mark.parametrize("state", ["disabled", "forced_offline"])
def test_state_that_somebody_set_is_kept_and_told(state: str) -> None:
    plan = f5_plan(model(), present(model(), app2=state), 1)
    assert plan["changed"] is False
    assert plan["text"] == f"= member app2:3001 of {BACKEND}: kept {state}"
    assert plan["states"]["backend 192.0.2.12 3001"] == {"admin": state, "remark": ""}


def test_member_that_a_dead_run_left_drained_is_named() -> None:
    state = present(model(), app2="disabled")
    state["pools"][BACKEND]["members"][1]["description"] = DRAINED
    plan = f5_plan(model(), state, 1)
    assert "a run that did not end left it so" in plan["text"]
    assert plan["changed"] is False


@pytest.mark.parametrize("remark", [NEW, LEAVES])
def test_member_that_was_never_enabled_or_came_back_is_enabled_by_the_next_run(remark: str) -> None:
    state = present(model(), app2="disabled")
    state["pools"][BACKEND]["members"][1]["description"] = remark
    plan = f5_plan(model(), state, 1)
    assert [item["member"] for item in plan["wake"]] == ["app2:3001"]
    assert plan["states"]["backend 192.0.2.12 3001"]["admin"] == "enabled"
    assert plan["changed"] is True


def test_member_that_left_the_inventory_leaves_with_its_node() -> None:
    hosts = {name: address for name, address in HOSTS.items() if name != "app3"}
    plan = f5_plan(model(hosts=hosts), present(model()), 1)
    assert [item["member"] for item in plan["remove"]] == ["app3:3001"]
    assert plan["nodes"] == ["app3"]
    assert f"- member app3:3001 of {BACKEND} (192.0.2.13, 0 connections)" in plan["text"]


def test_node_stays_while_another_pool_has_a_member_on_it() -> None:
    hosts = {name: address for name, address in HOSTS.items() if name != "app1"}
    wanted = model(hosts=hosts)
    state = present(model())
    wanted["pools"][1]["members"] = model()["pools"][1]["members"]
    assert f5_plan(wanted, state, 1)["nodes"] == []


def test_more_removals_than_allowed_are_refused() -> None:
    plan = f5_plan(model(hosts={"app1": HOSTS["app1"]}), present(model()), 1)
    (problem,) = plan["problems"]
    assert "2 members would leave" in problem
    assert "app2:3001" in problem
    assert "f5_pool_removals" in problem


def test_members_that_a_run_drained_for_good_may_all_leave() -> None:
    """Fewer copies per server, or a server with several, are many members at once."""
    more = model(hosts={**HOSTS, "app4": "192.0.2.14", "app5": "192.0.2.15"})
    state = present(more, app4="disabled", app5="disabled")
    for member in state["pools"][BACKEND]["members"][3:]:
        member["description"] = DRAINED
    plan = f5_plan(model(), state, 0)
    assert (plan["problems"], [item["member"] for item in plan["remove"]]) == ([], ["app4:3001", "app5:3001"])


def test_no_pool_is_emptied() -> None:
    wanted = model()
    wanted["pools"][0]["members"] = []
    assert any("would have no member at all" in problem for problem in f5_plan(wanted, present(model()), 9)["problems"])


def test_node_with_another_address_is_refused() -> None:
    state = blank(model())
    state["nodes"] = [{"name": "app2", "partition": "Common", "address": "192.0.2.99"}]
    (problem,) = f5_plan(model(), state, 1)["problems"]
    assert "/Common/app2 has the address 192.0.2.99, the inventory says 192.0.2.12" in problem


def test_node_of_another_partition_is_no_conflict() -> None:
    state = blank(model())
    state["nodes"] = [{"name": "app2", "partition": "Other", "address": "192.0.2.99"}]
    assert f5_plan(model(), state, 1)["problems"] == []


def test_address_of_a_node_in_another_partition_is_refused() -> None:
    state = blank(model())
    state["nodes"] = [{"name": "x", "partition": "Other", "address": "192.0.2.12"}]
    (problem,) = f5_plan(model(), state, 1)["problems"]
    assert "192.0.2.12 belongs to the node /Other/x of another partition" in problem


def test_address_that_has_a_node_already_is_used_under_its_name() -> None:
    state = blank(model())
    state["nodes"] = [{"name": "192.0.2.12", "partition": "Common", "address": "192.0.2.12"}]
    assert [item["member"] for item in f5_plan(model(), state, 1)["add"]][1] == "192.0.2.12:3001"


def test_member_of_a_taken_pool_is_known_by_address_and_port() -> None:
    wanted = model(names={"backend": "pool_api"})
    state = present(wanted)
    for member in state["pools"]["/Common/pool_api"]["members"]:
        member["name"] = f"{member['address']}:{member['port']}"
        member["node"] = member["address"]
    assert f5_plan(wanted, state, 0)["changed"] is False


def test_settings_of_a_taken_pool_are_not_ours() -> None:
    wanted = model(names={"backend": "pool_api"})
    state = present(wanted)
    state["pools"]["/Common/pool_api"].update(monitor="/Common/theirs", loadBalancingMode="round-robin")
    assert f5_plan(wanted, state, 0)["changed"] is False


def test_taken_pool_that_does_not_exist_is_refused() -> None:
    wanted = model(names={"backend": "pool_api"})
    state = present(wanted)
    state["pools"]["/Common/pool_api"] = None
    (problem,) = f5_plan(wanted, state, 0)["problems"]
    assert "/Common/pool_api (f5_pool_names: backend) is not on the F5" in problem


def test_changed_settings_are_shown_with_both_values() -> None:
    state = present(model())
    state["pools"][BACKEND]["loadBalancingMode"] = "round-robin"
    plan = f5_plan(model(), state, 1)
    assert plan["text"] == f"~ pool {BACKEND}: load balancing round-robin -> least-connections-member"


def test_way_back_has_the_members_and_states_of_before() -> None:
    text = f5_rollback(model(), present(model(), app2="disabled"))
    assert "/Common/app2:3001 { address 192.0.2.12 session user-disabled state user-up }" in text
    assert "/Common/app1:3001 { address 192.0.2.11 session user-enabled state user-up }" in text


def test_way_back_removes_a_pool_that_was_not_there() -> None:
    assert f"delete ltm pool {BACKEND}" in f5_rollback(model(), blank(model()))


def test_way_back_removes_what_was_not_there_before_what_it_uses() -> None:
    whole = f5_model(pools(), {**OPTIONS, "method": "modules", "virtual_servers": True, "address": "192.0.2.100"})
    assert f5_rollback(whole, blank(whole)).splitlines() == [
        "delete ltm virtual /Common/enlevohub_https",
        "delete ltm virtual /Common/enlevohub_http",
        "delete ltm policy /Common/enlevohub_paths",
        "delete ltm profile http /Common/enlevohub_headers",
        f"delete ltm pool {BACKEND}",
        f"delete ltm pool {FRONTEND}",
        f"delete ltm monitor http {BACKEND}_health",
        f"delete ltm monitor http {FRONTEND}_health",
        "save sys config",
    ]


def test_way_back_has_the_settings_of_before() -> None:
    whole = f5_model(pools(), {**OPTIONS, "method": "modules", "virtual_servers": True, "address": "192.0.2.100"})
    state = present(whole)
    state["monitors"][f"{BACKEND}_health"] = {"send": 'GET "/"\\r\\n', "recv": "200", "interval": 7, "timeout": 9}
    state["virtuals"] = {
        "/Common/enlevohub_https": {"destination": "/Common/192.0.2.9:443", "pool": "", "policies": ["/Common/old"]},
        "/Common/enlevohub_http": {"destination": "/Common/192.0.2.9:80", "pool": "", "policies": []},
        "/Common/enlevohub_paths": {"rules": [["api", "equals", "/api", "/Common/old_pool"]]},
        "/Common/enlevohub_headers": {"header": "", "forwarded_for": False, "stay_on_https": 0},
    }
    text = f5_rollback(whole, state)
    for line in (
        "modify ltm virtual /Common/enlevohub_https destination /Common/192.0.2.9:443 pool none "
        "policies replace-all-with { /Common/old }",
        "modify ltm virtual /Common/enlevohub_http destination /Common/192.0.2.9:80 pool none policies none",
        "# /Common/enlevohub_paths had the rule api: path equals /api, pool /Common/old_pool",
        "modify ltm profile http /Common/enlevohub_headers insert-xforwarded-for disabled "
        'header-insert "none" hsts { mode disabled }',
        f"modify ltm monitor http {BACKEND}_health send "
        r'"GET \"/\"\\r\\n" recv "200" interval 7 timeout 9',
    ):
        assert line in text.splitlines()


def test_way_back_of_a_blank_f5_ends_with_a_saved_configuration() -> None:
    assert f5_rollback(model(), blank(model())).endswith("save sys config\n")


@pytest.mark.parametrize(("node", "name"), [("app1", "app1:80"), ("2001:db8::1", "2001:db8::1.80")])
def test_name_of_a_member(node: str, name: str) -> None:
    assert member_name(node, 80) == name


def test_member_counts_the_others_that_get_requests() -> None:
    state = present(model(), app3="disabled")
    state["pools"][BACKEND]["members"][1]["state"] = "down"
    found = f5_member(pools()[0]["members"][0], state["pools"][BACKEND])
    assert (found["known"], found["others"]) == (True, [])


def test_member_that_the_f5_does_not_have_is_not_known() -> None:
    state = present(model())
    member = {"name": "app9", "address": "192.0.2.19", "port": 3001}
    assert f5_member(member, state["pools"][BACKEND])["known"] is False
    assert f5_member(member, None) == {"known": False, "others": []}


def test_description_of_somebody_else_comes_back_after_a_drain() -> None:
    state = present(model())
    state["pools"][BACKEND]["members"][0]["description"] = "rack 7"
    found = f5_member(pools()[0]["members"][0], state["pools"][BACKEND])
    assert (found["ours"], found["drained_remark"]) == (False, "EnlevoHub: drained | rack 7")
    state["pools"][BACKEND]["members"][0]["description"] = found["drained_remark"]
    again = f5_member(pools()[0]["members"][0], state["pools"][BACKEND])
    assert (again["ours"], again["plain_remark"], again["drained_remark"]) == (True, "rack 7", found["drained_remark"])


def test_nodes_are_never_removed_with_their_members() -> None:
    plan = f5_plan(model(), blank(model()), 1)
    groups = f5_by_pool(plan["add"], "absent", "")
    assert [group["path"] for group in groups] == [BACKEND, FRONTEND]
    assert all(entry["preserve_node"] for group in groups for entry in group["aggregate"])
    assert "description" not in groups[0]["aggregate"][0]
