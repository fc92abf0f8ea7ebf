"""The images of a lab and the root file system below them."""

import io
from pathlib import Path

import pytest

from enlevohub_lab import images, rootfs
from enlevohub_lab.apt_sources import DebianMirror
from enlevohub_lab.console import Console
from enlevohub_lab.errors import LabError
from tests.lab.conftest import Program

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def console() -> Console:
    return Console(io.StringIO())


def test_digest_does_not_depend_on_order() -> None:
    assert images.content_hash({"a": b"1", "b": b"2"}) == images.content_hash({"b": b"2", "a": b"1"})


def test_digest_changes_with_content() -> None:
    assert images.content_hash({"a": b"1"}) != images.content_hash({"a": b"2"})


def test_digest_changes_when_content_moves_between_names() -> None:
    assert images.content_hash({"a": b"12", "b": b""}) != images.content_hash({"a": b"1", "b": b"2"})


def test_apt_options_keep_what_the_mirror_needs() -> None:
    dump = 'APT "";\nAcquire::Check-Valid-Until "false";\nAcquire::http::Proxy "http://proxy.example:3128";\n'
    assert images.machine_apt_options(dump) == (
        'Acquire::Check-Valid-Until "false";\nAcquire::http::Proxy "http://proxy.example:3128";\n'
    )


def test_apt_options_leave_out_a_proxy_on_the_loopback_address() -> None:
    assert images.machine_apt_options('Acquire::http::Proxy "http://127.0.0.1:3128";\n') == ""


def test_base_context_holds_the_certificates_of_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "company.crt").write_text("PEM")
    monkeypatch.setattr(images, "MACHINE_CERTIFICATES", tmp_path)
    assert images.base_context(PROJECT, None, "")["certificates/company.crt"] == b"PEM"


def test_base_context_without_extras_still_has_its_directories(tmp_path: Path) -> None:
    with images.written({"Dockerfile": b"FROM scratch\n"}) as directory:
        assert sorted(path.name for path in directory.iterdir()) == ["Dockerfile", "apt", "certificates"]


def test_lab_host_is_kept_while_its_inputs_are_the_same(program: Program, console: Console) -> None:
    source = images.directory_content(PROJECT / "files/lab_host")
    digest = images.content_hash({**source, "base": b"base-digest sha256:1"})
    calls = program("docker", f"case $4 in *Id*) echo sha256:1;; *) echo {digest};; esac")
    images.ensure_host(PROJECT, "base-digest", console)
    assert "build" not in calls.read_text()


def test_lab_host_is_built_when_the_base_is_another(program: Program, console: Console) -> None:
    calls = program("docker", "case $4 in *Id*) echo sha256:2;; *) echo old;; esac")
    images.ensure_host(PROJECT, "base-digest", console)
    assert "--tag enlevohub/lab-host:trixie" in calls.read_text()


def test_registry_that_says_no_is_asked_once(program: Program, console: Console) -> None:
    calls = program("docker", "case $1 in pull) exit 1;; esac")
    assert rootfs.pull_rootfs(console) == ""
    assert calls.read_text().count("pull") == 1


def test_registry_that_says_nothing_is_given_up(
    program: Program, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rootfs, "REGISTRY_ANSWERS_WITHIN", 0.3)
    program("docker", "case $1 in pull) exec sleep 30;; esac")
    assert rootfs.pull_rootfs(console) == ""


def test_registry_that_answers_gives_the_image(program: Program, console: Console) -> None:
    program("docker", "case $1 in pull) echo Pulling;; esac")
    assert rootfs.pull_rootfs(console) == "debian:trixie-slim"


def test_machine_without_mirror_is_told_the_setting(console: Console) -> None:
    with pytest.raises(LabError, match="Set ENLEVOHUB_DEBIAN_MIRROR"):
        rootfs.make_rootfs(None, "", console)


def test_key_file_without_the_keys_of_trixie_is_named(program: Program, console: Console, tmp_path: Path) -> None:
    keyring = tmp_path / "old.gpg"
    keyring.touch()
    program("mmdebstrap", "echo 'W: GPG error: NO_PUBKEY 6ED0E7B82643E131' >&2; exit 25")
    program("sudo", 'exec "$@"')
    with pytest.raises(LabError, match=r"old.gpg does not hold the keys of trixie"):
        rootfs.make_rootfs(DebianMirror("http://m.example/debian", "", keyring), "", console)
