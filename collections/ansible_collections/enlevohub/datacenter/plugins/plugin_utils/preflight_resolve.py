"""Resolve the value of a variable on a host, as Ansible would."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleError
from ansible_collections.enlevohub.datacenter.plugins.plugin_utils.preflight_values import ResolveError


class HostResolver:
    """Resolves variables; the variables of a host are looked up once."""

    def __init__(self, hostvars: Any, templar: Any) -> None:
        """Keep Ansible's ``hostvars`` and a template engine."""
        self._hostvars = hostvars
        self._templar = templar
        self._known: dict[str, tuple[dict[str, Any], Any]] = {}

    def __call__(self, host: str, name: str) -> Any:
        """Return the value of a variable on a host.

        Raises:
            ResolveError: the variable does not exist or its template fails.
        """
        if host not in self._known:
            variables = {**self._hostvars.raw_get(host), "hostvars": self._hostvars}
            self._known[host] = (variables, self._templar.copy_with_new_env(available_variables=variables))
        variables, templar = self._known[host]
        try:
            return templar.template(variables[name])
        except (AnsibleError, KeyError) as error:
            raise ResolveError(getattr(error, "message", str(error))) from error
