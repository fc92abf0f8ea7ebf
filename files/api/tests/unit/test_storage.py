"""The directory as a store: whole files or none, and clear failures."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest

from enlevohub_api.storage import FilesystemStorage, ObjectNotFound, StorageFull, StorageUnavailable, _reason

T = TypeVar("T")
KEY = "uploads/a/b.jpg"


@pytest.fixture
def store(tmp_path: Path) -> FilesystemStorage:
    return FilesystemStorage(tmp_path / "root")


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


async def read(store: FilesystemStorage, key: str, start: int = 0, end: int | None = None) -> bytes:
    return b"".join([part async for part in (await store.read(key, start, end)).body])


def test_object_is_read_as_it_was_written(store: FilesystemStorage) -> None:
    data = os.urandom(600_000)
    run(store.put(KEY, data))
    assert run(read(store, KEY)) == data
    assert run(read(store, KEY, 5, 300_000)) == data[5:300_000]
    assert run(read(store, KEY, 599_990, 700_000)) == data[599_990:]
    assert run(store.size(KEY)) == 600_000


def test_probe_leaves_nothing(store: FilesystemStorage, tmp_path: Path) -> None:
    run(store.probe())
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_absent_object(store: FilesystemStorage) -> None:
    for work in (store.read(KEY), store.size(KEY)):
        with pytest.raises(ObjectNotFound):
            run(work)
    run(store.delete(KEY))


@pytest.mark.parametrize(
    "key", ["", "/etc/passwd", "../x", "a/../b", "a//b", "a/.b", ".a", "a/", "a\0b", "a b", "é", "a\n"]
)
def test_key_that_is_no_plain_path_is_refused(store: FilesystemStorage, key: str) -> None:
    for work in (store.put(key, b"x"), store.read(key), store.delete(key), store.size(key)):
        with pytest.raises(ValueError, match="not a key"):
            run(work)


def test_symbolic_link_is_not_followed(store: FilesystemStorage, tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "root" / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(OSError, match="symbolic"):
        run(read(store, "link"))


@pytest.mark.parametrize(("number", "kind"), [(errno.ENOSPC, StorageFull), (errno.EIO, StorageUnavailable)])
def test_failed_write_leaves_nothing(
    store: FilesystemStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[Exception]
) -> None:
    def fail(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(kind):
        run(store.put(KEY, b"x"))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_directory_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageUnavailable):
        run(FilesystemStorage(tmp_path / "file").put(KEY, b"x"))


def test_free_space(store: FilesystemStorage, tmp_path: Path) -> None:
    assert store.free_bytes() is None
    run(store.put(KEY, b"x"))
    assert (store.free_bytes() or 0) > 0


def test_reason_is_what_the_service_said() -> None:
    said = (
        "The operation lacked the necessary privileges to complete for path uploads/a.jpg: Error performing PUT "
        "https://192.0.2.11:8333/b/uploads/a.jpg in 1ms - Server returned non-2xx status code: 403 Forbidden: "
        '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>SignatureDoesNotMatch</Code></Error>'
    )
    assert _reason(Exception(said)) == "403 Forbidden SignatureDoesNotMatch"


def test_reason_without_an_answer_is_the_first_line() -> None:
    assert _reason(Exception("connection refused\nDebug source: ...")) == "connection refused"
