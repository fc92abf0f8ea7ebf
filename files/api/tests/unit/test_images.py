"""Images: hostile files are refused or cleaned, photos come out upright, small and bare."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from enlevohub_api.image_files import BadImage, exif_orientation, prepare, webp_size
from enlevohub_api.images import MAX_MEMORY, ImageTooLarge, to_jpeg
from hostile_files import CLEANED, MARK, REFUSED
from service.images_support import image, opened

SOURCE = Path(__file__).parents[2] / "src"


def encoded(data: bytes) -> bytes:
    return to_jpeg(io.BytesIO(data))


def test_there_are_sixty_hostile_files() -> None:
    assert len(REFUSED) + len(CLEANED) >= 60


@pytest.mark.parametrize("name", REFUSED)
def test_hostile_file_is_refused(name: str) -> None:
    with pytest.raises(BadImage):
        encoded(REFUSED[name]())


@pytest.mark.parametrize("name", CLEANED)
def test_passenger_of_an_image_is_left_behind(name: str) -> None:
    data = encoded(CLEANED[name]())
    assert (opened(data).format, opened(data).size) == ("JPEG", (64, 48))
    assert b"script" not in data
    assert b"Exif" not in data
    assert data.endswith(b"\xff\xd9")
    assert MARK not in data


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP"])
@pytest.mark.parametrize("size", [(1, 1), (1919, 3), (1920, 2), (1921, 2), (2500, 1000), (3, 2500)])
def test_image_is_at_most_1920_wide(kind: str, size: tuple[int, int]) -> None:
    wanted = size if size[0] <= 1920 else (1920, max(1, round(size[1] * 1920 / size[0])))
    assert opened(encoded(image(kind, size))).size == wanted


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "CMYK", "I;16", "YCbCr"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP"])
def test_every_mode_of_pixels_is_taken(kind: str, mode: str) -> None:
    file = io.BytesIO()
    picture = Image.new(mode, (20, 10)) if mode == "I;16" else Image.new("RGB", (20, 10), "red").convert(mode)
    try:
        picture.save(file, kind)
    except (OSError, ValueError):
        picture.convert("RGB").save(file, kind)
    assert opened(encoded(file.getvalue())).size == (20, 10)


def test_transparent_becomes_white() -> None:
    file = io.BytesIO()
    Image.new("RGBA", (20, 10), (255, 0, 0, 0)).save(file, "PNG")
    assert opened(encoded(file.getvalue())).getpixel((5, 5)) == (255, 255, 255)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photo_is_upright(orientation: int) -> None:
    """The stored pixels are turned as the orientation says; the corner that was red ends where a viewer shows it."""
    picture = Image.new("RGB", (64, 32), "white")
    picture.paste("red", (0, 0, 16, 16))
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    picture.save(file, "JPEG", exif=exif, quality=95)
    found = opened(encoded(file.getvalue()))
    width, height = (64, 32) if orientation < 5 else (32, 64)
    corner = {1: (0, 0), 2: (1, 0), 3: (1, 1), 4: (0, 1), 5: (0, 0), 6: (1, 0), 7: (1, 1), 8: (0, 1)}[orientation]
    pixel = found.getpixel((4 + corner[0] * (width - 9), 4 + corner[1] * (height - 9)))
    assert found.size == (width, height)
    assert isinstance(pixel, tuple)
    assert pixel[0] > 200 > 100 > pixel[1]


def test_photo_of_a_telephone_is_taken() -> None:
    """Fifty million pixels in one scan are decoded at a fraction of their size."""
    assert opened(encoded(image(size=(8160, 6120)))).size == (1920, 1440)
    assert opened(encoded(image(size=(4000, 3000), progressive=True))).size == (1920, 1440)


@pytest.mark.parametrize(
    ("kind", "size"), [("PNG", (9000, 9000)), ("GIF", (6000, 6000)), ("WEBP", (4000, 3000)), ("JPEG", (12000, 10001))]
)
def test_too_many_pixels_are_named_as_such(kind: str, size: tuple[int, int]) -> None:
    with pytest.raises(ImageTooLarge):
        encoded(image(kind, size))


def test_memory_of_every_hostile_file_is_bounded() -> None:
    """A process with little more than the limit survives all of them."""
    script = f"""
import io, sys
from enlevohub_api.image_files import BadImage
from enlevohub_api.images import to_jpeg
from hostile_files import CLEANED, REFUSED
def peak():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]) * 1024
for name, make in {{**REFUSED, **CLEANED}}.items():
    file = io.BytesIO(make())
    size = len(file.getbuffer())
    open("/proc/self/clear_refs", "w").write("5")
    before = peak()
    try:
        to_jpeg(file)
    except BadImage:
        pass
    if peak() - before > {MAX_MEMORY} + 2 * size:
        sys.exit(f"{{name}}: {{peak() - before}} bytes")
"""
    result = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": f"{SOURCE}:{SOURCE.parent / 'tests'}"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")


@given(
    st.binary(max_size=400),
    st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF0000WEBPVP8X"]),
)
def test_any_bytes_are_refused_or_decoded(data: bytes, head: bytes) -> None:
    with contextlib.suppress(BadImage):
        opened(encoded(head + data))


@given(st.data(), st.sampled_from(["JPEG", "PNG", "GIF", "WEBP"]))
def test_any_damage_is_refused_or_decoded(data: st.DataObject, kind: str) -> None:
    whole = bytearray(image(kind, (40, 30)))
    for _ in range(data.draw(st.integers(1, 6))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(BadImage):
        opened(encoded(bytes(whole)))


@given(st.binary(max_size=200))
def test_orientation_of_any_bytes_is_1_to_8(data: bytes) -> None:
    assert 1 <= exif_orientation(data) <= 8


@given(st.binary(max_size=40))
def test_webp_size_of_any_bytes_is_small_or_refused(data: bytes) -> None:
    try:
        width, height = webp_size(b"RIFF0000WEBP" + data)
    except BadImage:
        return
    assert 0 <= width <= 1 << 24
    assert 0 <= height <= 1 << 24


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_prepared_file_decodes_to_the_same_pixels(kind: str) -> None:
    whole = image(kind, (40, 30), "teal")
    file = io.BytesIO(whole)
    assert prepare(file).kind == kind
    assert opened(file.getvalue()).tobytes() == opened(whole).tobytes()
