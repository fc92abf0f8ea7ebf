"""The files of a ``multipart/form-data`` body, one at a time while it arrives.

At most one file is in memory. Parts that are no files are read over. Limits hold while the body streams in.
"""

from __future__ import annotations

import io
import re
from collections.abc import AsyncIterator

from multipart import (  # type: ignore[import-untyped]
    MultipartError,
    MultipartSegment,
    ParserLimitReached,
    PushMultipartParser,
    parse_options_header,
)

MAX_PARTS = 100
MAX_HEADERS = 8
MAX_HEADER_SIZE = 4096

_BOUNDARY = re.compile(r"[A-Za-z0-9'()+_,\-./:=? ]{0,69}[A-Za-z0-9'()+_,\-./:=?]", re.ASCII)


class NotMultipart(Exception):
    """The body is not well-formed ``multipart/form-data``."""


class TooLarge(Exception):
    """A part, a header or the number of parts is over its limit."""


def boundary_of(content_type: str) -> str:
    """Read the boundary from the header. Raises NotMultipart."""
    kind, options = parse_options_header(content_type)
    boundary = str(options.get("boundary", ""))
    if kind != "multipart/form-data" or _BOUNDARY.fullmatch(boundary) is None:
        raise NotMultipart("not multipart/form-data with a boundary")
    return boundary


async def files(chunks: AsyncIterator[bytes], boundary: str, max_size: int) -> AsyncIterator[io.BytesIO]:
    """Give each file part when it is complete.

    Args:
        chunks: the body.
        boundary: from `boundary_of`.
        max_size: most bytes of one part.

    Raises:
        NotMultipart: also for a body that ends early.
        TooLarge: a limit was passed.
    """
    parser = PushMultipartParser(
        boundary,
        max_header_size=MAX_HEADER_SIZE,
        max_header_count=MAX_HEADERS,
        max_segment_size=max_size,
        max_segment_count=MAX_PARTS,
        # Strict, the parser refuses a line break after the end that comes in a packet of its own.
        strict=False,
    )
    file: io.BytesIO | None = None
    try:
        async for chunk in chunks:
            if not chunk:
                continue
            for event in parser.parse(chunk):
                if isinstance(event, MultipartSegment):
                    file = io.BytesIO() if event.filename else None
                elif event is not None:
                    if file is not None:
                        file.write(event)
                elif file is not None:
                    yield file
                    file = None
        parser.close()
    except ParserLimitReached as error:
        raise TooLarge(str(error)) from error
    except (MultipartError, UnicodeError) as error:
        raise NotMultipart(str(error)) from error
