"""Photos, as people upload them through the API."""

from __future__ import annotations

import uuid
import zlib
from dataclasses import dataclass

from enlevohub_drill.site import Answer, Datacenter


def picture(red: int = 200) -> bytes:
    """Return a PNG of 8 x 8 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return len(data).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")

    head = (8).to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0])
    rows = b"".join(b"\0" + bytes([red, 40, 40]) * 8 for _ in range(8))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def send(site: Datacenter, token: str, project: str, content: bytes, base: str = "") -> Answer:
    """Upload one photo to a project.

    Args:
        site: the datacenter.
        token: access token of a user of the company.
        project: id of the project.
        content: the photo.
        base: address of one backend; empty: the public address.
    """
    boundary = uuid.uuid4().hex
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="photos"; filename="obra.png"\r\n'
    body = f"{head}Content-Type: image/png\r\n\r\n".encode() + content + f"\r\n--{boundary}--\r\n".encode()
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    return site.get(f"{base}/api/v1/projects/{project}/evolutions/upload", body, token, headers, timeout=60)


def upload(site: Datacenter, token: str, project: str, base: str = "") -> str:
    """Upload a photo to a project; returns its URL."""
    answer = send(site, token, project, picture(), base)
    assert answer.status == 200, answer.text
    (url,) = answer.body["urls"]
    return str(url)


@dataclass
class Work:
    """What a company did: its token, a project, a photo in it."""

    token: str
    project: str
    photo: str


def work(site: Datacenter) -> Work:
    """Sign a company up, create a project, upload a photo."""
    token = site.register()["tokens"]["accessToken"]
    answer = site.create_project(token)
    assert answer.status == 201, answer.text
    return Work(token, answer.body["id"], upload(site, token, answer.body["id"]))
