"""base: certificates, kernel parameters, time servers."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import Renderer

CERTIFICATES = {"company-root": "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"}
CERTIFICATE_PATH = "/usr/local/share/ca-certificates/company-root.crt"


def test_kernel_parameters_are_lines(render: Renderer) -> None:
    text = render("base", "sysctl.conf.j2", "app1", base_sysctl={"vm.swappiness": 1, "net.core.somaxconn": 4096})
    assert text.splitlines()[-2:] == ["vm.swappiness = 1", "net.core.somaxconn = 4096"]


def test_time_servers_are_lines_of_chrony(render: Renderer) -> None:
    text = render("base", "enlevohub.sources.j2", "app1", base_time_servers=["192.0.2.123"])
    assert text.splitlines()[-1] == "server 192.0.2.123 iburst"


def test_company_certificate_becomes_a_trusted_file(render: Renderer) -> None:
    files = render.files("base", "__base_files", "app1", base_ca_certificates=CERTIFICATES)
    assert files[CERTIFICATE_PATH]["content"] == CERTIFICATES["company-root"]


def test_company_certificate_asks_for_a_new_bundle(render: Renderer) -> None:
    (command,) = render.value("base", "__base_commands", "app1", base_ca_certificates=CERTIFICATES)
    assert (command["on"], command["command"]) == ([CERTIFICATE_PATH], ["update-ca-certificates"])


@pytest.mark.parametrize(("environment", "packages"), [("lab", []), ("datacenter", ["chrony"])])
def test_clock_is_kept_where_the_host_has_one(render: Renderer, environment: str, packages: list[str]) -> None:
    options: dict[str, Any] = {"environment": environment}
    service = render.value("base", "base_time_service", "app1", **options)
    assert render.value("base", "__base_time_packages", "app1", **options)[service] == packages


def test_nothing_to_load_runs_no_command(render: Renderer) -> None:
    assert render.value("base", "__base_commands", "app1") == []
