"""Copy the files of a directory, as one machine has kept them, into the store of the settings.

Nothing is deleted or overwritten. Every file is read back and compared by SHA-256, also one that was there before, so
the copy may be cut off and begun again at any time; a run that says ``"failed": 0`` has seen every file in the store.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from enlevohub_api.storage import ObjectNotFound, Storage, StorageUnavailable

AT_ONCE = 4
SHOWN = 20
"""Reasons that the summary holds at most."""


@dataclass
class Summary:
    """What became of the files of the directory.

    Attributes:
        files: how many there are.
        copied: how many were written now.
        present: how many were there already, with the same content.
        failed: how many are not in the store, or with other content.
        bytes: size of the copied ones.
        reasons: why, for the first that failed.
    """

    files: int = 0
    copied: int = 0
    present: int = 0
    failed: int = 0
    bytes: int = 0
    reasons: list[str] = field(default_factory=list)

    def text(self) -> str:
        """Return the summary as one line of JSON."""
        return json.dumps(asdict(self), ensure_ascii=False)

    def fail(self, key: str, reason: str) -> None:
        """Count a file that failed."""
        self.failed += 1
        if len(self.reasons) < SHOWN:
            self.reasons.append(f"{key}: {reason}")


def keys(root: Path) -> Iterator[str]:
    """Yield the key of each file below a directory, in order; half-written ones (``.name.hex``) and links are none."""
    for directory, inner, names in os.walk(root):
        inner.sort()
        for name in sorted(names):
            path = Path(directory) / name
            if not name.startswith(".") and path.is_file() and not path.is_symlink():
                yield str(path.relative_to(root))


async def copy_storage(root: Path, target: Storage) -> Summary:
    """Copy every file below ``root`` that the store does not have.

    Raises:
        NotADirectoryError: there is no such directory.
    """
    if not await asyncio.to_thread(root.is_dir):
        raise NotADirectoryError(f"{root} is no directory that this user can read")
    summary = Summary()
    waiting = keys(root)

    async def worker() -> None:
        for key in waiting:
            summary.files += 1
            await _copy(root / key, key, target, summary)

    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
    return summary


async def _copy(path: Path, key: str, target: Storage, summary: Summary) -> None:
    try:
        content = await asyncio.to_thread(path.read_bytes)
        try:
            written = await _digest(target, key)
            is_new = False
        except ObjectNotFound:
            await target.put(key, content)
            written = await _digest(target, key)
            is_new = True
    except ObjectNotFound:
        summary.fail(key, "is not there after it was written")
        return
    except (OSError, StorageUnavailable, ValueError) as error:
        summary.fail(key, str(error))
        return
    if written != hashlib.sha256(content).hexdigest():
        summary.fail(key, "the store has other content under this name; it stays as it is")
    elif is_new:
        summary.copied += 1
        summary.bytes += len(content)
    else:
        summary.present += 1


async def _digest(target: Storage, key: str) -> str:
    digest = hashlib.sha256()
    async for part in (await target.read(key)).body:
        digest.update(part)
    return digest.hexdigest()
