"""Everything about building: projects and what belongs to them."""

from __future__ import annotations

import msgspec

from enlevohub_api.absent import absent_router
from enlevohub_api.blocks import blocks_router
from enlevohub_api.construction_schemas import (
    BlockBody,
    BlockChanges,
    BulkBody,
    BulkDeleteBody,
    EvolutionBody,
    EvolutionChanges,
    FloorPlanBody,
    FloorPlanChanges,
    ProjectChanges,
    UnitBody,
    UnitChanges,
)
from enlevohub_api.evolutions import evolutions_router
from enlevohub_api.floor_plans import floor_plans_router
from enlevohub_api.projects import projects_router
from enlevohub_api.schemas import ProjectBody
from enlevohub_api.units import units_router
from enlevohub_api.uploads import uploads_router
from enlevohub_api.web import Router

_PROJECT = "/api/v1/projects/{project_id}"

CONSTRUCTION_BODIES: dict[tuple[str, str], type[msgspec.Struct]] = {
    ("/api/v1/projects", "post"): ProjectBody,
    (_PROJECT, "patch"): ProjectChanges,
    (f"{_PROJECT}/evolutions", "post"): EvolutionBody,
    (f"{_PROJECT}/evolutions/{{evolution_id}}", "patch"): EvolutionChanges,
    (f"{_PROJECT}/units", "post"): UnitBody,
    (f"{_PROJECT}/units/{{unit_id}}", "patch"): UnitChanges,
    (f"{_PROJECT}/units/preview-generate", "post"): BulkBody,
    (f"{_PROJECT}/units/bulk-generate", "post"): BulkBody,
    (f"{_PROJECT}/units/bulk-delete", "post"): BulkDeleteBody,
    (f"{_PROJECT}/blocks", "post"): BlockBody,
    (f"{_PROJECT}/blocks/{{block_id}}", "patch"): BlockChanges,
    (f"{_PROJECT}/floor-plans", "post"): FloorPlanBody,
    (f"{_PROJECT}/floor-plans/{{floor_plan_id}}", "patch"): FloorPlanChanges,
}

UPLOADS = (f"{_PROJECT}/evolutions/upload", f"{_PROJECT}/measurements/upload")
"""Paths that take files."""

construction_router = Router(
    path="/",
    route_handlers=[
        projects_router,
        evolutions_router,
        uploads_router,
        units_router,
        blocks_router,
        floor_plans_router,
        absent_router,
    ],
)
