"""An inventory with an F5, real or simulated, has no finding."""

from __future__ import annotations

import re

from tests.preflight.site import PROJECT, Site

EXAMPLE = re.search(
    r"```yaml\n(.*?)```", (PROJECT / "roles/f5_simulator/README.md").read_text(encoding="utf-8"), re.DOTALL
)


def test_lab_with_the_simulated_f5_of_the_readme_has_no_finding(site: Site) -> None:
    assert EXAMPLE is not None
    site.append("group_vars/lab/main.yml", EXAMPLE.group(1))
    assert site.findings() == []


def test_files_for_the_owners_of_an_f5_need_no_server(site: Site) -> None:
    site.append("group_vars/lab/main.yml", "load_balancer_driver: render")
    assert site.findings() == []
