"""Image files for uploads."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image


def image(kind: str = "JPEG", size: tuple[int, int] = (64, 48), colour: str = "red", **options: Any) -> bytes:
    """An image file of one colour."""
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, kind, **options)
    return file.getvalue()


def opened(data: bytes) -> Image.Image:
    """The image of a file, decoded."""
    picture = Image.open(io.BytesIO(data))
    picture.load()
    return picture
