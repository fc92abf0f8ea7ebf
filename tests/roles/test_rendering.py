"""Templates render strictly: a variable that nobody set is a failure, never an empty text."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleError

from tests.conftest import ROOT, Renderer

# A host on which the role runs, for every template of the role.
HOSTS = {
    "backup": "db1",
    "base": "app1",
    "compose_stack": "app1",
    "docker": "app1",
    "etcd": "db1",
    "f5_pool": "app1",
    "f5_simulator": "lb1",
    "firewall": "app1",
    "frontend": "app1",
    "haproxy": "lb1",
    "object_storage": "app1",
    "patroni": "db1",
    "witness": "app1",
    "redis": "app1",
}
ROLE_PATHS = {"compose_stack": "backend > compose_stack"}
TEMPLATES = [
    (path.relative_to(ROOT / "roles").parts[0], path.name) for path in sorted((ROOT / "roles").glob("*/templates/*.j2"))
]


@pytest.mark.parametrize(("role", "template"), TEMPLATES)
def test_template_renders_for_a_lab_host(render: Renderer, role: str, template: str) -> None:
    text = render(ROLE_PATHS.get(role, role), template, HOSTS[role])
    assert "Ansible managed" in text
    assert "{{" not in text


@pytest.mark.parametrize(("role", "template"), TEMPLATES)
def test_template_ends_with_one_line_break(render: Renderer, role: str, template: str) -> None:
    text = render(ROLE_PATHS.get(role, role), template, HOSTS[role])
    assert text.endswith("\n")
    assert not text.endswith("\n\n")


def test_template_with_an_undefined_variable_does_not_render(render: Renderer) -> None:
    with pytest.raises(AnsibleError, match="etcd_name"):
        render("etcd", "etcd.j2", "lb1")


def test_template_that_does_not_exist_is_named_in_the_error(render: Renderer) -> None:
    with pytest.raises(AnsibleError, match=r"no-such\.j2"):
        render("etcd", "no-such.j2", "db1")
