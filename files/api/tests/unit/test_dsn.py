"""Connection URLs."""

from __future__ import annotations

import pytest

from enlevohub_api.dsn import DsnError, parse_dsn


def test_dsn_reads_every_part() -> None:
    dsn = parse_dsn("postgresql://a%40b:p%2Fw%3A1@db1,db2:5433,[::1]:5434/my%20db?sslmode=verify-full&sslrootcert=/ca")
    assert (dsn.user, dsn.password, dsn.database) == ("a@b", "p/w:1", "my db")
    assert dsn.hosts == (("db1", 5432), ("db2", 5433), ("::1", 5434))
    assert (dsn.sslmode, dsn.sslrootcert) == ("verify-full", "/ca")


def test_dsn_without_sslmode_uses_no_tls() -> None:
    assert parse_dsn("postgres://a:b@c/d").sslmode == "disable"


def test_dsn_repr_hides_the_password() -> None:
    assert "hidden-one" not in repr(parse_dsn("postgresql://a:hidden-one@c/d"))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "db1/app",
        "http://a:b@c/d",
        "postgresql://a:b@/d",
        "postgresql://a:b@c/",
        "postgresql://a:b@c:0/d",
        "postgresql://a:b@c:70000/d",
        "postgresql://a:b@[::1/d",
        "postgresql://a:b@c/d/e",
        "postgresql://a:b@c/d ",
        "postgresql://a:b@c/d?sslmode",
        "postgresql://a:b@c/d?sslmode=disable&sslmode=disable",
        "postgresql://a:b@c/d?sslmode=prefer",
        "postgresql://a:b@c/d?sslrootcert=/ca",
        "postgresql://a:b@c/d?sslmode=verify-full&sslrootcert=ca.crt",
        "postgresql://:b@c/d",
    ],
)
def test_dsn_malformed_is_refused(url: str) -> None:
    with pytest.raises(DsnError):
        parse_dsn(url)


def test_dsn_error_never_shows_the_password() -> None:
    with pytest.raises(DsnError) as caught:
        parse_dsn("postgresql://a:hidden-one@c:x/d")
    assert "hidden-one" not in str(caught.value)
