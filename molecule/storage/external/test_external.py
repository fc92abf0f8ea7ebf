"""Services of somebody else: a server moves its files into a bucket that no role installed, and takes a Redis too.

The tests run in this order. Figures are printed.
"""

from __future__ import annotations

import hashlib
import secrets
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from enlevohub_bench_api.servers import Redis
from enlevohub_drill.foreign import ForeignBucket, address_for
from enlevohub_drill.photos import Work, upload, work
from enlevohub_drill.site import ROOT, Datacenter, extra_vars

NAME = "server1"
DIRECTORY = "/var/lib/enlevohub/storage"
BUCKET = "obras"


@pytest.fixture(scope="module")
def address(datacenter: Datacenter) -> str:
    """The address by which the servers of the lab reach this machine."""
    return address_for(datacenter)


@pytest.fixture(scope="module")
def bucket(address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForeignBucket]:
    """A bucket of somebody else."""
    with ForeignBucket(address, tmp_path_factory.mktemp("s3"), BUCKET) as found:
        yield found


@pytest.fixture(scope="module")
def external(
    bucket: ForeignBucket, arguments: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, ...]:
    """What an operator writes into the inventory so that uploads go into the bucket."""
    path = tmp_path_factory.mktemp("values") / "storage.yml"
    return arguments + extra_vars(
        path,
        enlevohub_storage="external",
        storage_external_endpoints=[bucket.endpoint],
        storage_external_bucket=BUCKET,
        vault_storage_access_key=bucket.keys[0],
        vault_storage_secret_key=bucket.keys[1],
    )


def files(server: Datacenter) -> dict[str, str]:
    """Return the checksums of the files in the directory, by their path below it."""
    lines = server.run(NAME, f"cd {DIRECTORY} && find . -type f -exec sha256sum {{}} +").splitlines()
    return {path.removeprefix("./"): digest for digest, path in (line.split(maxsplit=1) for line in lines)}


@pytest.fixture(scope="module")
def company(server: Datacenter) -> Work:
    """A company with a project and a photo in it, uploaded while the directory was in use."""
    return work(server)


def test_wrong_key_of_the_bucket_is_told_before_anything_changes(
    server: Datacenter, company: Work, external: tuple[str, ...], tmp_path: Path
) -> None:
    wrong = extra_vars(tmp_path / "wrong.yml", vault_storage_secret_key=secrets.token_hex(20))
    run = server.playbook(*external, *wrong, playbook="playbooks/switch-storage.yml", code=None)
    assert run.code != 0
    assert "SignatureDoesNotMatch" in run.output
    assert "vault_storage_secret_key" in run.output
    assert set(run.changed.values()) == {0}
    assert server.get(company.photo).status == 200


def test_files_move_into_the_bucket_while_users_upload(
    server: Datacenter, company: Work, bucket: ForeignBucket, external: tuple[str, ...]
) -> None:
    photos, done = [company.photo], threading.Event()
    problems: list[str] = []

    def users() -> None:
        while not done.wait(1):
            try:
                photos.append(upload(server, company.token, company.project))
            except (AssertionError, OSError) as error:
                problems.append(str(error))

    thread = threading.Thread(target=users, name="users")
    begin = time.monotonic()
    thread.start()
    try:
        server.playbook(*external, playbook="playbooks/switch-storage.yml")
    finally:
        done.set()
        thread.join()
    old = files(server)
    print(
        f"\nswitch-storage: {time.monotonic() - begin:.0f} s, {len(photos)} photos, {len(old)} of them by the directory"
    )
    assert problems == []
    assert 1 < len(old) < len(photos)
    assert {url: server.get(url).status for url in photos} == dict.fromkeys(photos, 200)
    found = {key: bucket.ask("GET", key) for key in old}
    assert {key: (status, hashlib.sha256(body).hexdigest()) for key, (status, body) in found.items()} == {
        key: (200, digest) for key, digest in old.items()
    }


def test_upload_goes_into_the_bucket_and_not_into_the_directory(
    server: Datacenter, company: Work, external: tuple[str, ...]
) -> None:
    before = files(server)
    assert before, "the directory must stay"
    url = upload(server, company.token, company.project)
    assert {server.get(url).status for _ in range(8)} == {200}
    assert files(server) == before


def test_second_run_with_the_bucket_changes_nothing(server: Datacenter, external: tuple[str, ...]) -> None:
    assert server.playbook(*external).changed == {NAME: 0}


@pytest.fixture(scope="module")
def redis(address: str) -> Iterator[tuple[str, str]]:
    """URL and password of a Redis of somebody else, a process of this machine."""
    subprocess.run([str(ROOT / "requirements" / "packages.sh"), "redis-server"], check=True, timeout=600)
    password = secrets.token_hex(20)
    server = Redis(address, password)
    try:
        yield server.url, password
    finally:
        server.stop()


def test_api_takes_the_redis_of_somebody_else(
    server: Datacenter, company: Work, external: tuple[str, ...], redis: tuple[str, str], tmp_path: Path
) -> None:
    url, password = redis
    values = {"redis_driver": "external", "redis_external_url": url}
    wrong = extra_vars(tmp_path / "wrong.yml", **values, vault_redis_application_password="not-this-one-0000")
    refused = server.playbook(*external, *wrong, code=None)
    assert refused.code != 0
    assert "vault_redis_application_password" in refused.output
    assert set(refused.changed.values()) == {0}
    right = extra_vars(tmp_path / "right.yml", **values, vault_redis_application_password=password)
    server.playbook(*external, *right)
    assert server.create_project(company.token).status == 201
    assert "enlevohub:lists:" in keys(url, password)


def keys(url: str, password: str) -> str:
    """Return what the Redis holds, as its answer to KEYS."""
    host, _, port = url.removeprefix("redis://").partition("/")[0].partition(":")
    with socket.create_connection((host, int(port)), 10) as link:
        link.sendall(f"AUTH {password}\r\nKEYS *\r\nQUIT\r\n".encode())
        link.settimeout(10)
        return b"".join(iter(lambda: link.recv(4096), b"")).decode()
