"""Keys and signed URLs of photos."""

from __future__ import annotations

import json
import uuid
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enlevohub_api.photos import PhotoUrls, key_of, new_key

URLS = PhotoUrls("0f5a3c7e9b1d2f4a6c8e0b2d4f6a8c0e", 3600)
PROJECT = uuid.UUID("11111111-1111-4111-8111-111111111111")
KEY = f"uploads/projects/{PROJECT}/1700000000000-abcdef.jpg"
NOW = 1_800_000_000.0


def parts(url: str) -> tuple[int, str]:
    query = parse_qs(urlsplit(url).query)
    return int(query["expires"][0]), query["signature"][0]


@given(st.floats(0, 4e9), st.floats(0, 3599))
def test_url_opens_for_at_least_its_life(now: float, later: float) -> None:
    assert URLS.remaining(KEY, *parts(URLS.sign(KEY, now)), now + later) > 0


@given(st.floats(0, 4e9))
def test_url_is_over_after_half_more_than_its_life(now: float) -> None:
    assert URLS.remaining(KEY, *parts(URLS.sign(KEY, now)), now + 5401) == 0


def test_url_stays_the_same_for_a_while() -> None:
    assert URLS.sign(KEY, NOW) == URLS.sign(KEY, NOW + 1)
    assert URLS.sign(KEY, NOW) != URLS.sign(KEY, NOW + 1801)


@given(st.text(max_size=60), st.integers(-(10**18), 10**18), st.text(max_size=60))
def test_forged_url_never_opens(key: str, expires: int, signature: str) -> None:
    assert URLS.remaining(key, expires, signature, NOW) == 0
    assert URLS.remaining(KEY, expires, signature, NOW) == 0


@given(st.integers(0, 2**256 - 1))
def test_signature_of_another_secret_does_not_open(number: int) -> None:
    other = PhotoUrls(f"{number:064x}", 3600)
    assert URLS.remaining(KEY, *parts(other.sign(KEY, NOW)), NOW) == 0


def test_changed_key_or_time_does_not_open() -> None:
    expires, signature = parts(URLS.sign(KEY, NOW))
    assert URLS.remaining(KEY, expires, signature, NOW) > 0
    assert URLS.remaining(KEY, expires + 1, signature, NOW) == 0
    assert URLS.remaining(KEY.replace("abcdef", "abcdeg"), expires, signature, NOW) == 0


def test_new_keys_differ_and_are_read_in_every_form() -> None:
    keys = [new_key(PROJECT) for _ in range(1000)]
    assert len(set(keys)) == 1000
    url = URLS.sign(keys[0], NOW)
    for form in (keys[0], url, url.partition("?")[0], f"https://hub.example{url}", f"http://192.0.2.1:81{url}#x"):
        assert key_of(form, PROJECT) == keys[0]
        assert key_of(form, uuid.UUID(int=1)) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        KEY + "\n",
        KEY + "/",
        "/" + KEY,
        KEY.upper(),
        KEY.replace("jpg", "png"),
        KEY.replace("/", "//"),
        "http://[",
    ],
)
def test_other_text_is_no_photo(text: str) -> None:
    assert key_of(text, PROJECT) is None


@given(st.text(max_size=200))
def test_any_text_is_read_without_an_error(text: str) -> None:
    assert key_of(text, PROJECT) is None
    assert URLS.sign_all([text, KEY], str(PROJECT))[0] == text


def test_only_photos_of_the_own_project_are_signed() -> None:
    signed = URLS.sign_all([KEY, "x"], str(uuid.UUID(int=1)))
    assert signed == [KEY, "x"]


def evolution_text(project: object, photos: str) -> str:
    """An evolution as `sql.EVOLUTION_FIELDS` writes it."""
    return f'{{"id":"1","notes":null,"projectId":"{project}","photos":{photos}}}'


def test_json_of_evolutions_gets_urls_for_the_keys_of_its_project() -> None:
    other = f"uploads/projects/{uuid.uuid4()}/1700000000000-abcdef.jpg"
    text = URLS.sign_json(evolution_text(PROJECT, f'["{KEY}", "{other}", "old.jpg"]'))
    first, second, third = json.loads(text)["photos"]
    assert URLS.remaining(KEY, *parts(first)) > 0
    assert (second, third) == (other, "old.jpg")


def test_json_without_photos_stays_as_it_is() -> None:
    text = evolution_text(PROJECT, "[]")
    assert URLS.sign_json(text) == text


@given(st.text())
def test_json_text_that_looks_like_photos_is_not_signed(before: str) -> None:
    lure = f'{before}"projectId":"{PROJECT}","photos":["{KEY}"]'
    text = json.dumps({"notes": lure}, separators=(",", ":"))
    assert URLS.sign_json(text) == text
