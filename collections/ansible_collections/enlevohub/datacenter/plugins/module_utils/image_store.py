"""Images of releases on the control machine: each layer once, and archives with only those that a host lacks.

A directory holds ``layers/<digest>.gz``, and for each image a description ``<name>-<id>.json`` with its reference, the
text of its configuration and the digests of its layers. Archives for hosts are put together from them without packing
anything again.
"""

from __future__ import annotations

import fcntl
import gzip
import hashlib
import io
import json
import os
import re
import shutil
import tarfile
import tempfile
from collections.abc import Iterable
from typing import IO, Any

ID_LENGTH = 12
KEPT_IMAGES = 5
COMPRESSION = 4
"""Of gzip: a layer is packed once, and each host that lacks it unpacks it."""
PACKED = b"\x1f\x8b"
"""The first bytes of what gzip packed; an engine may save its layers in that form."""
BLOCK = 1 << 20
"""Bytes read at once; what the engine says of an image and of its layers is smaller."""
INCOMING = "incoming-"


class BrokenImageError(Exception):
    """What the engine saved is not an image."""


def description_path(directory: str, reference: str, identifier: str) -> str:
    """Return where the description of an image is kept."""
    return os.path.join(directory, f"{_stem(reference)}-{identifier.removeprefix('sha256:')[:ID_LENGTH]}.json")


def keep(directory: str, reference: str, identifier: str, saved: IO[bytes]) -> str:
    """Take an image over from what ``docker save`` writes; returns the path of its description.

    Two processes must not do that in one directory at a time. What one that was killed left behind is removed.

    Args:
        directory: of the store.
        reference: name and tag of the image.
        identifier: its id.
        saved: the archive, read from its beginning to its end.

    Raises:
        BrokenImageError: the archive does not hold the image.
    """
    os.makedirs(os.path.join(directory, "layers"), exist_ok=True)
    for item in os.scandir(directory):
        if item.name.startswith(INCOMING):
            shutil.rmtree(item.path)
    with tempfile.TemporaryDirectory(dir=directory, prefix=INCOMING) as incoming:
        texts, blobs = _read(saved, directory, incoming)
        try:
            manifest = json.loads(texts["manifest.json"])[0]
            config = texts[manifest["Config"]]
            digests: list[str] = json.loads(config)["rootfs"]["diff_ids"]
        except (KeyError, IndexError, ValueError) as error:
            raise BrokenImageError(f"{reference}: what docker save wrote has no description of an image") from error
        if f"sha256:{hashlib.sha256(config).hexdigest()}" != identifier:
            raise BrokenImageError(f"{reference}: docker save wrote another image than {identifier}")
        for name, digest in zip(manifest["Layers"], digests):
            if name in blobs and not os.path.exists(_layer(directory, digest)):
                os.replace(_packed(blobs[name]), _layer(directory, digest))
    missing = [digest for digest in digests if not os.path.exists(_layer(directory, digest))]
    if missing:
        raise BrokenImageError(f"{reference}: docker save did not write the layers {', '.join(missing)}")
    path = description_path(directory, reference, identifier)
    _write(path, json.dumps({"reference": reference, "config": config.decode(), "layers": digests}).encode())
    _forget_old(directory, reference)
    return path


def _read(saved: IO[bytes], directory: str, incoming: str) -> tuple[dict[str, bytes], dict[str, str]]:
    """Return the small files of an archive, and where all those are now that are not layers of the store."""
    texts: dict[str, bytes] = {}
    blobs: dict[str, str] = {}
    with tarfile.open(fileobj=saved, mode="r|") as source:
        for member in source:
            handle = source.extractfile(member) if member.isfile() else None
            if handle is None:
                continue
            path = os.path.join(incoming, str(len(blobs)))
            digest = hashlib.sha256()
            with open(path, "wb") as target:
                while block := handle.read(BLOCK):
                    digest.update(block)
                    target.write(block)
                    if member.size <= BLOCK:
                        texts[member.name] = block
            if os.path.exists(_layer(directory, digest.hexdigest())):
                os.unlink(path)
            else:
                blobs[member.name] = path
    while saved.read(BLOCK):  # the writer must be able to end
        pass
    return texts, blobs


def _packed(path: str) -> str:
    """Return the path of a file that gzip packed: the file itself when it is one, else a new one."""
    packed = f"{path}.gz"
    with open(path, "rb") as source:
        if source.read(len(PACKED)) == PACKED:
            return path
        source.seek(0)
        with open(packed, "wb") as raw, gzip.GzipFile("", "wb", COMPRESSION, raw, mtime=0) as target:
            shutil.copyfileobj(source, target, BLOCK)
    return packed


def layers_present(wanted: list[str], existing: Iterable[list[str]]) -> int:
    """Return how many of the lowest layers of an image a host has.

    Args:
        wanted: digests of the layers of the image, lowest first.
        existing: the same of each image on the host. A layer counts only with all layers below it.
    """
    best = 0
    for layers in existing:
        same = 0
        for mine, theirs in zip(wanted, layers):
            if mine != theirs:
                break
            same += 1
        best = max(best, same)
    return best


def archive(description: str, existing: list[list[str]]) -> str:
    """Return the path of an archive for ``docker load`` with the layers that a host lacks; made once for such hosts.

    Args:
        description: path of the description of the image.
        existing: digests of the layers of each image on the host, lowest first.

    Source: the engine reads the file of a layer only when it does not have the layer with all those below it, and
    unpacks what gzip packed.
    """
    directory = os.path.dirname(description)
    with open(description, encoding="utf-8") as handle:
        image = json.load(handle)
    digests: list[str] = image["layers"]
    # The last layer travels in any case: an archive without any would be loaded only by a later engine.
    count = min(layers_present(digests, existing), len(digests) - 1)
    path = f"{description.removesuffix('.json')}-from-{count}.tar"
    with open(f"{path}.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(path):
            config = image["config"].encode()
            names = {digest: f"{digest.removeprefix('sha256:')}.tar.gz" for digest in digests}
            described: dict[str, Any] = {
                "Config": f"{hashlib.sha256(config).hexdigest()}.json",
                "RepoTags": [image["reference"]],
                "Layers": [names[digest] for digest in digests],
            }
            partial = f"{path}.partial"
            with tarfile.open(partial, "w") as target:
                _add(target, described["Config"], config)
                _add(target, "manifest.json", json.dumps([described]).encode())
                for digest in sorted(set(digests[count:])):
                    target.add(_layer(directory, digest), names[digest])
            os.replace(partial, path)
    return path


def _forget_old(directory: str, reference: str) -> None:
    """Remove all but the newest images of a name, with their archives, and the layers that no image has any more."""
    whole = re.compile(rf"{re.escape(_stem(reference))}-[0-9a-f]{{{ID_LENGTH}}}\.json")
    same = sorted((item.path for item in os.scandir(directory) if whole.fullmatch(item.name)), key=os.path.getmtime)
    for path in same[:-KEPT_IMAGES]:
        stem = os.path.basename(path).removesuffix(".json")
        for item in os.scandir(directory):
            if item.name.startswith(stem):
                os.unlink(item.path)
    used: set[str] = set()
    for item in os.scandir(directory):
        if item.name.endswith(".json"):
            with open(item.path, encoding="utf-8") as handle:
                used.update(_layer(directory, digest) for digest in json.load(handle)["layers"])
    for item in os.scandir(os.path.join(directory, "layers")):
        if item.path not in used:
            os.unlink(item.path)


def _stem(reference: str) -> str:
    return reference.rpartition(":")[0].replace("/", "_")


def _layer(directory: str, digest: str) -> str:
    return os.path.join(directory, "layers", f"{digest.removeprefix('sha256:')}.gz")


def _write(path: str, content: bytes) -> None:
    partial = f"{path}.partial"
    with open(partial, "wb") as handle:
        handle.write(content)
    os.replace(partial, path)


def _add(target: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    target.addfile(member, io.BytesIO(content))
