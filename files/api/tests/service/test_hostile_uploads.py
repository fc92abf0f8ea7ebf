"""Hostile uploads over HTTP: none is stored, and the service goes on."""

from __future__ import annotations

import pytest

from hostile_files import CLEANED, REFUSED
from service.construction_support import Site
from service.images_support import image, opened
from service.s3_support import S3Server
from service.support import Api, Postgres, register

pytestmark = pytest.mark.postgres

PART = b'Content-Disposition: form-data; name="photos"; filename="a.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
PHOTO = b"--b\r\n" + PART + image() + b"\r\n"
END = b"--b--\r\n"

BODIES: dict[str, tuple[str, bytes, int]] = {
    "no content type": ("", PHOTO + END, 400),
    "json": ("application/json", b"{}", 400),
    "no boundary": ("multipart/form-data", PHOTO + END, 400),
    "empty boundary": ("multipart/form-data; boundary=", PHOTO + END, 400),
    "huge boundary": (f"multipart/form-data; boundary={'b' * 5000}", PHOTO + END, 400),
    "other boundary": ("multipart/form-data; boundary=c", PHOTO + END, 400),
    "multipart/mixed": ("multipart/mixed; boundary=b", PHOTO + END, 400),
    "empty body": ("multipart/form-data; boundary=b", b"", 400),
    "only the end": ("multipart/form-data; boundary=b", END, 400),
    "no end": ("multipart/form-data; boundary=b", PHOTO, 400),
    "photo and then no end": ("multipart/form-data; boundary=b", PHOTO + b"--b\r\n" + PART + b"half", 400),
    "huge header": ("multipart/form-data; boundary=b", b"--b\r\nX: " + b"x" * 100_000 + b"\r\n" + PART + b"x", 413),
    "many headers": ("multipart/form-data; boundary=b", b"--b\r\n" + b"X: x\r\n" * 5000 + PART + b"x", 413),
    "thousands of parts": (
        "multipart/form-data; boundary=b",
        PHOTO * 5 + (b"--b\r\n" + PART + b"\r\n") * 5000 + END,
        400,
    ),
    "thousands of fields": (
        "multipart/form-data; boundary=b",
        b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n' * 5000 + END,
        413,
    ),
    "header without a colon": ("multipart/form-data; boundary=b", b"--b\r\nxx\r\n\r\nx\r\n" + END, 400),
    "name of broken text": (
        "multipart/form-data; boundary=b",
        b'--b\r\nContent-Disposition: form-data; name="\xff\xfe"; filename="a"\r\n\r\nx\r\n' + END,
        400,
    ),
}


@pytest.fixture(scope="module")
def target(api: Api) -> Site:
    return Site(api, register(api))


@pytest.fixture(scope="module", autouse=True)
def nothing_is_stored(target: Site, s3: S3Server, postgres: Postgres, database: str) -> object:
    """After all tests the project has no object and no row."""
    yield
    assert s3.keys(f"shared/uploads/projects/{target.id}") == []
    query = f"select count(*) from uploads where project_id = '{target.id}'"
    assert postgres.sql(query, database) == "0"


@pytest.mark.parametrize("name", REFUSED)
def test_hostile_file_is_400(target: Site, name: str) -> None:
    response = target.upload(REFUSED[name]())
    assert (response.status_code, response.json()["error"]) == (400, "Bad Request")


def test_hostile_file_after_a_good_one_is_400(target: Site) -> None:
    assert target.upload(image(), REFUSED["svg"]()).status_code == 400


@pytest.mark.parametrize("name", BODIES)
def test_hostile_body_is_refused(target: Site, name: str) -> None:
    content_type, body, status = BODIES[name]
    headers = {"Content-Type": content_type} if content_type else {}
    response = target.send("POST", target.path("/evolutions/upload"), content=body, headers=headers)
    assert response.status_code == status
    assert set(response.json()) >= {"error", "message"}


@pytest.mark.parametrize("kind", ["text/html", "image/svg+xml", "application/x-php", "", 'image/jpeg; x="y'])
@pytest.mark.parametrize(
    "name", ["a.php", "../../../etc/cron.d/a", "a.jpg.html", "C:\\x.exe", ".htaccess", "a\x00.jpg"]
)
def test_declared_type_and_name_mean_nothing(api: Api, account_site: Site, kind: str, name: str) -> None:
    files = [("photos", (name, image("PNG"), kind))]
    response = account_site.send("POST", account_site.path("/evolutions/upload"), files=files)
    assert response.status_code == 200
    photo = account_site.send("GET", response.json()["urls"][0])
    assert photo.headers["content-type"] == "image/jpeg"
    assert opened(photo.content).format == "JPEG"


@pytest.fixture(scope="module")
def account_site(api: Api) -> Site:
    return Site(api, register(api))


@pytest.mark.parametrize("name", CLEANED)
def test_stored_photo_has_no_passenger(account_site: Site, name: str) -> None:
    response = account_site.upload(CLEANED[name]())
    assert response.status_code == 200
    photo = account_site.send("GET", response.json()["urls"][0]).content
    assert opened(photo).size == (64, 48)
    assert b"script" not in photo
