"""Upload and download of photos.

A request is taken whole or not at all: every file is read and re-encoded before the first one is stored, and what was
stored is removed when the rest fails. A row in ``uploads`` follows its object, never the other way round; the keys of a
request at work are in ``upload_attempts``, so that what a lost copy of the service stored is found and removed.
"""

from __future__ import annotations

import asyncio
import logging
import re
import uuid
from collections.abc import AsyncIterator
from typing import Annotated

from msgspec import Meta

from enlevohub_api.construction_schemas import UploadedPhotos
from enlevohub_api.database import Connection, OutcomeUnknown, Unavailable
from enlevohub_api.documented import Documented, failures
from enlevohub_api.errors import ApiError, bad_request, forbidden, not_found
from enlevohub_api.image_files import BadImage
from enlevohub_api.images import ImageTooLarge
from enlevohub_api.multipart_files import NotMultipart, TooLarge, boundary_of, files
from enlevohub_api.photos import key_of, new_key
from enlevohub_api.services import Request, Services, caller_of, requires, services_of
from enlevohub_api.sql import lock_project, project_not_found, visible_project
from enlevohub_api.storage import ObjectNotFound, StorageUnavailable
from enlevohub_api.web import Disconnected, Router, Stream, get, post

logger = logging.getLogger(__name__)

READ_SECONDS = 300.0
"""What a client has to send its files."""
MAX_RESULT = 32 * 1024 * 1024
"""Bytes that the re-encoded photos of one request may take."""

_LOST = """
select key from upload_attempts where created_at < now() - interval '1 hour' order by created_at limit 20
"""

_RANGE = re.compile(r"bytes=(?:([0-9]{1,18})-([0-9]{0,18})|-([0-9]{1,18}))", re.ASCII)


async def _upload(request: Request, project_id: str) -> UploadedPhotos:
    services, caller = services_of(request), caller_of(request)
    visible = visible_project(caller, project_id)
    project = await services.database.read(
        lambda connection: connection.fetchval(f"select p.id from projects p where {visible.where}", *visible.arguments)
    )
    if project is None:
        raise project_not_found()

    async def finish(connection: Connection) -> None:
        await lock_project(connection, caller, project_id)
        ours = await connection.fetch("delete from upload_attempts where key = any($1::text[]) returning key", keys)
        if len(ours) != len(keys):
            raise StorageUnavailable("the attempt was swept away")
        await connection.executemany(
            "insert into uploads (key, project_id, size) values ($1, $2, $3)",
            [(key, project, len(photo)) for key, photo in zip(keys, photos, strict=True)],
        )

    async with services.images.room(request.content_length or services.settings.upload_max_size):
        photos = await _receive(request)
        keys = [new_key(project) for _ in photos]
        await _sweep(services)
        await services.database.write(lambda connection: _begin(connection, keys))
        try:
            for key, photo in zip(keys, photos, strict=True):
                await services.storage.put(key, photo)
            await services.database.write(lambda connection: finish(connection))
        except OutcomeUnknown:
            raise
        except BaseException:
            await asyncio.shield(_take_back(services, keys))
            raise
    return UploadedPhotos(urls=[services.photos.sign(key) for key in keys])


async def _receive(request: Request) -> list[bytes]:
    """Read the body; give the photos as JPEG, in order. Raises ApiError."""
    services = services_of(request)
    limit = services.settings.upload_max_size
    photos: list[bytes] = []
    try:
        boundary = boundary_of(request.header(b"content-type") or "")
        async with asyncio.timeout(READ_SECONDS):
            async for file in files(request.stream(), boundary, limit):
                photos.append(await services.images.to_jpeg(file))
                if sum(map(len, photos)) > MAX_RESULT:
                    raise TooLarge("the photos together are too large")
    except NotMultipart:
        raise bad_request("O envio deve ser multipart/form-data com pelo menos um arquivo") from None
    except TooLarge:
        raise ApiError(
            413, "Payload Too Large", f"Arquivo grande demais: o limite é de {limit / 1024 / 1024:.4g} MiB"
        ) from None
    except ImageTooLarge:
        raise bad_request(f"A imagem {len(photos) + 1} tem pixels demais") from None
    except BadImage:
        raise bad_request(f"O arquivo {len(photos) + 1} não é uma imagem JPEG, PNG, GIF ou WebP válida") from None
    except TimeoutError:
        raise ApiError(408, "Request Timeout", "O envio demorou demais") from None
    except Disconnected as error:
        raise bad_request("O envio foi interrompido") from error
    if not photos:
        raise bad_request("Nenhum arquivo foi enviado")
    return photos


async def _begin(connection: Connection, keys: list[str]) -> None:
    await connection.executemany("insert into upload_attempts (key) values ($1)", [(key,) for key in keys])


async def _take_back(services: Services, keys: list[str]) -> None:
    """Remove what a failed request may have stored; what cannot be reached now is left to `_sweep`."""
    try:
        for key in keys:
            await services.storage.delete(key)
        await services.database.write(
            lambda connection: connection.execute("delete from upload_attempts where key = any($1::text[])", keys)
        )
    except (StorageUnavailable, Unavailable, OutcomeUnknown) as error:
        logger.warning("stored photos are left for later", extra={"photos": len(keys), "reason": str(error)})


async def _sweep(services: Services) -> None:
    """Remove some of the objects that requests left behind: their copy of the service was lost, or the store was."""
    lost = await services.database.read(lambda connection: connection.fetch(_LOST))
    if lost:
        await _take_back(services, [row["key"] for row in lost])


_JPEG = "image/jpeg"
_DOWNLOAD_ANSWERS = {
    206: Documented(bytes, "A part of the photo", _JPEG),
    304: Documented(None, "The photo has not changed"),
    **failures(400, 403, 404, 416),
}
_UPLOAD_FAILURES = failures(400, 401, 403, 404, 408, 413, 507)


@post(
    "/{project_id}/evolutions/upload", status_code=200, guards=[requires("projects:edit")],
    summary="Upload photos of progress", max_body=None, responses=_UPLOAD_FAILURES,
)  # fmt: skip
async def upload_evolution_photos(request: Request, project_id: str) -> UploadedPhotos:
    """Store every file part of a multipart body as a JPEG."""
    return await _upload(request, project_id)


@post(
    "/{project_id}/measurements/upload", status_code=200, guards=[requires("measurements:create")],
    summary="Upload photos of a measurement", max_body=None, responses=_UPLOAD_FAILURES,
)  # fmt: skip
async def upload_measurement_photos(request: Request, project_id: str) -> UploadedPhotos:
    """Store every file part of a multipart body as a JPEG."""
    return await _upload(request, project_id)


def _wanted_range(header: str, size: int) -> tuple[int, int] | None:
    """Read a range of bytes; None for the whole, also when there are several. Raises ApiError 416."""
    match = _RANGE.fullmatch(header)
    if match is None:
        return None
    first, last, suffix = match.groups()
    start = max(0, size - int(suffix)) if suffix else int(first)
    end = min(size, int(last) + 1) if last else size
    if last and int(last) < int(first):
        return None
    if start >= end:
        raise ApiError(416, "Range Not Satisfiable", "A faixa pedida não existe", {"Content-Range": f"bytes */{size}"})
    return start, end


def _photo_key(project_id: str, filename: str) -> str:
    """Give the key that a path names. Raises ApiError 404."""
    missing = not_found("Arquivo não encontrado")
    try:
        key = key_of(f"uploads/projects/{project_id}/{filename}", uuid.UUID(project_id))
    except ValueError:
        raise missing from None
    if key is None:
        raise missing
    return key


@get(
    "/uploads/{project_id}/{filename}", summary="A photo, by its signed URL",
    media_type=_JPEG, responses=_DOWNLOAD_ANSWERS,
)  # fmt: skip
async def download(
    request: Request,
    project_id: str,
    filename: str,
    expires: Annotated[str, Meta(max_length=20)] = "",
    signature: Annotated[str, Meta(max_length=100)] = "",
) -> Stream:
    """Give the bytes of a photo, or the range that is asked for. The bytes of a URL never change."""
    services = services_of(request)
    key = _photo_key(project_id, filename)
    moment = int(expires) if expires.isascii() and expires.isdigit() else 0
    remaining = services.photos.remaining(key, moment, signature)
    if remaining <= 0:
        raise forbidden("O endereço da foto é inválido ou expirou")
    tag = f'"{filename}"'
    headers = {
        "ETag": tag,
        "Cache-Control": f"private, max-age={remaining}, immutable",
        "Accept-Ranges": "bytes",
        "Content-Disposition": f'inline; filename="{filename}"',
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "X-Content-Type-Options": "nosniff",
    }
    if request.header(b"if-none-match") == tag:
        return Stream(_nothing(), _JPEG, status_code=304, headers=headers)
    try:
        wanted = None
        header = request.header(b"range")
        if header is not None:
            wanted = _wanted_range(header, await services.storage.size(key))
        start, end = wanted or (0, None)
        found = await services.storage.read(key, start, end)
    except ObjectNotFound:
        raise not_found("Arquivo não encontrado") from None
    if wanted is None:
        return Stream(found.body, _JPEG, headers={**headers, "Content-Length": str(found.size)})
    headers["Content-Range"] = f"bytes {start}-{wanted[1] - 1}/{found.size}"
    return Stream(found.body, _JPEG, status_code=206, headers={**headers, "Content-Length": str(wanted[1] - start)})


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""


uploads_router = Router(
    path="/projects",
    route_handlers=[upload_evolution_photos, upload_measurement_photos, download],
    tags=["uploads"],
)
