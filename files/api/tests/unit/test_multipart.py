"""Files out of multipart bodies: whole ones in any chunks, and no hostile one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enlevohub_api.multipart_files import MAX_PARTS, NotMultipart, TooLarge, boundary_of, files

FILE = b'Content-Disposition: form-data; name="photos"; filename="a.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
FIELD = b'Content-Disposition: form-data; name="note"\r\n\r\n'


def body(*parts: bytes) -> bytes:
    return b"".join(b"--b\r\n" + part + b"\r\n" for part in parts) + b"--b--\r\n"


def read(data: bytes, sizes: list[int] | None = None, max_size: int = 100_000) -> list[bytes]:
    """The files of a body that arrives in chunks of the given sizes, over and over."""

    async def chunks() -> AsyncIterator[bytes]:
        position, turn = 0, 0
        while position < len(data):
            size = (sizes or [65536])[turn % len(sizes or [0])]
            yield data[position : position + size]
            position, turn = position + size, turn + 1

    async def collect() -> list[bytes]:
        return [file.getvalue() async for file in files(chunks(), "b", max_size)]

    return asyncio.run(collect())


@given(
    st.lists(st.binary(max_size=300).filter(lambda data: b"\r\n--b" not in data), max_size=5),
    st.lists(st.integers(1, 200), min_size=1, max_size=5),
)
def test_files_are_the_same_in_any_chunks(contents: list[bytes], sizes: list[int]) -> None:
    parts = [part for content in contents for part in (FILE + content, FIELD + b"text")]
    whole = body(*parts, FIELD + b"end")
    sizes[0] = max(sizes[0], 5)
    assert read(whole, sizes) == contents


@given(st.binary(max_size=500), st.booleans())
def test_any_body_is_read_or_refused(data: bytes, started: bool) -> None:
    with contextlib.suppress(NotMultipart, TooLarge):
        read((b"--b\r\n" if started else b"") + data)


@given(st.data())
def test_any_damage_is_read_or_refused(data: st.DataObject) -> None:
    whole = bytearray(body(FILE + b"12345", FIELD + b"x"))
    for _ in range(data.draw(st.integers(1, 5))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(NotMultipart, TooLarge):
        read(bytes(whole), data.draw(st.lists(st.integers(5, 99), min_size=1, max_size=3)))


@given(st.text(max_size=200))
def test_any_content_type_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(NotMultipart):
        assert 1 <= len(boundary_of(text)) <= 70


@given(st.integers(0, 120))
def test_every_cut_body_is_refused(cut: int) -> None:
    whole = body(FILE + b"12345", FILE + b"678")
    with pytest.raises(NotMultipart):
        read(whole[: min(cut, len(whole) - 5)])


@pytest.mark.parametrize(
    "content_type",
    [
        "", "multipart/form-data", "multipart/form-data; boundary=", 'multipart/form-data; boundary=""',
        "multipart/form-data; boundary=" + "x" * 71, "multipart/mixed; boundary=b", "application/json",
        "multipart/form-data; boundary=\xe9", "text/html; boundary=b",
        'multipart/form-data; boundary="a "',
    ],
)  # fmt: skip
def test_content_type_without_a_boundary_is_refused(content_type: str) -> None:
    with pytest.raises(NotMultipart):
        boundary_of(content_type)


def test_boundary_may_be_quoted() -> None:
    assert boundary_of('Multipart/Form-Data; charset=x; boundary="a b"') == "a b"


@pytest.mark.parametrize(
    "data",
    [
        body(FILE + b"x" * 1001),
        body(FIELD + b"x" * 1001),
        body(*[FIELD] * (MAX_PARTS + 1)),
        body(b"X-A: " + b"x" * 5000 + b"\r\n" + FILE),
        body(b"X-A: x\r\n" * 9 + FILE),
        body(b"X" * 5000 + b": x\r\n" + FILE),
    ],
    ids=["file", "field", "parts", "header", "headers", "header name"],
)
def test_limit_is_too_large(data: bytes) -> None:
    with pytest.raises(TooLarge):
        read(data, max_size=1000)


@pytest.mark.parametrize(
    "data",
    [
        b"", b"x", b"--b", b"--b--", b"--c\r\n" + FILE + b"x\r\n--c--\r\n", b"--b\n" + FILE,
        b"--b\r\n\r\nx\r\n--b--\r\n", b"junk" + body(FILE), body(b"Content-Disposition: attachment\r\n\r\nx"),
        body(b'Content-Disposition: form-data; name="a\xff"\r\n\r\nx'), body(b"no header\r\n\r\nx"),
        body(b"Content-Disposition: form-data\r\n\r\nx"),
    ],
)  # fmt: skip
def test_malformed_body_has_no_file(data: bytes) -> None:
    with contextlib.suppress(NotMultipart):
        assert read(data) == []


@pytest.mark.parametrize(
    "name",
    [b"../../etc/passwd", b"..\\..\\x.jpg", b"/abs.jpg", b"a\x00.jpg", b"con", b"x" * 3000, b"%2e%2e%2f", b"\xc3\xa9"],
)
def test_name_of_a_file_means_nothing(name: bytes) -> None:
    part = b'Content-Disposition: form-data; name="photos"; filename="' + name + b'"\r\n\r\n12'
    assert read(body(part)) == [b"12"]


def test_part_without_a_file_name_is_no_file() -> None:
    part = b'Content-Disposition: form-data; name="photos"; filename=""\r\n\r\n'
    assert read(body(part, FIELD + b"x")) == []
