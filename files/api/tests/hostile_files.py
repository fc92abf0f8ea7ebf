"""Files that attack whoever decodes, stores or shows them; and images that carry such a passenger."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
import zlib
from collections.abc import Callable

from PIL import Image

from service.images_support import image

MARK = b"<script>alert('mark')</script>"


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, pixels: bytes, *, depth: int = 8, colour: int = 2, extra: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def segment(marker: int, data: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(data) + 2) + data


def with_jpeg_size(width: int, height: int, **options: object) -> bytes:
    """A JPEG whose frame says another size than its scan has."""
    data = image(**options)  # type: ignore[arg-type]
    frame = next(at for at in range(len(data)) if data[at] == 0xFF and data[at + 1] in (0xC0, 0xC2))
    return data[: frame + 5] + struct.pack(">HH", height, width) + data[frame + 9 :]


def webp(form: bytes, body: bytes) -> bytes:
    inner = b"WEBP" + form + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", len(inner)) + inner


def zip_file(**files: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return target.getvalue()


def exif_bomb() -> bytes:
    """Entries of a directory that all point to the same large block: reading them multiplies it."""
    block = 60_000
    entries = b"".join(struct.pack(">HHII", number, 2, block - 4000, 4000) for number in range(1, 300))
    tiff = b"MM\x00*\x00\x00\x00\x08" + struct.pack(">H", 299) + entries
    exif = segment(0xE1, b"Exif\0\0" + tiff.ljust(block, b"\0"))
    plain = image()
    return plain[:2] + exif * 20 + plain[20:]


def scans_bomb() -> bytes:
    """A progressive image with its last scan repeated thousands of times."""
    data = image(size=(640, 480), progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * 5000 + b"\xff\xd9"


def gif_comments() -> bytes:
    plain = image("GIF")
    start = 13 + (3 << (plain[10] & 7) + 1)
    return plain[:start] + b"!\xfe" + (b"\xff" + b"A" * 255) * 2000 + b"\0" + plain[start:]


REFUSED: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "one byte": lambda: b"\xff",
    "text": lambda: b"hello",
    "html": lambda: b"<!doctype html>" + MARK,
    "html with a jpeg's first bytes": lambda: b"\xff\xd8\xff" + MARK * 20,
    "html with a png's first bytes": lambda: b"\x89PNG\r\n\x1a\n" + MARK * 20,
    "html with a gif's first bytes": lambda: b"GIF89a/*" + MARK * 20,
    "html with a webp's first bytes": lambda: b"RIFF" + MARK[:4] + b"WEBP" + MARK * 20,
    "svg": lambda: b'<svg xmlns="http://www.w3.org/2000/svg">' + MARK + b"</svg>",
    "svg with a declaration": lambda: b'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY a "b">]><svg/>',
    "svgz": lambda: gzip.compress(b"<svg/>"),
    "xml with an external entity": lambda: b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
    "pdf": lambda: b"%PDF-1.7\n1 0 obj<</OpenAction<</S/JavaScript/JS(app.alert(1))>>>>endobj",
    "postscript": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) (r) file",
    "encapsulated postscript": lambda: image("EPS"),
    "shell script": lambda: b"#!/bin/sh\nid\n",
    "php": lambda: b"<?php system($_GET['c']); ?>",
    "elf": lambda: b"\x7fELF\x02\x01\x01" + bytes(200),
    "windows program": lambda: b"MZ" + bytes(200),
    "java class": lambda: b"\xca\xfe\xba\xbe" + bytes(60),
    "zip": lambda: zip_file(a=b"a"),
    "zip bomb": lambda: zip_file(a=bytes(20_000_000)),
    "gzip bomb": lambda: gzip.compress(bytes(20_000_000)),
    "tar": lambda: b"a".ljust(257, b"\0") + b"ustar" + bytes(250),
    "bmp": lambda: image("BMP"),
    "tiff": lambda: image("TIFF"),
    "ico": lambda: image("ICO"),
    "jpeg 2000": lambda: b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(60),
    "avif": lambda: b"\0\0\0\x20ftypavif\0\0\0\0avifmif1miafMA1B" + bytes(200),
    "heic": lambda: b"\0\0\0\x18ftypheic\0\0\0\0heicmif1" + bytes(200),
    "mp4": lambda: b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(200),
    "photoshop": lambda: b"8BPS\0\x01" + bytes(60),
    "targa": lambda: image("TGA"),
    "netpbm": lambda: image("PPM"),
    "imagemagick script": lambda: b"push graphic-context\nfill 'url(https://a.example/\"|id\")'\n",
    "windows metafile": lambda: b"\xd7\xcd\xc6\x9a" + bytes(60),
    "fits": lambda: b"SIMPLE  =                    T".ljust(2880),
    "jpeg, only its start": lambda: image()[:3],
    "jpeg, first half": lambda: image(size=(400, 300))[: len(image(size=(400, 300))) // 2],
    "jpeg without its end": lambda: image()[:-2],
    "jpeg without a scan": lambda: image()[: image().index(b"\xff\xda")] + b"\xff\xd9",
    "jpeg with a segment beyond the end": lambda: b"\xff\xd8\xff\xe1\xff\xff" + bytes(100),
    "jpeg with a segment of length 0": lambda: b"\xff\xd8\xff\xe0\0\0" + bytes(100),
    "jpeg with no height": lambda: with_jpeg_size(64, 0),
    "jpeg with no width": lambda: with_jpeg_size(0, 48),
    "jpeg of 65500 by 65500": lambda: with_jpeg_size(65500, 65500),
    "progressive jpeg of 60 million pixels": lambda: with_jpeg_size(10000, 6000, progressive=True),
    "jpeg of thousands of scans": scans_bomb,
    "jpeg of thousands of segments": lambda: image()[:2] + segment(0xEC, b"x") * 5000 + image()[2:],
    "jpeg of fill bytes": lambda: b"\xff\xd8" + b"\xff" * 100_000,
    "jpeg with a wild sampling factor": lambda: image().replace(b"\x01\x22\x00", b"\x01\xff\x00", 1),
    "jpeg without tables": lambda: b"".join(
        (
            b"\xff\xd8",
            segment(0xC0, b"\x08\0\x30\0\x40\x01\x01\x11\0"),
            segment(0xDA, b"\x01\x01\0\0\x3f\0"),
            b"x\xff\xd9",
        )
    ),
    "png, first half": lambda: image("PNG", (400, 300))[:400],
    "png without an end": lambda: image("PNG")[:-12],
    "png without pixels": lambda: image("PNG")[:33] + chunk(b"IEND", b""),
    "png with too few pixels": lambda: png(100, 100, zlib.compress(bytes(50))),
    "png with a wrong checksum": lambda: image("PNG")[:29] + b"\0\0\0\0" + image("PNG")[33:],
    "png with broken pixels": lambda: png(100, 100, b"\x78\x9c" + b"\xaa" * 500),
    "png of 30000 by 30000": lambda: png(30000, 30000, zlib.compress(bytes(1000))),
    "png of 2147483647 by 1": lambda: png(2147483647, 1, zlib.compress(bytes(1000))),
    "png of no pixels": lambda: png(0, 0, zlib.compress(b"")),
    "png bomb of 100 million pixels": lambda: png(10000, 10000, zlib.compress(bytes(100_010_000), 9), colour=0),
    "png of a negative chunk length": lambda: b"\x89PNG\r\n\x1a\n\xff\xff\xff\xffIHDR" + bytes(60),
    "png of 100000 chunks": lambda: image("PNG")[:33] + chunk(b"prVt", b"") * 100_000 + image("PNG")[33:],
    "png of an odd depth": lambda: png(10, 10, zlib.compress(bytes(400)), depth=7),
    "gif, only its start": lambda: b"GIF89a",
    "gif without an image": lambda: image("GIF")[:13] + b";",
    "gif of 65535 by 65535": lambda: b"GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\x08\x02\x4c\x01\0;",
    "gif cut in its pixels": lambda: image("GIF", (300, 300))[:60],
    "gif with half a megabyte of comment": gif_comments,
    "webp, only its start": lambda: image("WEBP")[:20],
    "webp, first half": lambda: image("WEBP", (300, 300))[:60],
    "webp canvas of 16383 by 16383": lambda: webp(b"VP8X", bytes(4) + b"\xfe\x3f\0\xfe\x3f\0"),
    "webp of an unknown form": lambda: webp(b"VP9 ", bytes(60)),
    "webp without a key frame": lambda: webp(b"VP8 ", bytes(60)),
    "webp lossless bomb": lambda: webp(b"VP8L", b"\x2f\xff\xff\xff\x0f" + bytes(60)),
    "riff that is sound": lambda: b"RIFF\x24\0\0\0WAVEfmt " + bytes(60),
}

CLEANED: dict[str, Callable[[], bytes]] = {
    "jpeg and zip": lambda: image() + zip_file(mark=MARK),
    "jpeg and html": lambda: image() + MARK,
    "jpeg and php": lambda: image() + b"<?php echo 1; ?>" + MARK,
    "jpeg with html as comment": lambda: image(comment=MARK),
    "jpeg with html as exif": lambda: image()[:2] + segment(0xE1, b"Exif\0\0MM" + MARK) + image()[2:],
    "jpeg with xmp": lambda: image()[:2] + segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + MARK) + image()[2:],
    "jpeg with a colour profile": lambda: image(icc_profile=MARK),
    "jpeg with an exif bomb": exif_bomb,
    "jpeg with a broken exif directory": lambda: (
        image()[:2] + segment(0xE1, b"Exif\0\0II*\0\xff\xff\xff\xff") + image()[2:]
    ),
    "png and html": lambda: image("PNG") + MARK,
    "png with a text chunk": lambda: image("PNG")[:33] + chunk(b"tEXt", b"a\0" + MARK) + image("PNG")[33:],
    "png with a compressed text bomb": lambda: (
        image("PNG")[:33] + chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(50_000_000))) + image("PNG")[33:]
    ),
    "png with a profile bomb": lambda: (
        image("PNG")[:33] + chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(50_000_000))) + image("PNG")[33:]
    ),
    "animated png": lambda: image("PNG", save_all=True, append_images=[Image.new("RGB", (64, 48), "blue")]),
    "gif and javascript": lambda: image("GIF") + b"=1;alert(1)//" + MARK,
    "gif with html as comment": lambda: image("GIF", comment=MARK),
    "animated gif": lambda: image("GIF", save_all=True, append_images=[Image.new("RGB", (64, 48), "blue")]),
    "webp and html": lambda: image("WEBP") + MARK,
    "webp with html as exif": lambda: image("WEBP", exif=b"Exif\0\0" + MARK),
    "webp with xmp": lambda: image("WEBP", xmp=MARK),
}
"""Images with a passenger: the pixels are taken, the passenger is not."""
