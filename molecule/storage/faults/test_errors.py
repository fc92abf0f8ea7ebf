"""Wrong keys, a full disk, an ended certificate: a clear error for people, 503 for users, and site.yml heals it."""

from __future__ import annotations

import datetime
import time
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from enlevohub_drill.photos import picture, send, work
from enlevohub_drill.storage import Bucket, RefusedError

PKI = "/etc/enlevohub/pki"
STORAGE = "playbooks/storage.yml"


def expired(datacenter: Any, certificate: str) -> str:
    """Return the certificate of a host as it is after its end: same names and key, signed by the same authority."""
    old = x509.load_pem_x509_certificate(certificate.encode())
    authority = x509.load_pem_x509_certificate(datacenter.secrets["vault_pki_ca_certificate"].encode())
    key = serialization.load_pem_private_key(datacenter.secrets["vault_pki_ca_key"].encode(), None)
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = x509.CertificateBuilder(
        issuer_name=authority.subject,
        subject_name=old.subject,
        public_key=old.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=now - datetime.timedelta(days=2),
        not_valid_after=now - datetime.timedelta(days=1),
        extensions=list(old.extensions),
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()  # type: ignore[arg-type]


def log_of_the_backends(datacenter: Any) -> str:
    """Return the last lines of the log of every backend."""
    return "\n".join(
        datacenter.run(server, "docker logs --since 60s backend-api-1 2>&1 | tail -200")
        for server in datacenter.groups["backend_servers"]
    )


def test_wrong_keys_are_told_and_site_brings_the_right_ones(datacenter: Any, bucket: Bucket) -> None:
    """The key of the API is another one on all storage servers, as after a mistake in one vault."""
    done = work(datacenter)
    path = "/etc/seaweedfs/identities.json"
    secret = bucket.keys[1]
    for server in datacenter.groups["storage_servers"]:
        datacenter.run(server, f"sed -i s/{secret}/{secret[::-1]}/ {path} && systemctl restart seaweedfs")
    bucket.wait_until_whole()
    answer = send(datacenter, done.token, done.project, picture(205))
    said = log_of_the_backends(datacenter)
    print(f"\nwrong keys: an upload answers {answer.status}")
    run = datacenter.playbook(playbook=STORAGE)
    assert ("object_storage : Provide the configuration of SeaweedFS", bucket.names[0]) in run.changed_tasks
    bucket.wait_until_whole()
    datacenter.wait("an upload", lambda: send(datacenter, done.token, done.project, picture(206)).status == 200, 60)
    assert answer.status == 503
    assert datacenter.secrets_in(said) == []
    assert "SignatureDoesNotMatch" in said


def test_full_disk_is_told_and_nothing_is_lost(datacenter: Any, bucket: Bucket) -> None:
    """The guard wants more free space than any disk here has: what every server would find on a full disk."""
    done = work(datacenter)
    written = bucket.fill(f"probe/full-{time.time_ns()}", 20)
    datacenter.playbook("-e", "object_storage_min_free_space=99", playbook=STORAGE)

    def is_full() -> bool:
        problems = bucket.state()["problems"]
        assert any("read-only" in problem for problem in problems), problems
        return True

    datacenter.wait("the storage says that it is full", is_full, 180)
    answer = send(datacenter, done.token, done.project, picture(207))
    unreadable = bucket.wrong(written)
    refused = ""
    try:
        bucket.put("probe/full", b"1")
    except RefusedError as error:
        refused = str(error)
    print(
        f"\nfull: an upload answers {answer.status}; S3 says {refused[:200]}; storage says {bucket.state()['problems']}"
    )
    assert (answer.status, unreadable) == (503, [])
    assert refused
    datacenter.playbook(playbook=STORAGE)
    bucket.wait_until_whole()
    datacenter.wait("an upload", lambda: send(datacenter, done.token, done.project, picture(208)).status == 200, 120)
    assert bucket.wrong(written) == []


def test_expired_certificate_is_told_and_site_makes_a_new_one(datacenter: Any, bucket: Bucket) -> None:
    """The server whose certificate ended is left out, the others serve, and the next run heals it."""
    done = work(datacenter)
    written = bucket.fill(f"probe/expired-{time.time_ns()}", 20)
    victim = datacenter.groups["storage_servers"][1]
    old = datacenter.run(victim, f"cat {PKI}/host.crt")
    text = expired(datacenter, old)
    datacenter.run(victim, f"cp {PKI}/host.crt {PKI}/host.crt.good")
    datacenter.run(victim, f"tee {PKI}/host.crt <<'END' > /dev/null\n{text}END\n")
    datacenter.run(victim, "systemctl restart --no-block seaweedfs")

    def is_told() -> bool:
        problems = bucket.state()["problems"]
        assert any(problem.startswith(victim) for problem in problems), problems
        return True

    datacenter.wait("the storage tells of the certificate", is_told, 120)
    problems = bucket.state()["problems"]
    datacenter.wait("an upload", lambda: send(datacenter, done.token, done.project, picture(209)).status == 200, 120)
    unreadable = bucket.wrong(written)
    run = datacenter.playbook()
    bucket.wait_until_whole()
    print(f"\nexpired certificate of {victim}: {problems}")
    assert unreadable == []
    assert any(host == victim and "certificate" in task for task, host in run.changed_tasks)
    assert bucket.wrong(written) == []
