"""The store itself against a real S3 server: whole objects, parts, and objects without content."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from enlevohub_api.copy_storage import copy_storage
from enlevohub_api.settings import load_settings
from enlevohub_api.storage import S3Storage
from service.s3_support import S3Server
from service.support import JWT_SECRET

REQUIRED = {
    "DATABASE_URL": "postgresql://app:pa55-w0rd@db1/app?target_session_attrs=read-write",
    "JWT_SECRET": JWT_SECRET,
}
CONTENT = bytes(range(200))


def store(s3: S3Server, prefix: str) -> S3Storage:
    """A client of the bucket, of an event loop's own."""
    return S3Storage(load_settings({**REQUIRED, **s3.environment(prefix)}))


@pytest.mark.parametrize(
    ("content", "part"),
    [
        pytest.param(CONTENT, (0, None), id="whole"),
        pytest.param(CONTENT, (0, 200), id="whole by its range"),
        pytest.param(CONTENT, (10, 20), id="part"),
        pytest.param(CONTENT, (150, None), id="end"),
        pytest.param(b"", (0, None), id="empty"),
    ],
)
def test_object_is_read_as_it_was_written(s3: S3Server, content: bytes, part: tuple[int, int | None]) -> None:
    async def written_and_read() -> tuple[int, bytes]:
        found = store(s3, "read")
        await found.put("object", content)
        stored = await found.read("object", *part)
        return stored.size, b"".join([chunk async for chunk in stored.body])

    assert asyncio.run(written_and_read()) == (len(content), content[slice(*part)])


def test_files_of_a_directory_come_into_the_bucket_once(s3: S3Server, tmp_path: Path) -> None:
    for name, content in {"1.jpg": CONTENT, "none.txt": b"", "photos/2.jpg": CONTENT * 5000}.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    first, second = (asyncio.run(copy_storage(tmp_path, store(s3, "copied"))) for _ in range(2))
    assert (first.copied, first.present, first.reasons) == (3, 0, [])
    assert (second.copied, second.present, second.reasons) == (0, 3, [])
    assert s3.keys("copied") == ["copied/1.jpg", "copied/none.txt", "copied/photos/2.jpg"]
