"""Photos: what is stored, who may read it, what happens when something breaks. Over both kinds of store."""

from __future__ import annotations

import io
import re
import socket
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from PIL import Image

from enlevohub_api.photos import PhotoUrls
from service.construction_support import Site, key_of_url, parts
from service.images_support import image, opened
from service.s3_support import Gate, S3Server
from service.support import JWT_SECRET, Account, Api, Postgres, register, running, wait_until
from service.test_connection import make_ca, openssl

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
def file_api(postgres: Postgres, database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Api, Path]]:
    """A copy of the service that stores in a directory, with a small limit for files."""
    directory = tmp_path_factory.mktemp("files")
    extra = {"STORAGE_PATH": str(directory / "store"), "UPLOAD_MAX_SIZE": "200000"}
    api = Api(postgres.url(database), directory / "api.log", "files", extra)
    with running(api):
        yield api, directory / "store"


@pytest.fixture(params=["s3", "filesystem"])
def stored_site(request: pytest.FixtureRequest, api: Api, file_api: tuple[Api, Path]) -> Site:
    """A project over each kind of store."""
    chosen = api if request.param == "s3" else file_api[0]
    return Site(chosen, register(chosen))


def fetch(site: Site, url: str, **headers: str) -> httpx.Response:
    """Read a URL as a browser's <img> does: without a token."""
    with site.api.client() as client:
        return client.get(url, headers=headers)


def rows(postgres: Postgres, database: str, site: Site) -> list[str]:
    return postgres.sql(f"select key from uploads where project_id = '{site.id}' order by key", database).split()


def test_upload_answers_a_url_for_each_file_in_order(stored_site: Site) -> None:
    colours = ["red", "lime", "blue"]
    response = stored_site.upload(*(image(colour=colour) for colour in colours))
    assert response.status_code == 200
    urls = response.json()["urls"]
    name, query = r"\d{13}-[0-9a-z]{16}\.jpg", r"expires=\d+&signature=[\w-]{43}"
    pattern = rf"/api/v1/projects/uploads/{stored_site.id}/{name}\?{query}"
    assert all(re.fullmatch(pattern, url) for url in urls)
    found = [opened(fetch(stored_site, url).content).getpixel((9, 9)) for url in urls]
    assert [max(range(3), key=pixel.__getitem__) for pixel in found if isinstance(pixel, tuple)] == [0, 1, 2]


def test_both_paths_store_alike(stored_site: Site) -> None:
    response = stored_site.upload(image(), where="measurements")
    assert fetch(stored_site, response.json()["urls"][0]).status_code == 200


def test_photo_is_a_jpeg_without_metadata_at_most_1920_wide(stored_site: Site) -> None:
    exif = Image.Exif()
    exif[0x010E] = "private place"
    data = image(size=(3000, 1500), exif=exif, comment=b"private words")
    photo = fetch(stored_site, stored_site.upload(data).json()["urls"][0]).content
    assert (opened(photo).format, opened(photo).size) == ("JPEG", (1920, 960))
    assert b"private" not in photo
    assert len(opened(photo).getexif()) == 0


def test_photo_has_the_headers_of_a_private_immutable_file(stored_site: Site) -> None:
    response = fetch(stored_site, stored_site.photo())
    assert response.headers["content-type"] == "image/jpeg"
    assert response.headers["content-length"] == str(len(response.content))
    assert re.fullmatch(r"private, max-age=\d+, immutable", response.headers["cache-control"])
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["content-security-policy"] == "default-src 'none'; sandbox"


def test_photo_that_the_browser_has_is_304(stored_site: Site) -> None:
    url = stored_site.photo()
    tag = fetch(stored_site, url).headers["etag"]
    response = fetch(stored_site, url, **{"If-None-Match": tag})
    assert (response.status_code, response.content) == (304, b"")


@pytest.mark.parametrize(
    ("header", "start", "end"),
    [("bytes=0-9", 0, 10), ("bytes=5-", 5, None), ("bytes=-7", -7, None), ("bytes=3-3", 3, 4)],
)
def test_range_gives_the_part(stored_site: Site, header: str, start: int, end: int | None) -> None:
    url = stored_site.photo()
    whole = fetch(stored_site, url).content
    response = fetch(stored_site, url, Range=header)
    assert (response.status_code, response.content) == (206, whole[start:end])
    first = start % len(whole)
    assert response.headers["content-range"] == f"bytes {first}-{first + len(response.content) - 1}/{len(whole)}"


def test_range_beyond_the_end_is_416(stored_site: Site) -> None:
    response = fetch(stored_site, stored_site.photo(), Range="bytes=99999999-")
    assert (response.status_code, response.json()["error"]) == (416, "Range Not Satisfiable")


@pytest.mark.parametrize("header", ["bytes=0-1,4-5", "bytes=x", "lines=1-2", "bytes=9-3", "bytes=-"])
def test_range_that_is_not_understood_gives_the_whole(stored_site: Site, header: str) -> None:
    assert fetch(stored_site, stored_site.photo(), Range=header).status_code == 200


def tampered(url: str) -> list[str]:
    base, _, query = url.partition("?")
    expires, signature = query.removeprefix("expires=").split("&signature=")
    other = "A" if signature[-1] != "A" else "B"
    return [
        base,
        f"{base}?expires={expires}",
        f"{base}?signature={signature}",
        f"{base}?expires={int(expires) + 1}&signature={signature}",
        f"{base}?expires={expires}&signature={signature[:-2]}{other}{signature[-1]}",
        f"{base}?expires={expires}&signature={signature}=",
        f"{base}?expires=&signature={signature}",
        f"{base}?expires=-1&signature={signature}",
        f"{base}?expires=%00&signature=%ff",
        f"{base}?expires={expires}&signature=",
    ]


def test_url_that_was_changed_is_403(stored_site: Site) -> None:
    url = stored_site.photo()
    assert [fetch(stored_site, bad).status_code for bad in tampered(url)] == [403] * len(tampered(url))


def test_url_of_another_photo_does_not_open_this_one(stored_site: Site) -> None:
    first, second = stored_site.photo(), stored_site.photo()
    mixed = f"{first.partition('?')[0]}?{second.partition('?')[2]}"
    assert fetch(stored_site, mixed).status_code == 403


def test_url_that_is_over_is_403(stored_site: Site) -> None:
    key = key_of_url(stored_site.photo())
    urls = PhotoUrls(JWT_SECRET, 3600)
    assert fetch(stored_site, urls.sign(key)).status_code == 200
    assert fetch(stored_site, urls.sign(key, time.time() - 7200)).status_code == 403


def test_signed_url_of_nothing_is_404(stored_site: Site) -> None:
    key = f"uploads/projects/{uuid.uuid4()}/{1:013d}-abcdef.jpg"
    assert fetch(stored_site, PhotoUrls(JWT_SECRET, 3600).sign(key)).status_code == 404


@pytest.mark.parametrize(
    "path", ["x/y.jpg", "{id}/..%2f..%2fsecret", "{id}/a.php", "{id}/%00", "..%2f..%2fetc/passwd", "{id}/.hidden.jpg"]
)
def test_path_that_is_no_photo_is_404(stored_site: Site, path: str) -> None:
    url = f"/api/v1/projects/uploads/{path.format(id=stored_site.id)}?expires=9999999999&signature=x"
    assert fetch(stored_site, url).status_code == 404


def test_photo_of_one_copy_is_read_on_the_other(apis: tuple[Api, Api]) -> None:
    site = Site(apis[0], register(apis[0]))
    url = site.photo()
    here, there = fetch(site, url), fetch(site.on(apis[1]), url)
    assert (there.status_code, there.content) == (200, here.content)


def test_upload_without_a_file_is_400(stored_site: Site) -> None:
    assert stored_site.send("POST", stored_site.path("/evolutions/upload"), data={"a": "b"}).status_code == 400
    fields = {"files": [("photos", (None, b"text"))]}
    assert stored_site.send("POST", stored_site.path("/evolutions/upload"), **fields).status_code == 400


def test_upload_reads_over_fields_and_any_part_name(stored_site: Site) -> None:
    files = [("note", (None, b"text")), ("whatever", ("a.png", image("PNG"), "text/plain"))]
    response = stored_site.send("POST", stored_site.path("/evolutions/upload"), files=files)
    assert (response.status_code, len(response.json()["urls"])) == (200, 1)


def test_upload_to_an_unknown_project_is_404(stored_site: Site) -> None:
    for identity in (str(uuid.uuid4()), "x"):
        stored_site.id = identity
        assert stored_site.upload(image()).status_code == 404


@pytest.mark.parametrize("role", ["VIEWER", "BROKER", "ADMIN_STAFF"])
def test_upload_without_the_permission_is_403(site: Site, postgres: Postgres, database: str, role: str) -> None:
    site = site.as_role(role, postgres, database)
    assert (site.upload(image()).status_code, site.upload(image(), where="measurements").status_code) == (403, 403)


def test_contractor_uploads_only_to_assigned_projects(site: Site, postgres: Postgres, database: str) -> None:
    tenant = site.account.tenant_id
    contractor = postgres.sql(
        f"insert into contractors (tenant_id, name, document) values ('{tenant}', 'C', '1') returning id", database
    )
    postgres.sql(f"update users set contractor_id = '{contractor}' where id = '{site.account.user_id}'", database)
    site = site.as_role("CONTRACTOR", postgres, database)
    assert site.upload(image(), where="measurements").status_code == 404
    postgres.sql(f"insert into project_contractors values ('{tenant}', '{site.id}', '{contractor}')", database)
    assert site.upload(image(), where="measurements").status_code == 200


def test_one_bad_file_fails_the_request_and_nothing_is_stored(
    file_api: tuple[Api, Path], postgres: Postgres, database: str
) -> None:
    site = Site(file_api[0], register(file_api[0]))
    assert site.upload(image(), image("PNG"), b"no image").status_code == 400
    assert rows(postgres, database, site) == []
    assert not (file_api[1] / f"uploads/projects/{site.id}").exists()


def noise(size: int) -> bytes:
    """An image file of about so many bytes."""
    side = int(size**0.5)
    file = io.BytesIO()
    Image.effect_noise((side, side), 90).save(file, "PNG")
    return file.getvalue()


def test_file_over_the_limit_is_413(file_api: tuple[Api, Path]) -> None:
    site = Site(file_api[0], register(file_api[0]))
    assert site.upload(noise(150_000)).status_code == 200
    response = site.upload(noise(300_000))
    assert (response.status_code, response.json()["error"]) == (413, "Payload Too Large")


def test_limit_is_per_file_and_not_for_the_request(file_api: tuple[Api, Path]) -> None:
    site = Site(file_api[0], register(file_api[0]))
    assert site.upload(*[noise(120_000)] * 4).status_code == 200


def test_limit_holds_while_the_body_streams_in(file_api: tuple[Api, Path]) -> None:
    """The answer comes though the body, announced as endless, has not ended."""
    site = Site(file_api[0], register(file_api[0]))
    head = (
        f"POST {site.path('/evolutions/upload')} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {site.token}\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    part = b'--b\r\nContent-Disposition: form-data; name="photos"; filename="a.jpg"\r\n\r\n'
    with socket.create_connection(("127.0.0.1", file_api[0].port), 60) as connection:
        connection.sendall(head.encode() + b"%x\r\n%s\r\n" % (len(part), part))
        try:
            for _ in range(40):
                connection.sendall(b"2710\r\n" + b"x" * 10_000 + b"\r\n")
        except OSError:
            pass
        assert connection.recv(12) == b"HTTP/1.1 413"


def test_many_photos_of_one_request_at_once_on_two_copies(
    apis: tuple[Api, Api], postgres: Postgres, database: str
) -> None:
    site = Site(apis[0], register(apis[0]))
    sites = [site, site.on(apis[1])] * 4
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda one: one.upload(*[image()] * 3).json()["urls"], sites))
    urls = [url for answer in answers for url in answer]
    assert len({key_of_url(url) for url in urls}) == 24
    assert rows(postgres, database, site) == sorted(key_of_url(url) for url in urls)


@contextmanager
def extra_api(postgres: Postgres, database: str, directory: Path, environment: dict[str, str]) -> Iterator[Api]:
    api = Api(postgres.url(database), directory / f"{uuid.uuid4().hex}.log", "extra", environment)
    with running(api):
        yield api


def attempts(postgres: Postgres, database: str, site: Site) -> int:
    query = f"select count(*) from upload_attempts where key like 'uploads/projects/{site.id}/%'"
    return int(postgres.sql(query, database))


def test_dead_store_is_503_and_nothing_is_recorded(
    postgres: Postgres, database: str, s3: S3Server, tmp_path: Path
) -> None:
    with socket.socket() as dead:
        dead.bind(("127.0.0.1", 0))
        environment = s3.environment("dead", f"http://127.0.0.1:{dead.getsockname()[1]}")
        with extra_api(postgres, database, tmp_path, environment) as api:
            site = Site(api, register(api))
            response = site.upload(image())
            key = f"uploads/projects/{site.id}/{1:013d}-abcdef.jpg"
            download = fetch(site, PhotoUrls(JWT_SECRET, 3600).sign(key))
    assert (response.status_code, response.headers["retry-after"]) == (503, "2")
    assert (download.status_code, download.headers["retry-after"]) == (503, "2")
    assert (rows(postgres, database, site), s3.keys(f"dead/uploads/projects/{site.id}")) == ([], [])


def test_second_endpoint_stands_in_for_a_dead_and_a_hanging_one(
    postgres: Postgres, database: str, s3: S3Server, tmp_path: Path
) -> None:
    gate = Gate(s3.port)
    gate.shut()
    with socket.socket() as dead:
        dead.bind(("127.0.0.1", 0))
        endpoints = (f"http://127.0.0.1:{dead.getsockname()[1]}", gate.endpoint, s3.endpoint)
        with extra_api(postgres, database, tmp_path, s3.environment("several", *endpoints)) as api:
            site = Site(api, register(api))
            url = site.photo()
            assert fetch(site, url).status_code == 200
    gate.close()


def test_store_lost_between_two_photos_is_503_and_both_are_taken_back(
    postgres: Postgres, database: str, s3: S3Server, tmp_path: Path
) -> None:
    gate = Gate(s3.port)
    with extra_api(postgres, database, tmp_path, s3.environment("lost", gate.endpoint)) as api:
        site = Site(api, register(api))
        url = site.photo()
        gate.objects_let_in = 1
        assert site.upload(image(), image()).status_code == 503
        assert rows(postgres, database, site) == [key_of_url(url)]
        gate.objects_let_in = None
        gate.open()
        age_attempts(postgres, database)
        kept = [key_of_url(url), key_of_url(site.photo())]
        assert [key.removeprefix("lost/") for key in s3.keys(f"lost/uploads/projects/{site.id}")] == sorted(kept)
        assert attempts(postgres, database, site) == 0
    gate.close()


def age_attempts(postgres: Postgres, database: str) -> None:
    postgres.sql("update upload_attempts set created_at = created_at - interval '2 hours'", database)


def test_copy_killed_while_the_body_arrives_leaves_nothing(
    postgres: Postgres, database: str, s3: S3Server, tmp_path: Path
) -> None:
    with extra_api(postgres, database, tmp_path, s3.environment("killed")) as api:
        site = Site(api, register(api))
        body = httpx.Request("POST", "http://a", files=parts(image(), noise(300_000))).read()
        boundary = body[2 : body.index(b"\r\n")].decode()
        head = (
            f"POST {site.path('/evolutions/upload')} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {site.token}\r\n"
            f"Content-Type: multipart/form-data; boundary={boundary}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        with socket.create_connection(("127.0.0.1", api.port), 60) as connection:
            connection.sendall(head.encode() + body[: len(body) // 2])
            wait_until(lambda: runs(api), "the upload runs", 30)
            api.stop()
    assert (rows(postgres, database, site), s3.keys(f"killed/uploads/projects/{site.id}")) == ([], [])


def runs(api: Api) -> bool:
    """The copy has a request at work."""
    metrics = api.metrics()
    return re.search(r"^enlevohub_http_requests_running 1(\.0)?$", metrics, re.MULTILINE) is not None


def test_copy_killed_while_it_stores_leaves_nothing_visible_and_is_swept(
    postgres: Postgres, database: str, s3: S3Server, tmp_path: Path
) -> None:
    gate = Gate(s3.port)
    environment = s3.environment("swept", gate.endpoint)
    with extra_api(postgres, database, tmp_path, environment) as api, ThreadPoolExecutor(1) as pool:
        site = Site(api, register(api))
        site.photo()
        gate.objects_let_in = 1
        answer = pool.submit(site.upload, image(), image())
        wait_until(lambda: len(s3.keys(f"swept/uploads/projects/{site.id}")) == 2, "one of two is stored", 60)
        api.stop()
        with pytest.raises(httpx.TransportError):
            answer.result()
    assert (len(rows(postgres, database, site)), attempts(postgres, database, site)) == (1, 2)
    age_attempts(postgres, database)
    with extra_api(postgres, database, tmp_path, s3.environment("swept")) as api:
        site.on(api).photo()
    assert [key.removeprefix("swept/") for key in s3.keys(f"swept/uploads/projects/{site.id}")] == rows(
        postgres, database, site
    )
    gate.close()


def test_store_over_tls_is_checked_against_its_ca(
    postgres: Postgres, database: str, s3: S3Server, tmp_path: Path, account: Account
) -> None:
    authority, certificate, key = certified(tmp_path)
    port = s3.start_tls_gateway(certificate, key)
    environment = s3.environment("tls", f"https://127.0.0.1:{port}")
    with extra_api(postgres, database, tmp_path, {**environment, "S3_CA_FILE": str(authority)}) as api:
        site = Site(api, account)
        assert fetch(site, site.photo()).status_code == 200
    with extra_api(postgres, database, tmp_path, environment) as api:
        assert Site(api, account).upload(image()).status_code == 503


def certified(directory: Path) -> tuple[Path, Path, Path]:
    """An authority, and a certificate and key for 127.0.0.1."""
    authority = make_ca(directory, "authority")
    openssl(
        directory, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=s3",
        "-keyout", "s3.key", "-out", "s3.csr",
    )  # fmt: skip
    (directory / "names").write_text("subjectAltName=IP:127.0.0.1\n")
    openssl(
        directory, "x509", "-req", "-in", "s3.csr", "-CA", "authority.crt", "-CAkey", "authority.key",
        "-CAcreateserial", "-days", "2", "-extfile", "names", "-out", "s3.crt",
    )  # fmt: skip
    return authority, directory / "s3.crt", directory / "s3.key"
