"""An S3 service of somebody else is used once before any change; a small one that checks signatures answers here."""

from __future__ import annotations

import datetime
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from ansible_collections.enlevohub.datacenter.plugins.module_utils.s3 import sign
from ansible_collections.enlevohub.datacenter.plugins.modules.preflight import storage_problem

KEYS = {"access_key": "AKIDTESTS0001", "secret_key": "sk-9f3b7c1d5e8a2046"}
GIVEN = {"bucket": "photos", "region": "eu-west-1", **KEYS}


class Bucket(BaseHTTPRequestHandler):
    """A bucket called photos that refuses every signature but the right one."""

    objects: dict[str, bytes]
    forgetful = False

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def answer(self, status: int, body: bytes = b"") -> None:
        """Send an answer."""
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def handle_any(self) -> None:
        """Check the signature, then keep, give or forget an object."""
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        stamp = datetime.datetime.strptime(self.headers["x-amz-date"], "%Y%m%dT%H%M%SZ")
        wanted = sign(
            self.command, self.headers["host"], self.path, "", body, (KEYS["access_key"], KEYS["secret_key"]),
            "eu-west-1", stamp,
        )  # fmt: skip
        if self.headers["authorization"] != wanted["authorization"]:
            self.answer(403, b"<Error><Code>SignatureDoesNotMatch</Code></Error>")
        elif not self.path.startswith("/photos/"):
            self.answer(404, b"<Error><Code>NoSuchBucket</Code></Error>")
        elif self.command == "PUT":
            self.objects[self.path] = b"" if self.forgetful else body
            self.answer(200)
        elif self.command == "DELETE":
            self.objects.pop(self.path, None)
            self.answer(204)
        else:
            self.answer(200, self.objects[self.path])


@pytest.fixture
def bucket() -> type[Bucket]:
    """A bucket of this test's own."""
    methods = {f"do_{method}": Bucket.handle_any for method in ("PUT", "GET", "DELETE")}
    return type("ThisBucket", (Bucket,), {"objects": {}, **methods})


@pytest.fixture
def endpoint(bucket: type[Bucket]) -> Iterator[str]:
    """The URL of a service with that bucket."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), bucket)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_good_bucket_has_no_finding_and_nothing_stays_in_it(endpoint: str, bucket: type[Bucket]) -> None:
    assert storage_problem(endpoint, GIVEN) == ("", "")
    assert bucket.objects == {}


def test_wrong_secret_key_is_told(endpoint: str) -> None:
    problem, variable = storage_problem(endpoint, {**GIVEN, "secret_key": "another"})
    assert problem.endswith("answers PUT with HTTP 403 SignatureDoesNotMatch")
    assert variable == "storage_secrets"


def test_missing_bucket_is_told(endpoint: str) -> None:
    problem, variable = storage_problem(endpoint, {**GIVEN, "bucket": "fotos"})
    assert problem.endswith("HTTP 404 NoSuchBucket")
    assert variable == "storage_external_bucket"


def test_store_that_loses_content_is_told(endpoint: str, bucket: type[Bucket]) -> None:
    bucket.forgetful = True
    assert storage_problem(endpoint, GIVEN)[0].endswith("does not give back what was written")


def test_service_that_is_away_is_told_without_the_keys() -> None:
    problem, variable = storage_problem("http://127.0.0.1:9", GIVEN)
    assert "refused" in problem
    assert variable == "storage_external_endpoints"
    assert not any(key in problem for key in KEYS.values())
