"""Archives of images with only those layers that a host does not have."""

from __future__ import annotations

import fcntl
import json
import os
import tarfile
from collections.abc import Iterable
from typing import IO


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


def image_layers(archive: str) -> list[str]:
    """Return the digests of the layers of the image in an archive of ``docker save``, lowest first."""
    return _describe(archive)[1]


def _describe(archive: str) -> tuple[list[str], list[str]]:
    """Return the names in the archive, and the digests, of the layers.

    They stand at the end of the archive, and all of it is unpacked to read them: the answer is kept beside it.
    """
    kept = f"{archive}.layers"
    if os.path.exists(kept) and os.stat(kept).st_mtime_ns >= os.stat(archive).st_mtime_ns:
        with open(kept, encoding="utf-8") as handle:
            names, digests = json.load(handle)
        return names, digests
    with tarfile.open(archive) as source:
        manifest = json.load(_read(source, "manifest.json"))[0]
        config = json.load(_read(source, manifest["Config"]))
    names, digests = list(manifest["Layers"]), list(config["rootfs"]["diff_ids"])
    with open(f"{kept}.partial", "w", encoding="utf-8") as handle:
        json.dump([names, digests], handle)
    os.replace(f"{kept}.partial", kept)
    return names, digests


def _read(source: tarfile.TarFile, name: str) -> IO[bytes]:
    handle = source.extractfile(name)
    if handle is None:
        raise ValueError(f"{name} in the archive of an image is not a file")
    return handle


def delta(archive: str, existing: list[list[str]]) -> str:
    """Return the path of an archive without the layers that a host has; made once for all hosts that have the same.

    Args:
        archive: what ``docker save`` wrote, compressed with gzip.
        existing: digests of the layers of each image on the host, lowest first.

    Source: the engine reads the file of a layer only when it does not have the layer with all those below it.
    """
    with open(f"{archive}.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        names, digests = _describe(archive)
        count = layers_present(digests, existing)
        # The last layer travels in any case: an archive without any would be loaded only by a later engine.
        skipped = set(names[: min(count, len(names) - 1)]) - set(names[min(count, len(names) - 1) :])
        if not skipped:
            return archive
        path = archive.replace(".tar.gz", f"-without-{len(skipped)}.tar.gz")
        if os.path.exists(path):
            return path
        partial = f"{path}.partial"
        with tarfile.open(archive) as source, tarfile.open(partial, "w:gz", compresslevel=6) as target:
            for member in source:
                if member.name not in skipped:
                    target.addfile(member, source.extractfile(member) if member.isfile() else None)
        os.replace(partial, path)
        return path
