"""Records of progress and their photos."""

from __future__ import annotations

import re
import uuid

import httpx
import pytest

from service.construction_support import Site, key_of_url
from service.images_support import image
from service.support import Api, Postgres, register

pytestmark = pytest.mark.postgres

BODY = {"percentage": 12.5, "phase": "Fundação"}


def test_evolution_has_every_column_and_its_user(site: Site) -> None:
    evolution = site.post("/evolutions", {**BODY, "date": "2026-01-02T00:00:00.000Z", "notes": "ok"})
    assert set(evolution) == {
        "id", "projectId", "date", "percentage", "phase", "photos", "notes", "reportedBy", "createdAt", "updatedAt",
        "user",
    }  # fmt: skip
    assert (evolution["date"], evolution["percentage"], evolution["photos"]) == ("2026-01-02T00:00:00.000Z", 12.5, [])
    assert evolution["user"] == {"id": site.account.user_id, "name": "Ana"}
    assert evolution["reportedBy"] == site.account.user_id


def test_evolution_without_a_date_is_of_now(site: Site) -> None:
    evolution = site.post("/evolutions", BODY)
    assert evolution["date"][:16] == evolution["createdAt"][:16]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", evolution["date"])


def test_list_is_a_bare_array_newest_date_first(site: Site) -> None:
    assert site.get("/evolutions") == []
    for day in ("01", "03", "02"):
        site.post("/evolutions", {**BODY, "date": f"2026-01-{day}T00:00:00.000Z"})
    assert [item["date"][8:10] for item in site.get("/evolutions")] == ["03", "02", "01"]


def test_change_keeps_what_is_not_sent(site: Site) -> None:
    first = site.post("/evolutions", {**BODY, "notes": "n", "photos": [site.photo()]})
    changed = site.patch(f"/evolutions/{first['id']}", {"percentage": 99.99})
    assert (changed["percentage"], changed["phase"], changed["notes"]) == (99.99, "Fundação", "n")
    assert [key_of_url(url) for url in changed["photos"]] == [key_of_url(url) for url in first["photos"]]


def test_change_of_photos_replaces_the_list(site: Site) -> None:
    old, new = site.photo(), site.photo()
    evolution = site.post("/evolutions", {**BODY, "photos": [old]})
    changed = site.patch(f"/evolutions/{evolution['id']}", {"photos": [new, old]})
    assert [key_of_url(url) for url in changed["photos"]] == [key_of_url(new), key_of_url(old)]
    assert site.patch(f"/evolutions/{evolution['id']}", {"photos": []})["photos"] == []


def test_delete_removes_the_record_and_then_is_404(site: Site) -> None:
    path = f"/evolutions/{site.post('/evolutions', BODY)['id']}"
    assert set(site.delete(path)) == {"message"}
    site.delete(path, expect=404)
    assert site.get("/evolutions") == []


def test_photo_of_a_record_opens_where_ever_it_is_shown(site: Site) -> None:
    site.post("/evolutions", {**BODY, "photos": [site.photo()]})
    shown = [
        site.get("/evolutions")[0]["photos"][0],
        site.get()["evolutions"][0]["photos"][0],
        site.ask("GET", "/api/v1/projects")["data"][0]["evolutions"][0]["photos"][0],
        site.ask("GET", "/api/v1/projects/dashboard/stats")["recentProjects"][0]["evolutions"][0]["photos"][0],
        site.patch("", {"name": "Nova"})["evolutions"][0]["photos"][0],
    ]
    assert [httpx.get(site.api.base + url).status_code for url in shown] == [200] * 5


def test_database_keeps_the_key_of_each_form_of_a_photo(site: Site, postgres: Postgres, database: str) -> None:
    url = site.photo()
    path = url.partition("?")[0]
    forms = [url, path, key_of_url(url), f"https://hub.example{url}"]
    evolution = site.post("/evolutions", {**BODY, "photos": forms})
    query = f"select photos from evolutions where id = '{evolution['id']}'"
    assert postgres.sql(query, database) == str([key_of_url(url)] * 4).replace("'", '"')


@pytest.mark.parametrize(
    "photo",
    [
        "", "x.jpg", "/etc/passwd", "../../x.jpg", "javascript:alert(1)", "https://evil.example/a.jpg",
        "data:image/png,x",
        "uploads/projects/{id}/1700000000000-abcdef.jpg", "/api/v1/projects/uploads/{id}/1700000000000-abcdef.jpg",
        "uploads/projects/{id}/../x.jpg", "http://[", "uploads/projects/{id}/1700000000000-abcdef.png",
    ],
)  # fmt: skip
def test_text_that_is_no_stored_photo_is_400(site: Site, photo: str) -> None:
    site.post("/evolutions", {**BODY, "photos": [photo.replace("{id}", site.id)]}, expect=400)
    evolution = site.post("/evolutions", BODY)
    site.patch(f"/evolutions/{evolution['id']}", {"photos": [photo]}, expect=400)


def test_photo_of_another_project_is_400(api: Api, site: Site) -> None:
    other_project, other_tenant = Site(api, site.account), Site(api, register(api))
    for url in (other_project.photo(), other_tenant.photo()):
        site.post("/evolutions", {**BODY, "photos": [url]}, expect=400)
        site.post("/evolutions", {**BODY, "photos": [url.replace(other_tenant.id, site.id)]}, expect=400)


def test_old_text_in_the_database_is_shown_as_it_is_and_may_be_kept(
    site: Site, postgres: Postgres, database: str
) -> None:
    evolution = site.post("/evolutions", BODY)
    postgres.sql(f"""update evolutions set photos = '["/x.jpg"]' where id = '{evolution["id"]}'""", database)
    assert site.get("/evolutions")[0]["photos"] == ["/x.jpg"]
    assert site.patch(f"/evolutions/{evolution['id']}", {"photos": ["/x.jpg"]})["photos"] == ["/x.jpg"]


def test_description_that_looks_like_a_photo_is_not_signed(api: Api, site: Site) -> None:
    key = key_of_url(Site(api, register(api)).photo())
    project = site.patch("", {"description": key, "metadata": {"photos": [key]}})
    assert (project["description"], project["metadata"]) == (key, {"photos": [key]})
    evolution = site.post("/evolutions", {**BODY, "notes": key, "phase": key})
    assert (evolution["notes"], evolution["phase"]) == (key, key)


@pytest.mark.parametrize(
    "change",
    [
        {"percentage": -0.01}, {"percentage": 100.01}, {"percentage": "50"}, {"percentage": None}, {"phase": "x"},
        {"phase": None}, {"date": "2026-01-02"}, {"date": "x"}, {"date": 1}, {"photos": "x"}, {"photos": [1]},
        {"photos": None}, {"notes": 5}, {"notes": "a\u0000b"}, {"date": "0001-01-01T00:00:00Z"},
    ],
)  # fmt: skip
def test_wrong_value_is_400(site: Site, change: dict[str, object]) -> None:
    evolution = site.post("/evolutions", BODY)
    nullable = change in ({"percentage": None}, {"phase": None}, {"photos": None})
    answer = site.post("/evolutions", {**BODY, **change}, expect=400)
    assert isinstance(answer["message"], str) or nullable
    site.patch(f"/evolutions/{evolution['id']}", change, expect=400)


@pytest.mark.parametrize("missing", ["percentage", "phase"])
def test_missing_value_is_400(site: Site, missing: str) -> None:
    site.post("/evolutions", {key: value for key, value in BODY.items() if key != missing}, expect=400)


@pytest.mark.parametrize("identity", ["x", str(uuid.uuid4()), "1" * 32])
def test_unknown_ids_are_404(site: Site, identity: str) -> None:
    site.patch(f"/evolutions/{identity}", {}, expect=404)
    site.delete(f"/evolutions/{identity}", expect=404)
    site.id = identity
    site.get("/evolutions", expect=404)
    site.post("/evolutions", BODY, expect=404)


def test_record_of_another_project_is_404(api: Api, site: Site) -> None:
    evolution = Site(api, site.account).post("/evolutions", BODY)
    site.patch(f"/evolutions/{evolution['id']}", {"phase": "Outra"}, expect=404)
    site.delete(f"/evolutions/{evolution['id']}", expect=404)


def test_permissions(site: Site, postgres: Postgres, database: str) -> None:
    evolution = site.post("/evolutions", BODY)
    engineer = site.as_role("ENGINEER", postgres, database)
    engineer.post("/evolutions", BODY)
    engineer.delete(f"/evolutions/{evolution['id']}", expect=403)
    viewer = site.as_role("VIEWER", postgres, database)
    viewer.post("/evolutions", BODY, expect=403)
    viewer.patch(f"/evolutions/{evolution['id']}", {}, expect=403)
    assert len(viewer.get("/evolutions")) == 2


def test_upload_then_record_on_the_other_copy(apis: tuple[Api, Api]) -> None:
    site = Site(apis[0], register(apis[0]))
    url = site.upload(image()).json()["urls"][0]
    evolution = site.on(apis[1]).post("/evolutions", {**BODY, "photos": [url]})
    assert key_of_url(evolution["photos"][0]) == key_of_url(url)


def test_only_photos_of_records_become_urls(site: Site) -> None:
    """Texts and metadata of users that look like photos leave as they came, else anybody could have a key signed."""
    key = key_of_url(site.photo())
    lure = {"projectId": site.id, "photos": [key]}
    text = f'"projectId":"{site.id}","photos":["{key}"]'
    site.ask("PATCH", site.path(""), json={"metadata": lure, "description": text})
    site.post("/evolutions", {**BODY, "notes": text})
    shown = site.get("")
    assert (shown["metadata"], shown["description"], shown["evolutions"][0]["notes"]) == (lure, text, text)
