"""Where uploaded files live: a directory, or a bucket of any S3 service.

An object is written whole or not at all, is never changed, and is on stable storage when `put` returns.
Every call is bounded: a store that does not answer is `StorageUnavailable`, which clients see as 503.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import re
import secrets
import shutil
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from obstore.exceptions import BaseError
from obstore.store import S3Store

from enlevohub_api.settings import Settings

if TYPE_CHECKING:
    from obstore import GetOptions
    from obstore.store import ClientConfig, S3Config

T = TypeVar("T")

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT = timedelta(seconds=2)
REQUEST_TIMEOUT = timedelta(seconds=6)
TOTAL_TIMEOUT = 12.0
"""Seconds for one call over all endpoints."""
CHUNK = 256 * 1024

_KEY = re.compile(r"[A-Za-z0-9_\-][A-Za-z0-9._\-]*(/[A-Za-z0-9_\-][A-Za-z0-9._\-]*)*", re.ASCII)


class StorageUnavailable(Exception):
    """The store did not do what was asked; nothing is half-written."""


class StorageFull(StorageUnavailable):
    """The directory's volume has no space left."""


class ObjectNotFound(Exception):
    """There is no object with this key."""


@dataclass(frozen=True)
class StoredObject:
    """An object that is being read: its whole size, and the bytes that were asked for."""

    size: int
    body: AsyncIterator[bytes]


class Storage(ABC):
    """A flat store of immutable objects; keys are relative paths."""

    uri: str
    """What people see: the path or ``s3://bucket/prefix``."""

    @abstractmethod
    async def put(self, key: str, data: bytes) -> None:
        """Store an object. Raises StorageUnavailable."""

    @abstractmethod
    async def size(self, key: str) -> int:
        """Give the size of an object. Raises ObjectNotFound, StorageUnavailable."""

    @abstractmethod
    async def read(self, key: str, start: int = 0, end: int | None = None) -> StoredObject:
        """Open the bytes from ``start`` up to, not with, ``end``. Raises ObjectNotFound, StorageUnavailable."""

    @abstractmethod
    async def delete(self, key: str) -> None:
        """Remove an object; one that is not there is no error. Raises StorageUnavailable."""

    def free_bytes(self) -> int | None:
        """Give the free space where the store knows it."""
        return None

    async def probe(self) -> None:
        """Write, read and delete a small object. Raises StorageUnavailable."""
        key, data = f"probe/{secrets.token_hex(16)}", secrets.token_bytes(32)
        await self.put(key, data)
        try:
            found = b"".join([chunk async for chunk in (await self.read(key)).body])
        except ObjectNotFound:
            found = b""
        finally:
            await self.delete(key)
        if found != data:
            raise StorageUnavailable("the store does not give back what was written")


def open_storage(settings: Settings) -> Storage:
    """Make the store that the settings name; nothing is asked of it yet."""
    if settings.storage_path.startswith("s3://"):
        return S3Storage(settings)
    return FilesystemStorage(Path(settings.storage_path))


def _checked(key: str) -> str:
    if _KEY.fullmatch(key) is None:
        raise ValueError("not a key")
    return key


class FilesystemStorage(Storage):
    """A directory. A file is written beside its place, synced and renamed into it."""

    def __init__(self, root: Path) -> None:
        """Use ``root``; it is made with the first write."""
        self._root = root
        self.uri = str(root)

    async def put(self, key: str, data: bytes) -> None:
        """Write the file and its directory entry to disk."""
        path = self._root / _checked(key)
        try:
            await self._run(lambda: _write(path, data))
        except ObjectNotFound:
            raise StorageUnavailable("the directory went away") from None

    async def size(self, key: str) -> int:
        """Ask the file system."""
        path = self._root / _checked(key)
        return await self._run(lambda: path.stat().st_size)

    async def read(self, key: str, start: int = 0, end: int | None = None) -> StoredObject:
        """Find the file; it is opened with the first chunk."""
        path = self._root / _checked(key)
        size = await self.size(key)
        return StoredObject(size, _chunks(path, start, size if end is None else min(end, size)))

    async def delete(self, key: str) -> None:
        """Remove the file."""
        path = self._root / _checked(key)
        await self._run(lambda: path.unlink(missing_ok=True))

    def free_bytes(self) -> int | None:
        """Ask the volume; None before the first write."""
        try:
            return shutil.disk_usage(self._root).free
        except OSError:
            return None

    async def _run(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.to_thread(work)
        except FileNotFoundError as error:
            raise ObjectNotFound from error
        except OSError as error:
            logger.error("storage failed", extra={"reason": error.strerror or str(error)})
            kind = StorageFull if error.errno in (errno.ENOSPC, errno.EDQUOT) else StorageUnavailable
            raise kind(error.strerror or str(error)) from error


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with beside.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.rename(path)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


async def _chunks(path: Path, start: int, end: int) -> AsyncIterator[bytes]:
    descriptor = await asyncio.to_thread(os.open, path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        while start < end:
            chunk = await asyncio.to_thread(os.pread, descriptor, min(CHUNK, end - start), start)
            if not chunk:
                return
            start += len(chunk)
            yield chunk
    finally:
        os.close(descriptor)


class S3Storage(Storage):
    """A bucket. With several endpoints the one that answered last is asked first."""

    def __init__(self, settings: Settings) -> None:
        """Prepare one client per endpoint; no connection is made yet."""
        bucket, _, prefix = settings.storage_path.removeprefix("s3://").partition("/")
        self.uri = settings.storage_path
        certificate = Path(settings.s3_ca_file).read_text(encoding="ascii") if settings.s3_ca_file else None
        self._stores = [
            _store(settings, bucket, prefix.strip("/"), endpoint, certificate)
            for endpoint in settings.s3_endpoint or (None,)
        ]

    async def put(self, key: str, data: bytes) -> None:
        """Store with one request, which S3 makes atomic: there is no multipart upload to leave behind."""
        _checked(key)
        try:
            await self._ask(lambda store: store.put_async(key, data, use_multipart=False))
        except ObjectNotFound:
            logger.error("storage failed", extra={"reason": "the bucket does not exist"})
            raise StorageUnavailable("the bucket does not exist") from None

    async def size(self, key: str) -> int:
        """Ask for the object's head."""
        _checked(key)
        return (await self._ask(lambda store: store.head_async(key)))["size"]

    async def read(self, key: str, start: int = 0, end: int | None = None) -> StoredObject:
        """Ask for the object, or for a part of it; S3 knows no part of an empty object, so the whole needs no range."""
        _checked(key)
        options: GetOptions = {}
        if end is not None:
            options["range"] = (start, end)
        elif start:
            options["range"] = {"offset": start}
        found = await self._ask(lambda store: store.get_async(key, options=options))
        return StoredObject(found.meta["size"], _parts(found.stream(CHUNK)))

    async def delete(self, key: str) -> None:
        """Delete the object; S3 does not say whether it was there."""
        _checked(key)
        with contextlib.suppress(ObjectNotFound):
            await self._ask(lambda store: store.delete_async(key))

    async def _ask(self, work: Callable[[S3Store], Awaitable[T]]) -> T:
        reasons: list[str] = []
        try:
            async with asyncio.timeout(TOTAL_TIMEOUT):
                for store in tuple(self._stores):
                    try:
                        result = await work(store)
                    except FileNotFoundError as error:
                        raise ObjectNotFound from error
                    except (BaseError, OSError) as error:
                        reasons.append(f"{store.config.get('endpoint', 'AWS')}: {_reason(error)}")
                    else:
                        if store is not self._stores[0]:
                            self._stores.sort(key=lambda other: other is not store)
                        return result
        except TimeoutError:
            reasons.append(f"no answer in {TOTAL_TIMEOUT:g} s")
        logger.error("storage failed", extra={"reason": "; ".join(reasons)})
        raise StorageUnavailable("; ".join(reasons))


def _store(settings: Settings, bucket: str, prefix: str, endpoint: str | None, certificate: str | None) -> S3Store:
    client: ClientConfig = {
        "connect_timeout": CONNECT_TIMEOUT,
        "timeout": REQUEST_TIMEOUT,
        "allow_http": True,
    }
    if certificate is not None:
        client["root_certificate"] = certificate
    config: S3Config = {
        "region": settings.s3_region,
        "access_key_id": settings.s3_access_key_id,
        "secret_access_key": settings.s3_secret_access_key,
    }
    if endpoint is not None:
        config["endpoint"] = endpoint
    return S3Store(
        bucket,
        prefix=prefix or None,
        config=config,
        client_options=client,
        retry_config={"max_retries": 0, "retry_timeout": REQUEST_TIMEOUT},
    )


def _reason(error: Exception) -> str:
    """Give what the service said (``403 Forbidden SignatureDoesNotMatch``), else the first line; never the keys."""
    status = re.search(r"status code: (\d{3} [A-Za-z ]+)", str(error))
    code = re.search(r"<Code>([A-Za-z0-9.]{1,60})</Code>", str(error))
    if status is not None and code is not None:
        return f"{status[1].strip()} {code[1]}"
    return str(error).strip().partition("\n")[0][:300] or type(error).__name__


async def _parts(stream: AsyncIterator[object]) -> AsyncIterator[bytes]:
    try:
        async for part in stream:
            yield bytes(part)  # type: ignore[call-overload]
    except (BaseError, OSError) as error:
        logger.error("storage failed", extra={"reason": _reason(error)})
        raise StorageUnavailable(_reason(error)) from error
