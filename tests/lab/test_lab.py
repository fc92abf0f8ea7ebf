"""Network, keys, waiting and removal of a lab."""

import io
import ipaddress
from pathlib import Path

import pytest

from enlevohub_lab import containers, hosts, ssh
from enlevohub_lab.console import Console
from enlevohub_lab.containers import Container
from enlevohub_lab.errors import LabError
from enlevohub_lab.inventory import Environment, Host
from enlevohub_lab.network import ensure_network
from enlevohub_lab.process import run
from enlevohub_lab.removal import remove_lab
from tests.lab.conftest import Program

EMPTY_ENGINE = 'case "$1" in info) echo answer;; esac'
NETWORK = ipaddress.IPv4Network("10.89.0.0/24")
APP1 = Host("app1", NETWORK[11])
LAB = Environment("lab", Path("inventories/lab"), {"app1": APP1})


def container(*, image: str = "new", settings: str = "", host: str = "app1") -> Container:
    """A running container, made with the settings of app1 unless told otherwise."""
    address = {"app1": "10.89.0.11", "app4": "10.89.0.14"}[host]
    return Container(host, f"enlevohub-lab-{host}", True, image, settings or containers.settings_of(APP1), address)


def test_network_with_the_right_subnet_is_used(program: Program) -> None:
    calls = program("docker", """echo '[{"IPAM": {"Config": [{"Subnet": "10.89.0.0/24"}]}}]'""")
    ensure_network("lab", NETWORK)
    assert "create" not in calls.read_text()


def test_network_with_another_subnet_is_an_error(program: Program) -> None:
    program("docker", """echo '[{"IPAM": {"Config": [{"Subnet": "10.99.0.0/24"}]}}]'""")
    with pytest.raises(LabError, match=r"has the subnet 10\.99\.0\.0/24"):
        ensure_network("lab", NETWORK)


def test_network_that_overlaps_is_an_error_that_says_what_to_do(program: Program) -> None:
    program("docker", "case $2 in create) echo 'Pool overlaps with other one' >&2;; esac; exit 1")
    with pytest.raises(LabError, match="used by another Docker network"):
        ensure_network("lab", NETWORK)


def test_container_as_wanted_has_no_differences() -> None:
    assert hosts.differences(LAB, {"app1": container()}, "new") == []


def test_container_of_an_older_image_is_told() -> None:
    assert "an older image" in hosts.differences(LAB, {"app1": container(image="old")}, "new")[0]


def test_container_with_other_settings_is_told() -> None:
    assert "other settings" in hosts.differences(LAB, {"app1": container(settings="x")}, "new")[0]


def test_server_outside_the_inventory_is_remembered_by_its_container() -> None:
    found = {"app1": container(), "app4": container(host="app4")}
    assert hosts.extra_hosts(LAB, found) == [Host("app4", NETWORK[14])]


def test_server_that_never_answers_is_told_with_its_log_and_failed_units(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hosts, "ANSWERS_WITHIN", 0)
    program(
        "docker", 'case "$*" in *--failed*) echo ssh.service failed;; logs*) echo boot line;; *pub) echo a b;; esac'
    )
    program("ssh", "echo Connection refused >&2; exit 255")
    entry = ssh.access(tmp_path, "lab")
    ssh.ensure_key(entry)
    with pytest.raises(LabError, match=r"(?s)app1 .*Connection refused.*boot line.*ssh.service failed"):
        hosts.bring_up("lab", [APP1], {"app1": container()}, entry, Console(io.StringIO()))


def test_login_trusts_the_known_host_keys_only(tmp_path: Path) -> None:
    command = ssh.access(tmp_path, "lab").command("10.89.0.11")
    assert "StrictHostKeyChecking=yes" in command
    assert f"UserKnownHostsFile={tmp_path}/.lab/lab/known_hosts" in command


def test_key_is_made_once(tmp_path: Path) -> None:
    entry = ssh.access(tmp_path, "lab")
    ssh.ensure_key(entry)
    first = entry.key.read_text()
    ssh.ensure_key(entry)
    assert entry.key.read_text() == first


def test_key_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    entry = ssh.access(tmp_path, "lab")
    ssh.ensure_key(entry)
    assert entry.key.stat().st_mode & 0o777 == 0o600


def test_known_hosts_are_replaced_as_a_whole(tmp_path: Path) -> None:
    entry = ssh.Access(tmp_path)
    ssh.write_known_hosts(entry, {"10.89.0.11": "ssh-ed25519 A"})
    ssh.write_known_hosts(entry, {"10.89.0.12": "ssh-ed25519 B"})
    assert entry.known_hosts.read_text() == "10.89.0.12 ssh-ed25519 B\n"


def test_down_removes_only_what_carries_the_label(program: Program, tmp_path: Path) -> None:
    listed = '*--quiet*label=enlevohub.environment=lab) echo "mine-$1";;'
    calls = program("docker", f'case "$*" in info*) echo answer;; {listed} esac')
    remove_lab("lab", tmp_path, Console(io.StringIO()))
    removals = [line for line in calls.read_text().splitlines() if " rm " in f" {line} " and "--quiet" not in line]
    assert removals == ["rm --force --volumes mine-ps", "volume rm mine-volume", "network rm mine-network"]


def test_down_removes_the_keys_of_this_lab_only(program: Program, tmp_path: Path) -> None:
    program("docker", EMPTY_ENGINE)
    ssh.ensure_key(ssh.access(tmp_path, "lab"))
    ssh.ensure_key(ssh.access(tmp_path, "molecule"))
    remove_lab("lab", tmp_path, Console(io.StringIO()))
    assert [path.name for path in (tmp_path / ".lab").iterdir()] == ["molecule"]


def test_down_without_a_lab_says_so(program: Program, tmp_path: Path) -> None:
    program("docker", EMPTY_ENGINE)
    assert remove_lab("lab", tmp_path, Console(io.StringIO()))[0] == "Lab lab: nothing to remove."


def test_down_without_an_answer_of_the_engine_keeps_the_keys(program: Program, tmp_path: Path) -> None:
    program("docker", "echo permission denied >&2; exit 1")
    ssh.ensure_key(ssh.access(tmp_path, "lab"))
    with pytest.raises(LabError, match="refuses this user"):
        remove_lab("lab", tmp_path, Console(io.StringIO()))
    assert ssh.access(tmp_path, "lab").key.exists()


def test_waiting_ends_when_a_person_interrupts() -> None:
    deadline = hosts.Deadline(60)
    deadline.expire()
    assert deadline.passed()


def test_command_that_takes_too_long_is_given_up() -> None:
    with pytest.raises(LabError, match=r"did not end within 0\.2 s"):
        run(["sleep", "5"], timeout=0.2)


def test_command_that_is_missing_is_named() -> None:
    with pytest.raises(LabError, match="`no-such-program` is not installed"):
        run(["no-such-program"], timeout=1)


def test_step_that_fails_is_shown_as_failed() -> None:
    stream = io.StringIO()
    with pytest.raises(LabError), Console(stream).step("Do it"):
        raise LabError("no")
    assert "Do it: failed" in stream.getvalue()
