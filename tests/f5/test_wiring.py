"""How the F5 is chosen, and what the rest of the project gives it."""

from __future__ import annotations

import json
import re
import sys
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from tests.conftest import ROOT, Renderer, load_yaml


@pytest.mark.parametrize(
    ("driver", "role", "push"),
    [
        ("haproxy", "haproxy", "none"),
        ("f5", "f5_pool", "modules"),
        ("render", "", "none"),
        ("external", "", "none"),
    ],
)
def test_driver_chooses_role_and_way(render: Renderer, driver: str, role: str, push: str) -> None:
    assert render.value("rollout", "rollout_driver_role", "app1", load_balancer_driver=driver) == role
    assert render.value("f5_pool", "f5_pool_push", "app1", load_balancer_driver=driver) == push


@pytest.mark.parametrize("verb", ["drain", "enable"])
@pytest.mark.parametrize("role", ["haproxy", "f5_pool"])
def test_driver_has_every_verb(role: str, verb: str) -> None:
    assert (ROOT / "roles" / role / "tasks" / f"{verb}.yml").is_file()


def test_playbooks_but_one_do_not_know_the_drivers() -> None:
    playbooks = [path for path in (ROOT / "playbooks").glob("*.yml") if path.name != "load_balancer.yml"]
    found = [path.name for path in playbooks if re.search(r"f5|haproxy|load_balancer_driver", path.read_text().lower())]
    assert found == []


def test_password_of_the_datacenter_is_the_one_of_its_vault(render: Renderer) -> None:
    provider = render.value("f5_pool", "__f5_pool_provider", "app1", environment="datacenter")
    assert provider["password"] == "dummy vault_f5_password of datacenter"
    assert provider["server"] == "f5.enlevohub.example"
    assert provider["no_f5_teem"] is True


def test_datacenter_has_virtual_servers_with_both_pools(render: Renderer) -> None:
    request = render.value("f5_pool", "__f5_pool_declaration", "app1", environment="datacenter")
    text = json.dumps(request)
    assert '"virtualAddresses": ["192.0.2.100"]' in text
    assert "dummy" not in text  # no secret is in what a network team gets


def test_copy_that_is_no_longer_wanted_is_drained_by_its_port() -> None:
    task = next(task for task in load_yaml(ROOT / "roles/rollout/tasks/prune.yml") if "vars" in task)
    values: dict[str, Any] = {
        "inventory_hostname": "app2",
        "rollout_stack": "backend",
        "__rollout_surplus": "api-3",
        "__rollout_this": {
            "service": "api",
            "members": [
                {"name": "app1", "host": "app1", "address": "192.0.2.11", "port": 3001, "number": 1},
                {"name": "app2", "host": "app2", "address": "192.0.2.12", "port": 3001, "number": 1},
            ],
        },
    }
    values.update({name: trust_as_template(text) for name, text in task["vars"].items() if name.startswith("__")})
    templar = Templar(loader=DataLoader(), variables=values)
    assert templar.template(trust_as_template(task["vars"]["load_balancer_member"])) == {
        "pool": "backend",
        "name": "app2-3",
        "host": "app2",
        "address": "192.0.2.12",
        "port": 3003,
        "number": 3,
    }


def test_simulator_for_a_lab_is_whole(render: Renderer) -> None:
    present = {path.name for path in (ROOT / "src/enlevohub_f5sim").glob("*.py")}
    taken = [entry["path"] for entry in load_yaml(ROOT / "roles/f5_simulator/vars/main.yml")["__f5_simulator_code"]]
    assert {path.rsplit("/", 1)[-1] for path in taken} == present
    unit = render("f5_simulator", "enlevohub-f5sim.service.j2", "lb1")
    assert "dummy" not in unit  # the password is in the file of the environment alone


@pytest.mark.parametrize("role", ["haproxy", "f5_simulator"])
def test_every_load_balancer_of_a_lab_tells_its_pools_the_same_way(role: str) -> None:
    listed = yaml.safe_dump(load_yaml(ROOT / "roles" / role / "vars/main.yml"))
    assert "/usr/local/sbin/load-balancer-pools" in listed


def test_playbook_asks_no_f5_that_is_yet_to_come() -> None:
    plays = load_yaml(ROOT / "playbooks/load_balancer.yml")
    (condition,) = [role["when"] for play in plays for role in play["roles"] if role["role"] == "f5_pool"]
    templar = Templar(loader=DataLoader(), variables={"load_balancer_driver": "f5", "groups": {"f5_to_come": ["lb1"]}})
    assert templar.template(trust_as_template("{{ " + condition + " }}")) is False


def test_simulator_needs_nothing_but_python() -> None:
    found = set()
    for path in (ROOT / "src/enlevohub_f5sim").glob("*.py"):
        found |= set(re.findall(r"^(?:from|import) (\w+)", path.read_text(), re.MULTILINE))
    assert found - set(sys.stdlib_module_names) == {"enlevohub_f5sim"}
