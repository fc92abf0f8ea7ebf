"""Files of one machine go into the store: each is verified, none is deleted, and the second run copies nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from enlevohub_api.copy_storage import Summary, copy_storage
from enlevohub_api.storage import FilesystemStorage, StorageUnavailable

FILES = {"uploads/a/1.jpg": b"first", "uploads/b/2.jpg": b"second" * 1000, "3.pdf": b""}


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A directory with three files."""
    for key, content in FILES.items():
        path = tmp_path / "old" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path / "old"


@pytest.fixture
def store(tmp_path: Path) -> FilesystemStorage:
    return FilesystemStorage(tmp_path / "new")


def copy(old: Path, store: FilesystemStorage) -> Summary:
    return asyncio.run(copy_storage(old, store))


def counts(summary: Summary) -> tuple[int, int, int, int]:
    return summary.files, summary.copied, summary.present, summary.failed


def test_every_file_is_in_the_store_and_stays_where_it_was(old: Path, store: FilesystemStorage, tmp_path: Path) -> None:
    summary = copy(old, store)
    assert counts(summary) == (3, 3, 0, 0)
    assert summary.bytes == sum(len(content) for content in FILES.values())
    for key, content in FILES.items():
        assert (old / key).read_bytes() == (tmp_path / "new" / key).read_bytes() == content


def test_second_run_copies_nothing(old: Path, store: FilesystemStorage) -> None:
    copy(old, store)
    assert counts(copy(old, store)) == (3, 0, 3, 0)


def test_copy_that_was_cut_off_goes_on(old: Path, store: FilesystemStorage) -> None:
    asyncio.run(store.put("3.pdf", b""))
    assert counts(copy(old, store)) == (3, 2, 1, 0)


def test_other_content_under_the_same_name_fails_and_stays(old: Path, store: FilesystemStorage, tmp_path: Path) -> None:
    asyncio.run(store.put("uploads/a/1.jpg", b"other"))
    summary = copy(old, store)
    assert counts(summary) == (3, 2, 0, 1)
    assert summary.reasons == ["uploads/a/1.jpg: the store has other content under this name; it stays as it is"]
    assert (tmp_path / "new/uploads/a/1.jpg").read_bytes() == b"other"


def test_half_written_file_and_link_are_left_out(old: Path, store: FilesystemStorage) -> None:
    (old / ".1.jpg.0123456789abcdef").write_bytes(b"half")
    (old / "link.jpg").symlink_to(old / "3.pdf")
    assert copy(old, store).files == 3


def test_name_that_is_no_key_fails_and_the_others_are_copied(old: Path, store: FilesystemStorage) -> None:
    (old / "foto da obra.jpg").write_bytes(b"x")
    summary = copy(old, store)
    assert counts(summary) == (4, 3, 0, 1)
    assert summary.reasons == ["foto da obra.jpg: not a key"]


def test_store_that_is_away_fails_every_file(
    old: Path, store: FilesystemStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise StorageUnavailable("no answer")

    monkeypatch.setattr(store, "put", away)
    assert counts(copy(old, store)) == (3, 0, 0, 3)


def test_missing_directory_is_no_empty_one(store: FilesystemStorage, tmp_path: Path) -> None:
    with pytest.raises(NotADirectoryError):
        copy(tmp_path / "absent", store)
