"""Filters for the role f5_pool: the model of a BIG-IP, its artefacts, its plan."""

from __future__ import annotations

from typing import Any

from ansible_collections.enlevohub.datacenter.plugins.plugin_utils.f5_model import f5_model
from ansible_collections.enlevohub.datacenter.plugins.plugin_utils.f5_plan import (
    f5_by_pool,
    f5_member,
    f5_plan,
    f5_rollback,
)
from ansible_collections.enlevohub.datacenter.plugins.plugin_utils.f5_render import (
    f5_declaration,
    f5_member_lines,
    f5_problems,
    f5_script,
)


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        """Return the filters by name."""
        return {
            "f5_by_pool": f5_by_pool,
            "f5_declaration": f5_declaration,
            "f5_member": f5_member,
            "f5_member_lines": f5_member_lines,
            "f5_model": f5_model,
            "f5_plan": f5_plan,
            "f5_problems": f5_problems,
            "f5_rollback": f5_rollback,
            "f5_script": f5_script,
        }
