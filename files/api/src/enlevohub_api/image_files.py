"""What an uploaded image file is, before a decoder sees it.

The files are hostile until shown otherwise: metadata, foreign chunks and what comes after the image are cut out, and
structures that would cost a decoder much time or memory are refused. All in place, in the memory of the upload.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["JPEG", "PNG", "GIF", "WEBP"]

MAX_SEGMENTS = 2_000
"""JPEG segments before the first scan."""
MAX_SCANS = 100
"""Every scan of a progressive JPEG goes over the whole image."""
MAX_CHUNKS = 50_000
"""PNG chunks; encoders write 8 KiB or more into each."""
MAX_GIF_EXTENSIONS = 64 * 1024
"""Bytes of GIF extensions before the first frame."""

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_KEPT = frozenset((b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"))
_ADOBE = 0xEE
_SCAN = 0xDA
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SEQUENTIAL = frozenset((0xC0, 0xC1))
_END_OF_IMAGE = re.compile(rb"\xff\xd9")
_START_OF_SCAN = re.compile(rb"\xff\xda")
_ORIENTATION = 0x0112
_CUT_SHORT = "the file is cut short"


class BadImage(Exception):
    """The file is no image that is accepted."""


@dataclass(frozen=True)
class Prepared:
    """A file that is ready for its decoder.

    ``buffer`` are the bytes that a JPEG decoder needs beside the image: coefficients that come in several scans.
    ``orientation`` is EXIF's.
    """

    kind: Kind
    buffer: int = 0
    orientation: int = 1


def prepare(file: io.BytesIO) -> Prepared:
    """Recognise a file by its content and cut out what the decoder does not need. Raises BadImage."""
    with file.getbuffer() as data:
        head = bytes(data[:12])
    if head.startswith(b"\xff\xd8\xff"):
        return _prepare_jpeg(file)
    if head.startswith(_PNG_SIGNATURE):
        _strip_png(file)
        return Prepared("PNG")
    if head[:6] in (b"GIF87a", b"GIF89a"):
        _check_gif(file)
        return Prepared("GIF")
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return Prepared("WEBP")
    raise BadImage("not a JPEG, PNG, GIF or WebP file")


def webp_size(head: bytes) -> tuple[int, int]:
    """Read width and height of a WebP file: its decoder takes memory for them at once. Raises BadImage."""
    if len(head) < 30:
        raise BadImage(_CUT_SHORT)
    form = head[12:16]
    if form == b"VP8X":
        return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
    if form == b"VP8L" and head[20] == 0x2F:
        bits = int.from_bytes(head[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if form == b"VP8 " and head[23:26] == b"\x9d\x01\x2a":
        return int.from_bytes(head[26:28], "little") & 0x3FFF, int.from_bytes(head[28:30], "little") & 0x3FFF
    raise BadImage("not a WebP image")


def _prepare_jpeg(file: io.BytesIO) -> Prepared:
    """Keep tables, frame and scans; drop the metadata (but its orientation) and all after the image."""
    orientation, components, whole, coefficients = 1, 0, False, 0
    with file.getbuffer() as data:
        source = target = 2
        for _ in range(MAX_SEGMENTS):
            if source + 4 > len(data) or data[source] != 0xFF:
                raise BadImage(_CUT_SHORT)
            marker = data[source + 1]
            if marker == 0xFF:
                source += 1
                continue
            length = int.from_bytes(data[source + 2 : source + 4], "big") + 2
            segment = data[source : source + length]
            if length < 4 or len(segment) < length:
                raise BadImage(_CUT_SHORT)
            if marker in _FRAMES:
                whole = marker not in _SEQUENTIAL
                components, coefficients = _frame(bytes(segment[4:]))
            if marker == 0xE1 and bytes(segment[4:10]) == b"Exif\0\0":
                orientation = exif_orientation(bytes(segment[10:]))
            if marker == _ADOBE or not (0xE0 <= marker <= 0xEF or marker == 0xFE):
                data[target : target + length] = segment
                target += length
            source += length
            if marker == _SCAN:
                whole = whole or data[target - length + 4] < components
                break
        else:
            raise BadImage("too many segments")
        rest = len(data) - source
        data[target : target + rest] = data[source:]
        found = _END_OF_IMAGE.search(data, target, target + rest)
        if found is None:
            raise BadImage(_CUT_SHORT)
        end = found.end()
        if sum(1 for _ in _START_OF_SCAN.finditer(data, target, end)) >= MAX_SCANS:
            raise BadImage("too many scans")
        del segment, found
    file.truncate(end)
    return Prepared("JPEG", coefficients if whole else 0, orientation)


def _frame(body: bytes) -> tuple[int, int]:
    """Give the number of components of a frame and the bytes of its coefficients."""
    factors = [body[7 + 3 * index] for index in range(body[5])] if len(body) >= 6 + 3 * (body[5] or 1) else []
    if not factors or any(not (1 <= factor >> 4 <= 4 and 1 <= factor & 15 <= 4) for factor in factors):
        raise BadImage("not a JPEG image")
    pixels = int.from_bytes(body[1:3], "big") * int.from_bytes(body[3:5], "big")
    largest = max(factor >> 4 for factor in factors) * max(factor & 15 for factor in factors)
    return len(factors), 2 * pixels * sum((factor >> 4) * (factor & 15) for factor in factors) // largest


def exif_orientation(tiff: bytes) -> int:
    """Read the orientation, 1 to 8; 1 when there is none that can be read."""
    order: Literal["little", "big"] = "little" if tiff[:2] == b"II" else "big"
    start = int.from_bytes(tiff[4:8], order)
    entries = int.from_bytes(tiff[start : start + 2], order)
    for position in range(start + 2, min(start + 2 + 12 * entries, len(tiff) - 11), 12):
        if int.from_bytes(tiff[position : position + 2], order) == _ORIENTATION:
            found = int.from_bytes(tiff[position + 8 : position + 10], order)
            return found if 1 <= found <= 8 else 1
    return 1


def _strip_png(file: io.BytesIO) -> None:
    """Keep header, palette, transparency and pixels."""
    with file.getbuffer() as data:
        source = target = len(_PNG_SIGNATURE)
        for _ in range(MAX_CHUNKS):
            if source + 12 > len(data):
                raise BadImage(_CUT_SHORT)
            length = int.from_bytes(data[source : source + 4], "big") + 12
            name = bytes(data[source + 4 : source + 8])
            if source + length > len(data):
                raise BadImage(_CUT_SHORT)
            if name in _PNG_KEPT:
                data[target : target + length] = data[source : source + length]
                target += length
            source += length
            if name == b"IEND":
                break
        else:
            raise BadImage("too many chunks")
    file.truncate(target)


def _check_gif(file: io.BytesIO) -> None:
    """Go to the first frame; refuse one behind a long row of extensions."""
    with file.getbuffer() as data:
        position = 13 + (3 << (data[10] & 7) + 1 if len(data) > 13 and data[10] & 0x80 else 0)
        start = position
        while position + 2 < len(data) and data[position] == 0x21:
            position += 2
            while position < len(data) and data[position]:
                position += data[position] + 1
                if position - start > MAX_GIF_EXTENSIONS:
                    raise BadImage("too many extensions")
            position += 1
        if position >= len(data) or data[position] != 0x2C:
            raise BadImage("no image in the file")
