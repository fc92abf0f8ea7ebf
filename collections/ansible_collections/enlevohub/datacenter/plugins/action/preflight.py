"""Ask each host once, then write one report about the inventory and all hosts."""

from __future__ import annotations

import datetime
import os
import time
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.enlevohub.datacenter.plugins.plugin_utils import preflight_inventory as hosts_and_groups
from ansible_collections.enlevohub.datacenter.plugins.plugin_utils.preflight_model import SERVICES
from ansible_collections.enlevohub.datacenter.plugins.plugin_utils.preflight_probe import (
    clock_problem,
    failed_finding,
    unreachable_finding,
    with_place,
)
from ansible_collections.enlevohub.datacenter.plugins.plugin_utils.preflight_report import (
    counted,
    host_findings,
    package_findings,
    report,
)
from ansible_collections.enlevohub.datacenter.plugins.plugin_utils.preflight_resolve import HostResolver
from ansible_collections.enlevohub.datacenter.plugins.plugin_utils.preflight_sources import read_inventory
from ansible_collections.enlevohub.datacenter.plugins.plugin_utils.preflight_survival import survival_table, topology
from ansible_collections.enlevohub.datacenter.plugins.plugin_utils.preflight_values import check_values

NO_ANSWER: dict[str, Any] = {}


class ActionModule(ActionBase):
    """Action of enlevohub.datacenter.preflight."""

    _requires_connection = True
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the stage of the task: ``probe`` or ``report``."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        result.update(self._probe(variables) if self._task.args.get("stage") == "probe" else self._report(variables))
        result["changed"] = False
        return result

    # --- probe: on every host

    def _value(self, variables: dict[str, Any], name: str, default: Any) -> Any:
        """Return a variable of this host; the default when it is missing or does not resolve (the report tells why)."""
        if name not in variables:
            return default
        try:
            return self._templar.template(variables[name])
        except AnsibleError:
            return default

    def _arguments(self, variables: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments of the module; a value of a wrong type skips its check, the report names it."""
        groups = variables.get("group_names", [])
        ports: list[dict[str, Any]] = []
        for service in SERVICES:
            port = self._value(variables, service.variable, service.port)
            driver = self._value(variables, service.driver, "")
            if service.group in groups and (not service.drivers or driver in service.drivers) and isinstance(port, int):
                ports.append(
                    {
                        "port": port,
                        "service": service.name,
                        "variable": service.variable,
                        "owners": list(service.owners),
                    }
                )
        version = self._value(variables, "patroni_postgresql_version", 17) if "database_servers" in groups else 0
        address = self._value(variables, "enlevohub_address", "")
        systems = self._task.args.get("systems")
        arguments: dict[str, Any] = {
            "ports": ports,
            "postgresql_version": version if isinstance(version, int) else 0,
            "address": str(address) if hosts_and_groups.is_address(str(address)) else "",
            "systems": systems if isinstance(systems, dict) else {},
            "redis": self._external_redis(variables) if "backend_servers" in groups else {},
        }
        if "backend_servers" in groups:
            arguments["storage"] = self._external_storage(variables)
        wanted = self._value(variables, "backup_min_free_disk_mib", 2048)
        if "backup_servers" in groups and isinstance(wanted, int):
            path = str(self._value(variables, "backup_path", "/var/lib/pgbackrest"))
            space = {"path": path, "min_free_mib": wanted, "variable": "backup_min_free_disk_mib"}
            arguments["spaces"] = [space] if path.startswith("/") else []
        for name in ("min_free_disk_mib", "min_memory_mib"):
            limit = self._task.args.get(name)
            arguments[name] = limit if isinstance(limit, int) else 0
        return arguments

    def _external_redis(self, variables: dict[str, Any]) -> dict[str, Any]:
        """Return how the API of this host will log in to a Redis that this project does not run; empty: it does not."""
        if self._value(variables, "redis_driver", "") != "external":
            return {}
        names = ("url", "password", "sentinel_user", "ca_certificate")
        found = {name: self._value(variables, f"backend_redis_{name}", "") for name in names}
        return found if found["url"] and all(isinstance(value, str) for value in found.values()) else {}

    def _external_storage(self, variables: dict[str, Any]) -> dict[str, Any]:
        """Return how the API of this host will use the object storage of somebody else; empty: it does not."""
        if self._value(variables, "enlevohub_storage", "") != "external":
            return {}
        names = {"bucket": "storage_external_bucket", "region": "storage_external_region"}
        names.update(access_key="vault_storage_access_key", secret_key="vault_storage_secret_key")
        found: dict[str, Any] = {name: self._value(variables, variable, "") for name, variable in names.items()}
        found["endpoints"] = self._value(variables, "storage_external_endpoints", [])
        return found if all(found.values()) else {}

    def _packages(self, variables: dict[str, Any]) -> dict[str, Any]:
        """Return what this host will install, where that depends on its system."""
        groups = variables.get("group_names", [])
        found: dict[str, Any] = {}
        if "backend_servers" in groups or "frontend_servers" in groups:
            found["docker_channel"] = self._value(variables, "docker_channel", "debian")
        if "redis_servers" in groups:
            found["redis_driver"] = self._value(variables, "redis_driver", "internal")
        if "database_servers" in groups:
            found["patroni_channel"] = self._value(variables, "patroni_channel", "debian")
            found["postgresql_version"] = self._value(variables, "patroni_postgresql_version", 17)
        return found

    def _probe(self, variables: dict[str, Any]) -> dict[str, Any]:
        """Ask this host; whatever happens is a finding and never a failure."""
        host = str(variables["inventory_hostname"])
        user = str(self._play_context.remote_user or "")
        address = str(self._play_context.remote_addr or host)
        arguments = self._arguments(variables)
        self._no_retries()
        sent = time.time()
        try:
            answer = self._execute_module(
                module_name="enlevohub.datacenter.preflight", module_args=arguments, task_vars=variables
            )
        except AnsibleConnectionFailure as error:
            return {"findings": with_place(host, [unreachable_finding(str(error), address, user)])}
        except AnsibleError as error:
            return {"findings": with_place(host, [failed_finding(str(error), user, "")])}
        received = time.time()
        if answer.get("unreachable"):
            return {"findings": with_place(host, [unreachable_finding(str(answer.get("msg", "")), address, user)])}
        if answer.get("failed") or "clock" not in answer:
            said = "\n".join(str(answer.get(key, "")) for key in ("msg", "module_stdout", "module_stderr"))
            python = str(self._value(variables, "ansible_python_interpreter", ""))
            return {"findings": with_place(host, [failed_finding(said, user, python)])}
        findings = list(answer["findings"])
        limit = self._task.args.get("max_clock_offset_seconds")
        if isinstance(limit, (int, float)):
            problem = clock_problem(sent, (answer["clock"][0], answer["clock"][1]), received, float(limit))
            if problem:
                fix = "synchronise the clocks of the host and of this machine (chronyc makestep)"
                findings.append({"variable": "preflight_max_clock_offset_seconds", "problem": problem, "fix": fix})
        return {
            "findings": with_place(host, findings),
            "identity": answer["identity"],
            "host": answer["host"],
            "packages": self._packages(variables),
            "ansible_facts": {"enlevohub_host": answer["host"]},
        }

    def _no_retries(self) -> None:
        """Try to connect once: a host that does not answer is reported after one timeout."""
        try:
            self._connection.set_option("reconnection_retries", 0)
        except (AnsibleError, KeyError):
            return  # another connection than SSH has no retries

    # --- report: once

    @staticmethod
    def _sources(variables: dict[str, Any]) -> list[str]:
        """Return the inventories that the hosts of this run come from; one without hosts says nothing."""
        hosts = (variables["hostvars"].raw_get(host) for host in variables.get("ansible_play_hosts_all", []))
        folders = {str(host.get("inventory_dir") or "") for host in hosts}
        existing = [str(source) for source in variables.get("ansible_inventory_sources", []) if os.path.exists(source)]
        return [
            source
            for source in existing
            if os.path.abspath(source if os.path.isdir(source) else os.path.dirname(source)) in folders
        ] or existing

    def _report(self, variables: dict[str, Any]) -> dict[str, Any]:
        """Check the inventory, add the findings of all hosts, and fail with all of them when there is one."""
        sources = self._sources(variables)
        if not sources:
            raise AnsibleActionFail("preflight reads inventories from files; name one: -i inventories/<environment>")
        inventory = read_inventory(
            sources,
            str(self._task.args["roles_directory"]),
            lambda path: str(self._loader.get_text_file_contents(path)),
        )
        hostvars = variables["hostvars"]
        resolve = HostResolver(hostvars, self._templar)
        findings = hosts_and_groups.check_inventory(inventory)
        findings += check_values(inventory, resolve, datetime.datetime.now(datetime.timezone.utc), findings)
        name = str(self._task.args["probes"])
        asked = variables.get("ansible_play_hosts_all", [])
        probes = {host: hostvars.raw_get(host).get(name) or NO_ANSWER for host in asked}
        findings += host_findings(probes) + package_findings(probes)
        driver, _ = hosts_and_groups.common(inventory, "load_balancer_driver")
        redis, _ = hosts_and_groups.common(inventory, "redis_driver")
        storage, _ = hosts_and_groups.common(inventory, "enlevohub_storage")
        places = topology(inventory, str(driver or "haproxy"), redis_driver=str(redis), storage=str(storage or ""))
        table = survival_table(places)
        wrong = [finding for finding in findings if not finding.warning]
        Display().display("\n" + report(inventory.environment, findings, table, len(probes)))
        if not wrong:
            return {"msg": "No finding."}
        found = counted(len(wrong), "finding")
        return {
            "failed": True,
            "msg": f"{found}: see the report above. Correct them and run again; nothing was changed.",
        }
