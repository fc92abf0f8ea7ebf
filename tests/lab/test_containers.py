"""How a lab server becomes a container."""

import ipaddress
import json
from pathlib import Path

from enlevohub_lab import containers
from enlevohub_lab.inventory import Host
from tests.lab.conftest import Program

HOST = Host("lb1", ipaddress.IPv4Address("10.89.0.31"), ("127.0.0.1:8443:443",), "256m", "1g")


def test_cgroup_version_is_2_where_the_unified_file_exists(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").touch()
    assert containers.cgroup_version(tmp_path) == 2


def test_cgroup_version_is_1_without_the_unified_file(tmp_path: Path) -> None:
    assert containers.cgroup_version(tmp_path) == 1


def test_flags_of_version_1_are_not_privileged() -> None:
    assert "--privileged" not in containers.system_flags(1)[0]


def test_flags_of_version_1_drop_sys_resource() -> None:
    assert "--cap-drop=SYS_RESOURCE" in containers.system_flags(1)[0]


def test_command_of_version_1_tells_systemd_to_use_the_old_hierarchy() -> None:
    assert containers.system_flags(1)[1] == ["/lib/systemd/systemd", "SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1"]


def test_flags_of_version_2_are_privileged_with_a_private_namespace() -> None:
    assert containers.system_flags(2)[0][:2] == ["--privileged", "--cgroupns=private"]


def test_command_of_version_2_is_plain_systemd() -> None:
    assert containers.system_flags(2)[1] == ["/lib/systemd/systemd"]


def test_container_has_a_fixed_address() -> None:
    command = containers.create_command("lab", HOST, 1)
    assert command[command.index("--ip") + 1] == "10.89.0.31"


def test_container_publishes_what_the_inventory_says() -> None:
    command = containers.create_command("lab", HOST, 1)
    assert command[command.index("--publish") + 1] == "127.0.0.1:8443:443"


def test_container_is_never_restarted_by_docker() -> None:
    command = containers.create_command("lab", HOST, 1)
    assert command[command.index("--restart") + 1] == "no"


def test_container_has_a_volume_for_the_inner_engine() -> None:
    assert "enlevohub-lab-lb1-docker:/var/lib/docker" in containers.create_command("lab", HOST, 1)


def test_container_without_memory_limit_has_no_memory_flag() -> None:
    host = Host("app1", HOST.address)
    assert "--memory" not in containers.create_command("lab", host, 1)


def test_settings_differ_when_published_ports_differ() -> None:
    other = Host("lb1", HOST.address, (), "256m", "1g")
    assert containers.settings_of(HOST) != containers.settings_of(other)


def inspection(running: bool) -> str:
    """What `docker inspect` says of one lab server."""
    labels = {"enlevohub.environment": "lab", "enlevohub.host": "lb1", "enlevohub.settings": "s"}
    networks = {"enlevohub-lab": {"IPAMConfig": {"IPv4Address": "10.89.0.31"}, "IPAddress": ""}}
    item = {
        "Name": "/enlevohub-lab-lb1",
        "State": {"Running": running},
        "Image": "sha256:1",
        "Config": {"Labels": labels},
        "NetworkSettings": {"Networks": networks},
    }
    return json.dumps([item])


def test_stopped_container_keeps_its_address(program: Program) -> None:
    program("docker", f"case $1 in ps) echo abc;; inspect) echo '{inspection(False)}';; esac")
    assert containers.existing("lab")["lb1"].address == "10.89.0.31"


def test_stopped_container_is_started_and_not_created(program: Program) -> None:
    calls = program("docker", f"case $1 in ps) echo abc;; inspect) echo '{inspection(False)}';; esac")
    containers.ensure_started("lab", HOST, containers.existing("lab")["lb1"])
    assert calls.read_text().splitlines()[-1] == "start enlevohub-lab-lb1"
    assert "create" not in calls.read_text()


def test_running_container_is_left_alone(program: Program) -> None:
    calls = program("docker", f"case $1 in ps) echo abc;; inspect) echo '{inspection(True)}';; esac")
    found = containers.existing("lab")["lb1"]
    before = calls.read_text()
    containers.ensure_started("lab", HOST, found)
    assert calls.read_text() == before
