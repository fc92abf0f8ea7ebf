"""Every uploaded image becomes a new JPEG: only pixels pass, at most 1920 wide, upright, without metadata.

Decoding runs in one thread, so that a process holds one decoded image at a time; its memory is known before.
"""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from PIL import Image, PngImagePlugin

from enlevohub_api.image_files import BadImage, prepare, webp_size
from enlevohub_api.passwords import TooBusy

logger = logging.getLogger(__name__)

MAX_WIDTH = 1920
QUALITY = 80
MAX_PIXELS = 120_000_000
"""No image has more, however little memory it takes."""
MAX_MEMORY = 80 * 1024 * 1024
"""Bytes that decoding one image may take."""

MIN_UPLOAD_MEMORY = 64 * 1024 * 1024
"""Bytes of all uploads that are received at a time; one file of the largest size always has room."""
WAIT_SECONDS = 20.0
"""What an upload waits for its memory."""
WEBP_BYTES_PER_PIXEL = 20
"""The decoder's two canvases, its answer, the image and its conversion."""
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# Sizes are checked here, more strictly and before anything is decoded.
Image.MAX_IMAGE_PIXELS = None
PngImagePlugin.MAX_TEXT_MEMORY = PngImagePlugin.MAX_TEXT_CHUNK


class ImageTooLarge(BadImage):
    """The image has too many pixels."""


class Images:
    """Makes JPEGs in a thread, and bounds the bytes of all uploads that a process holds."""

    def __init__(self, upload_max_size: int) -> None:
        """Start without the thread; it comes with the first use."""
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="image")
        self._largest = upload_max_size
        self._free = max(MIN_UPLOAD_MEMORY, upload_max_size)
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def room(self, body_size: int) -> AsyncIterator[None]:
        """Wait until the memory for a body is free: for one file, however many there are. Raises TooBusy."""
        needed = min(body_size, self._largest)
        try:
            async with asyncio.timeout(WAIT_SECONDS), self._changed:
                await self._changed.wait_for(lambda: self._free >= needed)
                self._free -= needed
        except TimeoutError:
            raise TooBusy from None
        try:
            yield
        finally:
            self._free += needed
            async with self._changed:
                self._changed.notify_all()

    async def to_jpeg(self, file: io.BytesIO) -> bytes:
        """Re-encode an image; the file is used up. Raises BadImage."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, to_jpeg, file)

    def close(self) -> None:
        """Stop the thread after the image it works on."""
        self._executor.shutdown(wait=False, cancel_futures=True)


def to_jpeg(file: io.BytesIO) -> bytes:
    """Re-encode an image; the file is used up. Raises BadImage."""
    try:
        return _to_jpeg(file)
    except BadImage:
        raise
    except Exception as error:
        # A decoder meets broken data with errors of any kind.
        logger.info("image refused", extra={"reason": f"{type(error).__name__}: {error}"[:200]})
        raise BadImage("the image cannot be decoded") from error


def _to_jpeg(file: io.BytesIO) -> bytes:
    prepared = prepare(file)
    file.seek(0)
    if prepared.kind == "WEBP":
        width, height = webp_size(file.read(30))
        _check(width, height, width * height * WEBP_BYTES_PER_PIXEL)
        file.seek(0)
    with Image.open(file, formats=(prepared.kind,)) as image:
        width, height = image.size
        turned = prepared.orientation >= 5
        scale = min(1.0, MAX_WIDTH / (height if turned else width))
        if prepared.kind == "JPEG":
            image.draft(None, (max(1, int(width * scale)), max(1, int(height * scale))))
            _check(width, height, image.width * image.height * 8 + prepared.buffer)
        else:
            _check(width, height, width * height * _bytes_per_pixel(image))
        image.load()
        pixels = _opaque(image)
    target = (max(1, round(width * scale)), max(1, round(height * scale)))
    if pixels.size != target:
        pixels = pixels.resize(target, Image.Resampling.LANCZOS)
    if prepared.orientation in _UPRIGHT:
        pixels = pixels.transpose(_UPRIGHT[prepared.orientation])
    result = io.BytesIO()
    # The encoder would write down what the image's file said about it.
    pixels.info.clear()
    pixels.save(result, "JPEG", quality=QUALITY)
    return result.getvalue()


def _check(width: int, height: int, memory: int) -> None:
    if width < 1 or height < 1:
        raise BadImage("no pixels")
    if width * height > MAX_PIXELS or memory > MAX_MEMORY:
        raise ImageTooLarge("too many pixels")


def _bytes_per_pixel(image: Image.Image) -> int:
    """Tell what the image and the copies of `_opaque` hold at the worst moment."""
    if "transparency" in image.info:
        return 13
    return {"1": 5, "L": 1, "RGB": 4, "P": 5, "RGBA": 9}.get(image.mode, 13)


def _opaque(image: Image.Image) -> Image.Image:
    """Give RGB or grey pixels; what is transparent becomes white."""
    transparent = "transparency" in image.info
    if image.mode in ("RGB", "L") and not transparent:
        return image
    if image.mode in ("RGBA", "LA", "PA", "RGBX") or transparent:
        layer = image if image.mode == "RGBA" else image.convert("RGBA")
        canvas = Image.new("RGB", layer.size, "white")
        canvas.paste(layer, mask=layer.getchannel("A"))
        return canvas
    if image.mode.startswith("I;16"):
        return image.point(lambda value: value * (1 / 256)).convert("L")
    return image.convert("RGB")
