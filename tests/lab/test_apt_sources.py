"""Where Debian packages come from, read from apt's own configuration."""

from pathlib import Path

import pytest

from enlevohub_lab.apt_sources import (
    DEFAULT_KEYRING,
    AptSource,
    DebianMirror,
    find_debian_mirror,
    parse_deb822,
    parse_one_line,
    read_sources,
)
from enlevohub_lab.errors import LabError

DEB822 = """\
Types: deb deb-src
# a comment
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
"""
UBUNTU = parse_one_line("deb http://mirror.example/ubuntu noble main universe\n")


def test_one_line_entry_is_read_with_options() -> None:
    text = "deb [arch=amd64 signed-by=/keys/k.gpg] http://m.example/debian trixie main contrib # note\n"
    assert parse_one_line(text) == [
        AptSource("http://m.example/debian", "trixie", ("main", "contrib"), "/keys/k.gpg"),
    ]


def test_one_line_comments_and_source_packages_are_left_out() -> None:
    assert parse_one_line("# deb http://a.example/debian trixie main\ndeb-src http://a.example/d trixie main\n") == []


def test_deb822_gives_one_entry_per_suite() -> None:
    assert [source.suite for source in parse_deb822(DEB822)] == ["bookworm", "bookworm-updates", "bookworm-security"]


def test_deb822_disabled_stanza_is_left_out() -> None:
    assert parse_deb822(DEB822.replace("Types: deb\n", "Enabled: no\nTypes: deb\n")) == parse_deb822(DEB822)[:2]


def test_deb822_continuation_lines_are_joined() -> None:
    text = "Types: deb\nURIs: http://m.example/debian\nSuites: trixie\n trixie-updates\nComponents: main\n"
    assert [source.suite for source in parse_deb822(text)] == ["trixie", "trixie-updates"]


def test_deb822_embedded_key_is_no_path() -> None:
    text = (
        "Types: deb\nURIs: http://m.example/debian\nSuites: trixie\nComponents: main\nSigned-By:\n -----BEGIN\n key\n"
    )
    assert parse_deb822(text)[0].signed_by == ""


def test_mirror_of_another_release_is_found_with_its_security_address() -> None:
    mirror = find_debian_mirror(parse_deb822(DEB822), {})
    expected = DebianMirror("http://mirror.example/debian", "http://mirror.example/debian-security", DEFAULT_KEYRING)
    assert mirror == expected


def test_mirror_is_debian_and_not_a_third_party_with_the_same_suite() -> None:
    third = parse_one_line("deb [signed-by=/keys/other.gpg] https://apt.other.example bookworm main\n")
    mirror = find_debian_mirror([*third, *parse_deb822(DEB822)], {})
    assert mirror is not None
    assert mirror.main == "http://mirror.example/debian"


def test_ubuntu_alone_has_no_debian_mirror() -> None:
    assert find_debian_mirror(UBUNTU, {}) is None


def test_third_party_alone_is_no_debian_mirror() -> None:
    assert find_debian_mirror(parse_one_line("deb https://apt.other.example bookworm main\n"), {}) is None


def test_setting_wins_over_the_machine() -> None:
    mirror = find_debian_mirror(UBUNTU, {"ENLEVOHUB_DEBIAN_MIRROR": "http://a.example/d/ http://b.example/s"})
    assert mirror == DebianMirror("http://a.example/d", "http://b.example/s", DEFAULT_KEYRING)


@pytest.mark.parametrize("value", ["mirror.example/debian", "http://a/d http://b/d http://c/d", "http:// x"])
def test_setting_that_is_no_address_is_refused(value: str) -> None:
    with pytest.raises(LabError, match="ENLEVOHUB_DEBIAN_MIRROR must be"):
        find_debian_mirror([], {"ENLEVOHUB_DEBIAN_MIRROR": value})


def test_list_of_mirrors_is_followed(tmp_path: Path) -> None:
    (tmp_path / "debian.list").write_text("http://m.example/debian/\nhttp://n.example/debian\n")
    uri = f"mirror+file:{tmp_path}/debian.list"
    sources = [AptSource(uri, suite, ("main",)) for suite in ("trixie", "trixie-updates")]
    mirror = find_debian_mirror(sources, {})
    assert mirror is not None
    assert mirror.main == "http://m.example/debian"


def test_machine_sources_are_read_from_both_kinds_of_files(tmp_path: Path) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list").write_text("deb http://one.example/debian trixie main\n")
    (tmp_path / "sources.list.d/x.sources").write_text(DEB822)
    (tmp_path / "sources.list.d/y.list.disabled").write_text("deb http://no.example/debian trixie main\n")
    assert len(read_sources(tmp_path)) == 4


def test_sources_for_the_image_name_the_wanted_release_only() -> None:
    mirror = find_debian_mirror(parse_deb822(DEB822), {})
    assert mirror is not None
    suites = [line for line in mirror.sources("trixie").splitlines() if line.startswith("Suites")]
    assert suites == ["Suites: trixie trixie-updates", "Suites: trixie-security"]


def test_sources_without_security_address_have_no_security_suite() -> None:
    assert "security" not in DebianMirror("http://m.example/debian", "", DEFAULT_KEYRING).sources("trixie")
