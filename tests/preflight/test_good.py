"""The inventories of the project are good."""

from __future__ import annotations

import yaml
from ansible_collections.enlevohub.datacenter.plugins.plugin_utils.preflight_model import LAB_NAME, TIERS

from enlevohub_secrets import store
from tests.preflight.site import Site


def test_lab_has_no_finding(site: Site) -> None:
    """The lab with made secrets passes."""
    assert site.findings() == []


def test_datacenter_has_no_finding(datacenter: Site) -> None:
    """The datacenter with encrypted secrets passes."""
    assert datacenter.findings() == []


def test_unencrypted_secrets_of_a_datacenter_are_refused(datacenter: Site, secrets: dict[str, str]) -> None:
    """Only a lab keeps its secrets in plain text."""
    where = "group_vars/datacenter/vault.yml"
    (datacenter.root / where).write_text(yaml.safe_dump(secrets))
    found = datacenter.findings()
    assert [(item.where, item.variable, item.fix) for item in found] == [
        (where, "vault.yml", f"ansible-vault encrypt {where}")
    ]


def test_missing_secrets_of_a_datacenter_name_its_environment(datacenter: Site) -> None:
    """The fix is the command for this environment; what no host of it needs is not asked for."""
    (datacenter.root / "group_vars/datacenter/vault.yml").unlink()
    found = datacenter.findings()
    assert [item.fix for item in found] == ["make secrets ENV=datacenter"]
    assert "vault_haproxy_stats_password" not in found[0].variable


def test_molecule_has_no_finding_with_secrets_of_its_own(site: Site, secrets: dict[str, str]) -> None:
    """Hosts in two environments get the values of both."""
    path = site.root / "group_vars/molecule/vault.yml"
    path.write_text(yaml.safe_dump(secrets))
    path.chmod(0o600)
    assert Site(site.root, "molecule").findings() == []


def test_names_of_labs_are_those_of_the_secrets() -> None:
    """What the secrets of are left unencrypted, preflight takes unencrypted."""
    assert LAB_NAME.pattern == store.LAB_NAME.pattern


def test_site_of_one_server_only_lacks_a_standby(site: Site) -> None:
    """All tiers on one host: a warning, no finding, when the ports of the load balancer differ from the frontend's."""
    (site.root / site.hosts_file).write_text(
        yaml.safe_dump(
            {
                "all": {"hosts": {"one": {"ansible_host": "10.89.0.11"}}},
                **{tier: {"hosts": {"one": None}} for tier in TIERS},
                "lab": {"hosts": {"one": None}, "vars": {"ansible_group_priority": 10}},
            }
        )
    )
    site.append("group_vars/lab/main.yml", "haproxy_http_port: 8080")
    assert [(item.variable, item.warning) for item in site.findings()] == [("database_servers", True)]
