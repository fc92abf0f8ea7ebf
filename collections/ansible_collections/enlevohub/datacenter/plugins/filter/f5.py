"""Filters for the role f5_pool: the model of a BIG-IP, its artefacts, its plan."""

from __future__ import annotations

from typing import Any

from ansible_collections.enlevohub.datacenter.plugins.plugin_utils.later import later

FILTERS = {
    "f5_model": ["f5_model"],
    "f5_plan": ["f5_by_pool", "f5_member", "f5_plan", "f5_rollback"],
    "f5_render": ["f5_declaration", "f5_member_lines", "f5_problems", "f5_script"],
}
"""Names of the filters by the module that has them."""


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        """Return the filters by name."""
        return {name: later(module, name) for module, names in FILTERS.items() for name in names}
