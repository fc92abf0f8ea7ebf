"""HAProxy: which request goes where, and who is asked how."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.conftest import Renderer

BACKENDS = {"app1": "10.89.0.11:3001", "app2": "10.89.0.12:3001", "app3": "10.89.0.13:3001"}


def sections(text: str) -> dict[str, list[str]]:
    """Return the lines of each section of a configuration by its title, without comments."""
    found: dict[str, list[str]] = {}
    title = ""
    for line in text.splitlines():
        if line and not line.startswith((" ", "#")):
            title = line
            found[title] = []
        elif line.strip() and not line.strip().startswith("#"):
            found[title].append(line.strip())
    return found


def route(lines: list[str], path: str) -> str:
    """Return the pool that the rules of a frontend choose for a path."""
    for line in lines:
        rule = re.fullmatch(r"use_backend (\S+) if \{ path (\S+) \} or \{ path_beg (\S+) \}", line)
        if rule and (path == rule[2] or path.startswith(rule[3])):
            return rule[1]
    (default,) = [line.split()[1] for line in lines if line.startswith("default_backend ")]
    return default


@pytest.fixture(scope="module")
def config(render: Renderer) -> dict[str, list[str]]:
    """The sections of haproxy.cfg on lb1."""
    return sections(render("haproxy", "haproxy.cfg.j2", "lb1"))


@pytest.mark.parametrize(("name", "address"), BACKENDS.items())
def test_backend_pool_has_one_line_for_the_member(config: dict[str, list[str]], name: str, address: str) -> None:
    assert config["backend backend"].count(f"server {name} {address}") == 1


def test_backend_pool_has_no_other_member(config: dict[str, list[str]]) -> None:
    assert len([line for line in config["backend backend"] if line.startswith("server ")]) == len(BACKENDS)


def test_frontend_pool_has_its_one_member(config: dict[str, list[str]]) -> None:
    assert [line for line in config["backend frontend"] if line.startswith("server ")] == ["server app1 10.89.0.11:80"]


def test_pool_with_fifty_members_has_fifty_lines(render: Renderer) -> None:
    members = [{"name": f"app{number}", "address": f"192.0.2.{number}", "port": 3001} for number in range(1, 51)]
    pool = {"name": "backend", "paths": ["/"], "health_path": "/health/ready", "members": members}
    found = sections(render("haproxy", "haproxy.cfg.j2", "lb1", haproxy_pools=[pool]))
    assert len([line for line in found["backend backend"] if line.startswith("server ")]) == 50


@pytest.mark.parametrize(
    ("path", "pool"),
    [
        ("/api", "backend"),
        ("/api/", "backend"),
        ("/api/v1/projects", "backend"),
        ("/apix", "frontend"),
        ("/api-docs", "frontend"),
        ("/", "frontend"),
        ("/projects/api/", "frontend"),
        ("/health/ready", "frontend"),
    ],
)
def test_path_goes_to_the_pool(config: dict[str, list[str]], path: str, pool: str) -> None:
    assert route(config["frontend public"], path) == pool


def test_every_rule_of_a_pool_is_understood_by_this_test(config: dict[str, list[str]]) -> None:
    rules = [line for line in config["frontend public"] if line.startswith("use_backend")]
    assert rules == ["use_backend backend if { path /api } or { path_beg /api/ }"]


@pytest.mark.parametrize(("pool", "path"), [("backend", "/health/ready"), ("frontend", "/healthz")])
def test_member_is_asked_for_the_health_path_of_its_pool(config: dict[str, list[str]], pool: str, path: str) -> None:
    lines = config[f"backend {pool}"]
    assert f"http-check send meth GET uri {path}" in lines
    assert "http-check expect status 200" in lines


@pytest.mark.parametrize("pool", ["backend", "frontend"])
def test_member_is_asked_by_its_address_without_a_host_header(config: dict[str, list[str]], pool: str) -> None:
    assert [line for line in config[f"backend {pool}"] if line.startswith("http-check send") and "hdr" in line] == []


@pytest.mark.parametrize("pool", ["backend", "frontend"])
def test_every_member_is_checked(config: dict[str, list[str]], pool: str) -> None:
    assert any(line.startswith("default-server check ") for line in config[f"backend {pool}"])


@pytest.mark.parametrize("pool", ["backend", "frontend"])
def test_only_reads_are_sent_a_second_time_after_they_were_sent(config: dict[str, list[str]], pool: str) -> None:
    assert "http-request disable-l7-retry unless METH_GET" in config[f"backend {pool}"]


def test_statistics_are_bound_to_the_private_address(config: dict[str, list[str]]) -> None:
    assert [line.split()[1] for line in config["listen statistics"] if line.startswith("bind ")] == ["10.89.0.31:8404"]


def test_statistics_have_tls(config: dict[str, list[str]]) -> None:
    assert [line for line in config["listen statistics"] if line.startswith("bind ") and " ssl crt " not in line] == []


def test_statistics_ask_for_the_password(render: Renderer) -> None:
    text = render("haproxy", "haproxy.cfg.j2", "lb1", secrets={"vault_haproxy_stats_password": "pass-word_1"})
    (line,) = [line for line in sections(text)["listen statistics"] if line.startswith("stats auth")]
    assert re.fullmatch(r'stats auth "?operator:pass-word_1"?', line)


def test_plain_http_is_redirected_to_the_port_that_users_see(config: dict[str, list[str]]) -> None:
    (line,) = [line for line in config["frontend public"] if " redirect " in line]
    assert line.endswith(":8443%[capture.req.uri] unless { ssl_fc }")


def test_redirection_to_the_standard_port_names_none(render: Renderer) -> None:
    text = render("haproxy", "haproxy.cfg.j2", "lb1", haproxy_public_port=443)
    assert "https://%[var(txn.host)]%[capture.req.uri]" in text


def test_users_get_tls_1_2_or_better(config: dict[str, list[str]]) -> None:
    assert "ssl-default-bind-options ssl-min-ver TLSv1.2" in config["global"]


def test_address_of_the_client_cannot_be_forged(config: dict[str, list[str]]) -> None:
    assert "http-request del-header X-Forwarded-For" in config["frontend public"]
    assert "option forwardfor" in config["defaults"]


@pytest.mark.parametrize(
    ("certificate", "path"), [("", "/etc/enlevohub/pki/host.crt"), ("PEM text", "/etc/haproxy/public.pem")]
)
def test_users_see_the_certificate(render: Renderer, certificate: str, path: str) -> None:
    text = render("haproxy", "haproxy.cfg.j2", "lb1", haproxy_certificate=certificate)
    (line,) = [line for line in sections(text)["frontend public"] if line.startswith("bind ") and " ssl " in line]
    assert f" ssl crt {path} " in line


def test_certificate_for_users_is_a_secret_file_of_root_alone(render: Renderer) -> None:
    files = render.files("haproxy", "__haproxy_files", "lb1", haproxy_certificate="PEM text")
    entry = files["/etc/haproxy/public.pem"]
    assert (entry["secret"], entry["mode"], entry["content"]) == (True, "0600", "PEM text")


def test_certificate_for_users_goes_when_it_is_no_longer_given(render: Renderer) -> None:
    assert render.files("haproxy", "__haproxy_files", "lb1")["/etc/haproxy/public.pem"]["state"] == "absent"


def test_configuration_is_checked_before_it_lands(render: Renderer) -> None:
    entry: dict[str, Any] = render.files("haproxy", "__haproxy_files", "lb1")["/etc/haproxy/haproxy.cfg"]
    assert entry["validate"] == "haproxy -c -f %s"


def test_configuration_is_a_secret_file(render: Renderer) -> None:
    entry = render.files("haproxy", "__haproxy_files", "lb1")["/etc/haproxy/haproxy.cfg"]
    assert (entry["secret"], entry["mode"]) == (True, "0640")


def test_script_for_pool_states_is_python(render: Renderer) -> None:
    compile(render("haproxy", "load-balancer-pools.j2", "lb1"), "load-balancer-pools", "exec")
