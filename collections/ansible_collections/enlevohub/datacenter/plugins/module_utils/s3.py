"""One signed request to an S3 service, with the standard library only (AWS Signature Version 4)."""

from __future__ import annotations

import datetime
import hashlib
import hmac
import http.client
import re
import ssl
from urllib.parse import quote, urlsplit


class S3Error(RuntimeError):
    """The service could not be asked; the text says why and holds no secret."""


def sign(
    method: str,
    host: str,
    path: str,
    query: str,
    body: bytes,
    credentials: tuple[str, str],
    region: str,
    now: datetime.datetime,
) -> dict[str, str]:
    """Return the headers of a signed request.

    Args:
        method: for example ``PUT``.
        host: value of the Host header.
        path: quoted path.
        query: quoted and sorted query without ``?``.
        body: the whole body.
        credentials: access key and secret key.
        region: region of the bucket.
        now: present time, UTC.
    """
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    digest = hashlib.sha256(body).hexdigest()
    headers = {"host": host, "x-amz-content-sha256": digest, "x-amz-date": stamp}
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    canonical = "\n".join([method, path, query, lines, names, digest])
    scope = f"{stamp[:8]}/{region}/s3/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = b"AWS4" + credentials[1].encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={credentials[0]}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    return headers


def request(
    endpoint: str,
    method: str,
    target: str,
    credentials: tuple[str, str] | None,
    body: bytes = b"",
    region: str = "us-east-1",
    context: ssl.SSLContext | None = None,
    timeout: float = 10,
    query: str = "",
) -> tuple[int, bytes]:
    """Send one request and return status and body of the answer.

    Args:
        endpoint: URL of the service.
        method: for example ``GET``.
        target: bucket, or bucket and key, without a slash before it.
        credentials: access key and secret key; None: not signed.
        body: what to send.
        region: region of the bucket.
        context: TLS settings; None: those of the system.
        timeout: seconds for the connection and for each read.
        query: quoted and sorted query without ``?``.

    Raises:
        S3Error: there was no answer.
    """
    url = urlsplit(endpoint)
    path = f"{url.path.rstrip('/')}/{quote(target, safe='/-_.~')}"
    headers = {"host": url.netloc}
    if credentials is not None:
        now = datetime.datetime.now(datetime.timezone.utc)
        headers = sign(method, url.netloc, path, query, body, credentials, region, now)
    if not url.hostname:
        raise S3Error(f"{endpoint} is no URL")
    connection: http.client.HTTPConnection
    if url.scheme == "https":
        connection = http.client.HTTPSConnection(url.hostname, url.port, timeout=timeout, context=context)
    else:
        connection = http.client.HTTPConnection(url.hostname, url.port, timeout=timeout)
    try:
        connection.request(method, path + (f"?{query}" if query else ""), body or None, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise S3Error(f"{endpoint}: {error}") from error
    finally:
        connection.close()


def error_code(body: bytes) -> str:
    """Return the code inside an error's XML, for example ``AccessDenied``; empty when there is none."""
    found = re.search(rb"<Code>([A-Za-z0-9]+)</Code>", body)
    return found[1].decode() if found else ""
