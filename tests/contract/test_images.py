"""Ports, users and paths: images, stacks, pools and roles agree."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT, Renderer, load_yaml

CONTEXTS = {"backend": "files/api", "frontend": "files/frontend"}
SERVICES = {"backend": "api", "frontend": "web"}
NGINX = (ROOT / "files/frontend/nginx/nginx.conf").read_text(encoding="utf-8")


def dockerfile(stack: str) -> str:
    """Return the Dockerfile of a stack's image."""
    return (ROOT / CONTEXTS[stack] / "Dockerfile").read_text(encoding="utf-8")


def instruction(stack: str, name: str) -> str:
    """Return what stands behind the last instruction of that name."""
    return str(re.findall(rf"^{name} (.+)$", dockerfile(stack), re.MULTILINE)[-1])


def service(render: Renderer, stack: str) -> dict[str, Any]:
    """Return the running service of a stack on app1."""
    document = yaml.safe_load(render(f"{stack} > compose_stack", "compose.yaml.j2", "app1"))
    found: dict[str, Any] = document["services"][SERVICES[stack]]
    return found


@pytest.mark.parametrize("stack", CONTEXTS)
def test_published_port_leads_to_the_port_that_the_image_exposes(render: Renderer, stack: str) -> None:
    (published,) = service(render, stack)["ports"]
    assert published.split(":")[2] == instruction(stack, "EXPOSE")


@pytest.mark.parametrize("stack", CONTEXTS)
def test_published_port_is_the_port_of_the_pool(render: Renderer, stack: str) -> None:
    (published,) = service(render, stack)["ports"]
    pools = {pool["name"]: pool for pool in render.value("haproxy", "haproxy_pools", "lb1")}
    assert {str(member["port"]) for member in pools[stack]["members"]} == {published.split(":")[1]}


def test_api_listens_on_the_port_that_its_image_exposes(render: Renderer) -> None:
    assert str(service(render, "backend")["environment"]["PORT"]) == instruction("backend", "EXPOSE")


def test_nginx_listens_on_the_port_that_its_image_exposes() -> None:
    assert re.findall(r"^\s*listen (\d+)", NGINX, re.MULTILINE) == [instruction("frontend", "EXPOSE")]


@pytest.mark.parametrize("stack", CONTEXTS)
def test_role_and_group_vars_have_the_same_port(stack: str) -> None:
    values = load_yaml(ROOT / f"group_vars/{stack}_servers.yml")
    assert values[f"{stack}_port"] == load_yaml(ROOT / f"roles/{stack}/defaults/main.yml")[f"{stack}_port"]


@pytest.mark.parametrize("stack", CONTEXTS)
def test_container_runs_as_the_user_of_its_image(render: Renderer, stack: str) -> None:
    assert service(render, stack)["user"] == instruction(stack, "USER")


@pytest.mark.parametrize("stack", CONTEXTS)
def test_image_has_the_health_check_that_the_stack_waits_for(stack: str) -> None:
    assert instruction(stack, "HEALTHCHECK")


@pytest.mark.parametrize("stack", CONTEXTS)
def test_image_is_built_from_the_base_of_the_release(stack: str) -> None:
    base = load_yaml(ROOT / "roles/container_images/defaults/main.yml")["container_images_base"]
    assert f"ARG BASE_IMAGE={base}\n" in dockerfile(stack)


@pytest.mark.parametrize("stack", CONTEXTS)
def test_image_needs_no_other_image(stack: str) -> None:
    stages = re.findall(r"^FROM \S+ AS (\S+)$", dockerfile(stack), re.MULTILINE)
    sources = re.findall(r"^FROM (\S+)", dockerfile(stack), re.MULTILINE)
    assert sorted(set(sources) - set(stages)) == ["${BASE_IMAGE}"]


@pytest.mark.parametrize("pattern", [r"RUN --mount", r"<<-?\s*['\"]?\w+", r"^# syntax="])
@pytest.mark.parametrize("path", sorted((ROOT / "files").glob("*/Dockerfile")), ids=lambda path: path.parent.name)
def test_dockerfile_builds_with_the_legacy_builder(path: Any, pattern: str) -> None:
    assert re.findall(pattern, path.read_text(encoding="utf-8"), re.MULTILINE) == []


def test_every_wanted_image_has_a_context(render: Renderer) -> None:
    wanted = render.value("container_images", "container_images_wanted", "app1")
    assert {name: path.split("/../../")[1] for name, path in wanted.items()} == {
        "enlevohub/api": "files/api",
        "enlevohub/frontend": "files/frontend",
    }


def test_migration_is_a_command_of_the_api(render: Renderer) -> None:
    document = yaml.safe_load(render("backend > compose_stack", "compose.yaml.j2", "app1"))
    (command,) = document["services"]["migrate"]["command"]
    source = (ROOT / "files/api/src/enlevohub_api/cli.py").read_text(encoding="utf-8")
    assert f'add_parser("{command}"' in source


def test_health_path_of_the_backend_pool_is_a_path_of_the_api(render: Renderer) -> None:
    pools = {pool["name"]: pool for pool in render.value("haproxy", "haproxy_pools", "lb1")}
    source = (ROOT / "files/api/src/enlevohub_api/health.py").read_text(encoding="utf-8")
    router, path = pools["backend"]["health_path"].rsplit("/", 1)
    assert f'@get("/{path}"' in source
    assert f'Router(path="{router}"' in source


def test_health_path_of_the_frontend_pool_is_a_path_of_nginx(render: Renderer) -> None:
    pools = {pool["name"]: pool for pool in render.value("haproxy", "haproxy_pools", "lb1")}
    assert f"location = {pools['frontend']['health_path']} {{" in NGINX


def test_path_of_the_backend_pool_is_passed_on_by_nginx(render: Renderer) -> None:
    pools = {pool["name"]: pool for pool in render.value("haproxy", "haproxy_pools", "lb1")}
    assert [f"location {path}/ {{" in NGINX for path in pools["backend"]["paths"]] == [True]


def test_upstream_of_the_role_is_the_one_that_nginx_uses(render: Renderer) -> None:
    upstream = re.findall(r"^upstream (\w+)", render("frontend", "backend.conf.j2", "app1"), re.MULTILINE)
    chosen = re.findall(r"default (\w+);", render("frontend", "backend.conf.j2", "app1"))
    assert upstream == chosen
    assert "proxy_pass http://$enlevohub_backend;" in NGINX


def test_upstream_of_the_role_replaces_the_stand_in_of_the_image(render: Renderer) -> None:
    (volume,) = service(render, "frontend")["volumes"]
    target = volume.split(":")[1]
    assert f"include {target}/*.conf;" in NGINX
    assert f"COPY nginx/upstreams {target}\n" in dockerfile("frontend")


def test_largest_upload_of_the_api_passes_nginx() -> None:
    (limit,) = re.findall(r"client_max_body_size (\d+)m;", NGINX)
    source = (ROOT / "files/api/src/enlevohub_api/settings.py").read_text(encoding="utf-8")
    (largest,) = re.findall(r'Setting\("UPLOAD_MAX_SIZE", "bytes", "(\d+)"', source)
    assert int(largest) <= int(limit) * 1024 * 1024


@pytest.mark.parametrize("name", ["etcd_pki_directory", "patroni_pki_directory", "haproxy_pki_directory"])
def test_role_looks_for_the_certificate_where_pki_keeps_it(name: str) -> None:
    kept = load_yaml(ROOT / "roles/pki/defaults/main.yml")["pki_directory"]
    assert load_yaml(ROOT / f"roles/{name.split('_')[0]}/defaults/main.yml")[name] == kept


def test_backend_looks_for_the_ca_where_pki_keeps_it() -> None:
    kept = load_yaml(ROOT / "roles/pki/defaults/main.yml")["pki_directory"]
    assert load_yaml(ROOT / "roles/backend/defaults/main.yml")["backend_ca_certificate"] == f"{kept}/ca.crt"


def test_patroni_asks_etcd_on_its_port_for_clients() -> None:
    port = load_yaml(ROOT / "roles/etcd/defaults/main.yml")["etcd_client_port"]
    assert load_yaml(ROOT / "roles/patroni/defaults/main.yml")["patroni_etcd_port"] == port


def test_clients_of_the_database_use_its_port(render: Renderer) -> None:
    port = load_yaml(ROOT / "roles/patroni/defaults/main.yml")["patroni_port"]
    assert f"@10.89.0.21:{port}," in render.value("backend", "backend_database_url", "app1")


def test_largest_photo_passes_nginx_and_is_what_the_spa_sends() -> None:
    settings = (ROOT / "files/api/src/enlevohub_api/settings.py").read_text(encoding="utf-8")
    (largest,) = (int(size) for size in re.findall(r'"UPLOAD_MAX_SIZE", "bytes", "(\d+)"', settings))
    (limit,) = (int(size) * 1024**2 for size in re.findall(r"client_max_body_size (\d+)m;", NGINX))
    assert limit > largest + 64 * 1024, "the parts of the form around the file need room"
    uploads = (ROOT / "files/frontend/src/lib/uploads.ts").read_text(encoding="utf-8")
    assert f"MAX_PHOTO_BYTES = {largest // 1024**2} * 1024 * 1024;" in uploads
