"""The two images of the lab: the base of every image of the project, and the blank server."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from enlevohub_lab.apt_sources import DebianMirror, find_debian_mirror, read_sources
from enlevohub_lab.console import Console
from enlevohub_lab.process import docker, run
from enlevohub_lab.rootfs import RECIPE, ROOTFS_IMAGE, make_rootfs, pull_rootfs

BASE_IMAGE = "enlevohub/base:trixie"
HOST_IMAGE = "enlevohub/lab-host:trixie"
INPUTS_LABEL = "enlevohub.inputs"
MACHINE_CERTIFICATES = Path("/usr/local/share/ca-certificates")


def content_hash(parts: Mapping[str, bytes]) -> str:
    """One digest over named pieces of content, the same whatever their order."""
    digest = hashlib.sha256()
    for name in sorted(parts):
        digest.update(f"{name}\0{len(parts[name])}\0".encode() + parts[name])
    return digest.hexdigest()


def directory_content(directory: Path) -> dict[str, bytes]:
    """Every file below a directory: relative name and content."""
    return {
        str(path.relative_to(directory)): path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file()
    }


def built_inputs(image: str) -> str:
    """The inputs digest an image was built from, empty when the image does not exist."""
    return docker("image", "inspect", "-f", f'{{{{index .Config.Labels "{INPUTS_LABEL}"}}}}', image, check=False)


def machine_apt_options(dump: str) -> str:
    """The lines of `apt-config dump` that fetching from this machine's mirror needs inside an image as well.

    A proxy on the loopback address is left out: it does not exist inside a container.
    """
    kept = []
    for line in dump.splitlines():
        name = line.split(" ", 1)[0].lower()
        is_check = name in ("acquire::check-valid-until", "acquire::check-date")
        is_proxy = name in ("acquire::http::proxy", "acquire::https::proxy")
        if is_check or (is_proxy and not any(local in line for local in ("localhost", "127.0.0.1", "[::1]"))):
            kept.append(line)
    return "".join(f"{line}\n" for line in kept)


def base_context(project: Path, mirror: DebianMirror | None, apt_options: str) -> dict[str, bytes]:
    """The files of the base image's build context."""
    context = {"Dockerfile": (project / "files/base/Dockerfile").read_bytes()}
    if mirror:
        context["apt/sources.list.d/debian.sources"] = mirror.sources("trixie").encode()
    if apt_options:
        context["apt/apt.conf.d/90enlevohub-machine"] = apt_options.encode()
    for certificate in sorted(MACHINE_CERTIFICATES.rglob("*.crt")):
        context[f"certificates/{certificate.name}"] = certificate.read_bytes()
    return context


@contextmanager
def written(context: Mapping[str, bytes]) -> Iterator[Path]:
    """A temporary directory with the files of a build context, world-readable as in an image."""
    with tempfile.TemporaryDirectory(prefix="enlevohub-image-") as name:
        root = Path(name)
        for directory in ("apt", "certificates"):
            (root / directory).mkdir(mode=0o755)
        for relative, content in context.items():
            path = root / relative
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            path.chmod(0o644)
        yield root


def ensure_base(project: Path, console: Console, *, refresh: bool = False) -> str:
    """Build `enlevohub/base:trixie` unless it is there with the same inputs.

    Args:
        project: the repository.
        console: where progress is shown.
        refresh: build again although the inputs are the same (newer Debian packages).

    Returns:
        The inputs digest.

    Raises:
        LabError: neither a registry nor a Debian mirror can be used, or the build fails.
    """
    mirror = find_debian_mirror(read_sources(), os.environ)
    dump = run(["apt-config", "dump"], timeout=20).stdout if shutil.which("apt-config") else ""
    options = machine_apt_options(dump)
    context = base_context(project, mirror, options)
    digest = content_hash({**context, "recipe": repr(RECIPE).encode()})
    if not refresh and built_inputs(BASE_IMAGE) == digest:
        console.line(f"Image {BASE_IMAGE}: up to date")
        return digest
    rootfs = pull_rootfs(console, refresh=refresh)
    if not rootfs:
        make_rootfs(mirror, options, console)
        rootfs = ROOTFS_IMAGE
    with console.step(f"Build {BASE_IMAGE}"), written(context) as directory:
        build(directory, BASE_IMAGE, digest, f"ROOTFS_IMAGE={rootfs}")
    return digest


def ensure_host(project: Path, base_digest: str, console: Console) -> None:
    """Build `enlevohub/lab-host:trixie` unless it is there with the same inputs."""
    source = project / "files/lab_host"
    base_id = docker("image", "inspect", "-f", "{{.Id}}", BASE_IMAGE)
    digest = content_hash({**directory_content(source), "base": f"{base_digest} {base_id}".encode()})
    if built_inputs(HOST_IMAGE) == digest:
        console.line(f"Image {HOST_IMAGE}: up to date")
        return
    with console.step(f"Build {HOST_IMAGE}"):
        build(source, HOST_IMAGE, digest, f"BASE_IMAGE={BASE_IMAGE}")


def build(directory: Path, image: str, digest: str, argument: str) -> None:
    """`docker build` a directory within 10 minutes; never from the cache, which would bring yesterday's packages."""
    docker(
        *("build", "--quiet", "--no-cache", "--build-arg", argument, "--label", f"{INPUTS_LABEL}={digest}"),
        *("--tag", image, str(directory)),
        timeout=600,
    )
