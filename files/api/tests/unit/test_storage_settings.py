"""Settings of the store: what it takes, what it refuses, and what it never shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from enlevohub_api.settings import SettingsError, load_settings
from enlevohub_api.storage import FilesystemStorage, S3Storage, open_storage

GOOD = {
    "DATABASE_URL": "postgresql://app:pa55-w0rd@db1/app?target_session_attrs=read-write",
    "JWT_SECRET": "4f1d0c9b7a6e5d8c3b2a1908f7e6d5c4",
}
S3 = {
    **GOOD,
    "STORAGE_PATH": "s3://bucket-1/some/prefix",
    "S3_ENDPOINT": "https://s3a.example:8333, http://192.0.2.7:9000/",
    "S3_ACCESS_KEY_ID": "AKIDTESTS0001",
    "S3_SECRET_ACCESS_KEY": "sk-9f3b7c1d5e8a2046",
}


def problem(environment: dict[str, str]) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(environment)
    return str(caught.value)


def test_path_is_a_directory() -> None:
    store = open_storage(load_settings({**GOOD, "STORAGE_PATH": "/srv/files"}))
    assert (type(store), store.uri) == (FilesystemStorage, "/srv/files")


def test_uri_is_a_bucket_of_all_endpoints() -> None:
    settings = load_settings(S3)
    assert settings.s3_endpoint == ("https://s3a.example:8333", "http://192.0.2.7:9000")
    store = open_storage(settings)
    assert (type(store), store.uri) == (S3Storage, "s3://bucket-1/some/prefix")
    assert "sk-9f3b" not in repr(settings) + repr(store)


def test_uri_without_an_endpoint_is_aws() -> None:
    assert type(open_storage(load_settings({**S3, "S3_ENDPOINT": ""}))) is S3Storage


def test_keys_are_read_from_files(tmp_path: Path) -> None:
    (tmp_path / "id").write_text("AKIDTESTS0001\n")
    (tmp_path / "key").write_text("sk-9f3b7c1d5e8a2046\n")
    environment = {name: value for name, value in S3.items() if "KEY" not in name}
    environment |= {"S3_ACCESS_KEY_ID_FILE": str(tmp_path / "id"), "S3_SECRET_ACCESS_KEY_FILE": str(tmp_path / "key")}
    settings = load_settings(environment)
    assert (settings.s3_access_key_id, settings.s3_secret_access_key) == ("AKIDTESTS0001", "sk-9f3b7c1d5e8a2046")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"S3_ACCESS_KEY_ID": ""}, "S3_ACCESS_KEY_ID is missing"),
        ({"S3_SECRET_ACCESS_KEY": ""}, "S3_SECRET_ACCESS_KEY is missing"),
        ({"S3_SECRET_ACCESS_KEY": "change-me"}, "S3_SECRET_ACCESS_KEY is a placeholder"),
        ({"S3_ENDPOINT": "s3a:8333"}, "S3_ENDPOINT must be an http"),
        ({"S3_ENDPOINT": "https://s3a,"}, "S3_ENDPOINT must be an http"),
        ({"S3_CA_FILE": "/no/such/ca.crt"}, "S3_CA_FILE names a file that does not exist"),
        ({"S3_REGION": "a b"}, "S3_REGION must be"),
        ({"STORAGE_PATH": "s3://Bucket"}, "STORAGE_PATH must be"),
        ({"STORAGE_PATH": "http://s3a/bucket"}, "STORAGE_PATH must be"),
        ({"UPLOAD_URL_EXPIRES_IN": "12"}, "UPLOAD_URL_EXPIRES_IN must be"),
    ],
)
def test_wrong_value_is_named_and_no_secret_is_shown(change: dict[str, str], expected: str) -> None:
    text = problem({**S3, **change})
    assert expected in text
    assert "sk-9f3b" not in text
