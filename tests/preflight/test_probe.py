"""What a host says, or cannot say, becomes findings."""

from __future__ import annotations

import datetime
import os
import socket
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.enlevohub.datacenter.plugins.modules import preflight as module
from ansible_collections.enlevohub.datacenter.plugins.plugin_utils.preflight_model import SERVICES, Finding
from ansible_collections.enlevohub.datacenter.plugins.plugin_utils.preflight_probe import (
    clock_problem,
    failed_finding,
    offset_range,
    unreachable_finding,
)
from ansible_collections.enlevohub.datacenter.plugins.plugin_utils.preflight_report import (
    host_findings,
    package_findings,
    report,
)
from ansible_collections.enlevohub.datacenter.plugins.plugin_utils.preflight_types import compare, kind

PROJECT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("message", "variable", "fix"),
    [
        ("ssh: connect to host 192.0.2.1 port 22: Connection refused", "ansible_host", "start SSH there"),
        ("ssh: connect to host 192.0.2.1 port 22: Connection timed out", "ansible_host", "start the server"),
        ("operator@192.0.2.1: Permission denied (publickey).", "ansible_user", "authorized_keys"),
        ("Host key verification failed.", "ansible_host", "add it to known_hosts: ssh 192.0.2.1"),
        ("kex_exchange_identification: read: Connection reset", "ansible_host", "the network"),
    ],
)
def test_unreachable_host_tells_why(message: str, variable: str, fix: str) -> None:
    """Each way not to be reached has its own advice."""
    found = unreachable_finding(message, "192.0.2.1", "operator")
    assert found["variable"] == variable
    assert fix in found["fix"]


@pytest.mark.parametrize(
    ("message", "variable", "problem"),
    [
        ("sudo: a password is required", "ansible_become_password", "sudo asks for a password"),
        ("operator is not in the sudoers file.", "ansible_user", "operator may not use sudo"),
        ("/bin/sh: 1: sudo: not found", "ansible_user", "sudo is not installed"),
        ("/bin/sh: 1: /usr/bin/python3: not found", "ansible_python_interpreter", "/usr/bin/python3 is missing"),
        ("ansible-core requires a minimum of Python version 3.8.", "ansible_python_interpreter", "Python is too old"),
        ("a new kind of failure", "", "cannot be asked: a new kind of failure"),
    ],
)
def test_reached_host_that_cannot_be_asked_tells_why(message: str, variable: str, problem: str) -> None:
    """Rights, sudo and Python are told apart."""
    found = failed_finding(message, "operator", "/usr/bin/python3")
    assert (found["variable"], found["problem"]) == (variable, problem)


def test_offset_lies_between_the_bounds_of_the_round_trip() -> None:
    """A host 5 s ahead, asked for 2 s: the range holds the true offset."""
    least, greatest = offset_range(100.0, (106.0, 106.5), 102.0)
    assert least <= 5.0 <= greatest


def test_slow_connection_gives_no_false_alarm() -> None:
    """Right clock, thirty seconds on the way."""
    assert clock_problem(100.0, (129.0, 129.5), 130.0, 1.0) == ""


def test_clock_ahead_is_told_with_its_offset() -> None:
    """Ten seconds ahead on a fast connection."""
    said = clock_problem(100.0, (110.1, 110.2), 100.3, 1.0)
    assert "10.0 s ahead of the control machine" in said


def test_clock_behind_is_told_with_its_offset() -> None:
    """Ten seconds behind on a fast connection."""
    assert "10.0 s behind the control machine" in clock_problem(100.0, (90.1, 90.2), 100.3, 1.0)


def test_os_release_is_read_with_and_without_quotes() -> None:
    """Both forms stand in real files."""
    assert module.os_release('ID=debian\nVERSION_ID="13"\n# note\n') == {"ID": "debian", "VERSION_ID": "13"}


def test_listeners_are_told_from_connections() -> None:
    """State 0A listens; 01 is a connection."""
    lines = [
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode",
        "   0: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000   0 0 4711 1 0 100 0 0 10 0",
        "   1: 0100007F:1F48 0100007F:0050 01 00000000:00000000 00:00000000 00000000   0 0 4712 1 0 100 0 0 10 0",
    ]
    assert module.listeners("\n".join(lines)) == {5432: {"4711"}}


def checks(**params: Any) -> Any:
    """Return the checks of this machine with everything switched off but what is given."""
    wanted: dict[str, Any] = {
        "systems": {},
        "min_free_disk_mib": 0,
        "min_memory_mib": 0,
        "address": "",
        "ports": [],
        "postgresql_version": 0,
    }
    return module.Checks({**wanted, **params})


def port(number: int, *owners: str) -> dict[str, Any]:
    """Return a port as the action passes it."""
    return {"port": number, "service": "Patroni", "variable": "patroni_restapi_port", "owners": list(owners)}


def test_foreign_listener_is_found_with_its_name() -> None:
    """A socket of this very process is foreign to Patroni."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        number = server.getsockname()[1]
        found = checks(ports=[port(number, "patroni")])
        found.check_ports()
    assert [item["variable"] for item in found.findings] == ["patroni_restapi_port"]
    assert f"port {number} for Patroni is taken by " in found.findings[0]["problem"]


def test_expected_listener_is_accepted() -> None:
    """The own service may hold its port."""
    own = Path(f"/proc/{os.getpid()}/comm").read_text().strip()
    with socket.create_server(("127.0.0.1", 0)) as server:
        found = checks(ports=[port(server.getsockname()[1], own)])
        found.check_ports()
    assert found.findings == []


def test_free_port_is_accepted() -> None:
    """Nothing listens: nothing is found."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        number = server.getsockname()[1]
    found = checks(ports=[port(number, "patroni")])
    found.check_ports()
    assert found.findings == []


def test_foreign_address_is_found() -> None:
    """An address for documentation is on no interface."""
    found = checks(address="192.0.2.77")
    found.check_address()
    assert [item["variable"] for item in found.findings] == ["enlevohub_address"]


def test_own_address_is_accepted() -> None:
    """The loopback address is on this machine."""
    assert module.own_address("127.0.0.1")


def test_small_host_is_found_by_disk_and_memory() -> None:
    """Both limits are told at once, each with its variable."""
    found = checks(min_free_disk_mib=1 << 40, min_memory_mib=1 << 40)
    found.check_space()
    assert [item["variable"] for item in found.findings] == ["preflight_min_free_disk_mib", "preflight_min_memory_mib"]


@pytest.mark.parametrize(("wanted", "variables"), [(1, []), (1 << 40, ["backup_min_free_disk_mib"])])
def test_room_of_a_repository_that_is_not_there_yet_is_that_above_it(
    tmp_path: Path, wanted: int, variables: list[str]
) -> None:
    space = {"path": str(tmp_path / "not" / "yet"), "min_free_mib": wanted, "variable": "backup_min_free_disk_mib"}
    found = checks(spaces=[space])
    found.check_spaces()
    assert [item["variable"] for item in found.findings] == variables


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory of PostgreSQL 17 with a file in it."""
    directory = tmp_path / "17" / "main"
    directory.mkdir(parents=True)
    (directory / "PG_VERSION").write_text("17\n")
    return directory


def data_findings(data: Path) -> list[str]:
    """Return the variables of the findings about a data directory."""
    found = checks(postgresql_version=17)
    root = data.parent.parent
    found.check_data(str(root), str(root / "config.yml"))
    return [item["variable"] for item in found.findings]


def test_data_of_another_postgresql_is_found(data: Path) -> None:
    """Data that Patroni did not make must not be touched."""
    assert data_findings(data) == ["patroni_postgresql_version"]


def test_data_under_patroni_is_accepted(data: Path) -> None:
    """Patroni keeps its dynamic settings in the data directory."""
    (data / "patroni.dynamic.json").write_text("{}")
    assert data_findings(data) == []


def test_data_of_a_first_start_that_was_cut_off_is_accepted(data: Path) -> None:
    """Patroni's settings name the directory: the next run heals it."""
    (data.parent.parent / "config.yml").write_text(f"postgresql:\n  data_dir: {data}\n")
    assert data_findings(data) == []


def test_empty_data_directory_is_accepted(data: Path) -> None:
    """The package makes an empty directory."""
    (data / "PG_VERSION").unlink()
    assert data_findings(data) == []


def test_unsupported_system_is_found() -> None:
    """A system that is not listed is refused with the list."""
    found = checks(systems={"Plan9": ["4"]})
    found.check_system()
    assert found.findings[0]["fix"] == "install one of: Plan9 4"


def test_copied_hosts_are_found_by_machine_id() -> None:
    """Two hosts with one machine id are one disk copied."""
    probe = {"findings": [], "identity": {"hostname": "a", "machine_id": "42"}}
    other = {"findings": [], "identity": {"hostname": "b", "machine_id": "42"}}
    found = host_findings({"app1": probe, "app2": other})
    assert [(item.where, item.variable) for item in found] == [("host app2", "machine id")]


def test_packages_that_the_system_lacks_are_found() -> None:
    """Debian 12 has neither PostgreSQL 17 nor Docker with Compose 2; Debian 13 has both."""
    packages = {"docker_channel": "debian", "patroni_channel": "debian", "postgresql_version": 17}
    old = {"host": {"os": "Debian", "os_version": "12"}, "packages": packages}
    new = {"host": {"os": "Debian", "os_version": "13"}, "packages": packages}
    found = package_findings({"db1": old, "db2": new})
    assert [(item.where, item.variable, item.fix) for item in found] == [
        ("host db1", "docker_channel", "use docker_ce"),
        ("host db1", "patroni_channel", "use pgdg, or version 15"),
    ]


def test_packages_of_other_channels_are_not_judged() -> None:
    """The repositories of the projects serve every supported system."""
    packages = {"docker_channel": "docker_ce", "patroni_channel": "pgdg", "postgresql_version": 17}
    assert package_findings({"db1": {"host": {"os": "Debian", "os_version": "12"}, "packages": packages}}) == []


def test_host_without_answer_is_a_finding() -> None:
    """A probe that left nothing behind is not taken for a good host."""
    assert [item.where for item in host_findings({"app1": {}})] == ["host app1"]


def test_report_tells_warnings_apart() -> None:
    """Warnings stand in a section of their own and are not counted as findings."""
    findings = [Finding("a.yml:1", "x", "is bad", "mend it"), Finding("b.yml:2", "y", "is odd", "look", warning=True)]
    text = report("lab", findings, ["  table"], 1)
    assert "1 finding, 1 warning, 1 host asked. Nothing was changed." in text
    assert (
        text.index("Findings")
        < text.index("a.yml:1")
        < text.index("Warnings")
        < text.index("b.yml:2")
        < text.index("Survival")
    )


def test_ports_of_services_equal_the_defaults_of_the_roles() -> None:
    """The table of services does not drift from the roles."""
    for service in SERVICES:
        roles = [path.name for path in (PROJECT / "roles").iterdir() if service.variable.startswith(f"{path.name}_")]
        specs = yaml.safe_load((PROJECT / f"roles/{roles[0]}/meta/argument_specs.yml").read_text())
        assert specs["argument_specs"]["main"]["options"][service.variable]["default"] == service.port


@pytest.mark.parametrize("text", ["yes", "no", "true", "1"])
def test_quoted_bool_is_refused(text: str) -> None:
    """Text never counts as a truth value."""
    assert [item[1:] for item in compare(text, {"type": "bool"})] == [
        ("is text, true or false is wanted", "write true or false without quotes")
    ]


def test_whole_number_counts_as_a_number() -> None:
    """An int fits a float; a bool fits neither."""
    assert not list(compare(1, {"type": "float"}))
    assert list(compare(True, {"type": "int"}))


def test_kind_of_an_unknown_type_is_other() -> None:
    """A date, as YAML reads it without quotes, is none of the types."""
    assert kind(datetime.date(2030, 1, 1)) == "other"


def test_external_redis_that_does_not_answer_is_a_finding_without_its_password() -> None:
    """The API of this host could not log in: the finding says where and why."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    given = {"url": f"redis://ana@127.0.0.1:{port}", "password": "not-for-anybody", "sentinel_user": ""}
    checks = module.Checks({"redis": {**given, "ca_certificate": ""}})
    checks.check_redis()
    (finding,) = checks.findings
    assert finding["variable"] == "redis_external_url"
    assert finding["problem"] == f"the external Redis cannot be used: 127.0.0.1:{port}: Connection refused"
    assert "not-for-anybody" not in str(finding)


def test_redis_of_this_project_is_not_asked_before_it_is_there() -> None:
    """Only an external Redis is asked by preflight."""
    checks = module.Checks({"redis": {}})
    checks.check_redis()
    assert checks.findings == []


def test_ubuntu_with_an_old_redis_is_a_finding() -> None:
    """Sentinel knows users since Redis 6.2."""
    probe = {"host": {"os": "Ubuntu", "os_version": "22.04"}, "packages": {"redis_driver": "internal"}}
    (finding,) = package_findings({"app1": probe})
    assert (finding.variable, finding.problem) == ("redis_driver", "Ubuntu 22.04 has Redis 6.0, 6.2 is the least")
