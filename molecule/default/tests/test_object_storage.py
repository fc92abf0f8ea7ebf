"""The object storage: TLS only, nobody without keys, the API in its own bucket only, two copies of everything."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
import uuid
from collections import Counter
from typing import Any

import pytest

from enlevohub_drill.photos import work
from enlevohub_drill.storage import Bucket

PKI = "/etc/enlevohub/pki"
INNER = {"master": 9333, "objects": 9334, "names": 9335}


@pytest.fixture(scope="module")
def bucket(datacenter: Any) -> Bucket:
    """The bucket with the keys of the API, when the storage is whole."""
    found = Bucket(datacenter)
    found.wait_until_whole()
    return found


@pytest.fixture(scope="module")
def written(bucket: Bucket) -> dict[str, str]:
    """Thirty objects."""
    return bucket.fill(f"probe/{uuid.uuid4().hex}", 30)


def test_storage_is_well_as_every_server_sees_it(datacenter: Any, bucket: Bucket, storage_server: str) -> None:
    state = json.loads(datacenter.run(storage_server, "/usr/local/sbin/object-storage"))
    assert state["problems"] == []
    assert state["leader"] in datacenter.groups["storage_servers"]


def test_object_written_at_one_server_is_read_at_every_other(
    bucket: Bucket, written: dict[str, str], storage_server: str
) -> None:
    assert Bucket(bucket.site, names=[storage_server]).wrong(written) == []


def test_every_object_is_on_two_different_servers(bucket: Bucket, written: dict[str, str]) -> None:
    servers = bucket.volumes().values()
    places = Counter(volume for volumes in servers for volume in volumes)
    assert places
    assert {volume for volume, copies in places.items() if copies < 2} == set()


def test_objects_are_encrypted_on_the_disk(datacenter: Any, bucket: Bucket, storage_server: str) -> None:
    mark = uuid.uuid4().hex
    bucket.put(f"probe/{mark}", mark.encode() * 50)
    found = datacenter.host(storage_server).run(f"grep -rlF {mark} /var/lib/seaweedfs/objects")
    assert (found.rc, found.stdout) == (1, "")


def test_s3_speaks_tls_only(datacenter: Any, storage_server: str) -> None:
    command = "curl -s -o /dev/null -w '%{http_code}' http://"
    assert datacenter.run(storage_server, f"{command}{datacenter.address(storage_server)}:8333/") == "400"


def test_request_without_keys_is_refused(bucket: Bucket, written: dict[str, str], storage_server: str) -> None:
    url = f"{bucket.endpoint(storage_server)}/{bucket.name}/{next(iter(written))}"
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(url, timeout=10, context=bucket.context)
    assert refused.value.code == 403


def test_wrong_secret_key_is_refused(bucket: Bucket, written: dict[str, str]) -> None:
    target = f"{bucket.name}/{next(iter(written))}"
    assert bucket.ask(bucket.names[0], "GET", target, keys=(bucket.keys[0], "wrong"))[0] == 403


def test_api_has_rights_on_its_bucket_only(bucket: Bucket) -> None:
    server = bucket.names[0]
    operator = Bucket(bucket.site, "operator_")
    other = f"other-{uuid.uuid4().hex[:8]}"
    assert operator.ask(server, "PUT", other)[0] == 200
    try:
        assert operator.ask(server, "PUT", f"{other}/key", b"secret")[0] == 200
        assert [bucket.ask(server, method, f"{other}/key", b"")[0] for method in ("GET", "PUT", "DELETE")] == [403] * 3
        assert bucket.ask(server, "PUT", f"more-{other}")[0] == 403
        assert bucket.ask(server, "DELETE", bucket.name)[0] == 403
    finally:
        operator.ask(server, "DELETE", f"{other}/key")
        operator.ask(server, "DELETE", other)


@pytest.mark.parametrize("part", INNER)
def test_inner_part_asks_for_a_certificate(datacenter: Any, storage_server: str, part: str) -> None:
    url = f"https://{datacenter.address(storage_server)}:{INNER[part]}/"
    host = datacenter.host(storage_server)
    ask = f"curl -s -o /dev/null --max-time 10 --cacert {PKI}/ca.crt"
    assert host.run(f"{ask} {url}").rc != 0
    assert host.run(f"{ask} --cert {PKI}/host.crt --key {PKI}/host.key {url}").rc == 0


@pytest.mark.parametrize("part", INNER)
def test_grpc_of_the_part_takes_no_plain_connection(datacenter: Any, storage_server: str, part: str) -> None:
    address = f"{datacenter.address(storage_server)}:{INNER[part] + 10000}"
    done = datacenter.host(storage_server).run(f"curl -sS --http2-prior-knowledge --max-time 5 http://{address}/")
    assert done.rc != 0


def test_grpc_takes_no_certificate_of_a_server_without_storage(datacenter: Any, bucket: Bucket) -> None:
    outsider = datacenter.leader()
    assert outsider not in datacenter.groups["storage_servers"]
    address = f"{datacenter.address(bucket.names[0])}:19333"
    command = f"curl -sS --http2 --max-time 5 --cacert {PKI}/ca.crt --cert {PKI}/host.crt --key {PKI}/host.key"
    assert datacenter.host(outsider).run(f"{command} https://{address}/").rc != 0
    assert datacenter.host(bucket.names[1]).run(f"{command} https://{address}/").rc == 0


def test_files_with_secrets_are_for_the_service_only(datacenter: Any, storage_server: str) -> None:
    listed = datacenter.run(storage_server, "stat -c '%U:%G %a %n' /etc/seaweedfs/*")
    assert {line for line in listed.splitlines() if not line.endswith(("cluster.json", "master.toml"))} == {
        f"root:seaweedfs 640 /etc/seaweedfs/{name}" for name in ("security.toml", "filer.toml", "identities.json")
    }


def test_no_secret_is_in_arguments_environment_or_log(datacenter: Any, storage_server: str) -> None:
    shown = datacenter.run(
        storage_server,
        "sh -c 'cat /proc/$(systemctl show -p MainPID --value seaweedfs)/cmdline "
        '/proc/$(systemctl show -p MainPID --value seaweedfs)/environ | tr "\\0" "\\n"; '
        "journalctl -q --no-pager -u seaweedfs'",
    )
    assert "server" in shown
    assert datacenter.secrets_in(shown) == []


def test_photo_uploaded_at_one_backend_is_served_by_every_other(datacenter: Any, bucket: Bucket) -> None:
    photo = work(datacenter).photo
    for server in datacenter.groups["backend_servers"]:
        url = f"http://{datacenter.address(server)}:3001{photo}"
        command = "curl -sS -o /dev/null -w '%{http_code} %{content_type}'"
        assert datacenter.run(server, f"{command} '{url}'") == "200 image/jpeg"
