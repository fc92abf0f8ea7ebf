"""Bodies of projects' children, and those answers of projects that are not the project itself.

In a change, a field that was not sent is ``UNSET``; null clears it where null is allowed.
"""

from __future__ import annotations

import uuid
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from enlevohub_api.schemas import (
    Address,
    Camel,
    CreatedCount,
    Evolution,
    Instant,
    Pagination,
    Project,
    ProjectStatus,
)

UnitType = Literal["APARTMENT", "HOUSE", "COMMERCIAL", "LAND"]
UnitStatus = Literal["AVAILABLE", "RESERVED", "SOLD", "BLOCKED"]
MeasurementType = Literal["AREA_M2", "LINEAR_M", "QUANTITY", "VOLUME_M3"]
CodePattern = Literal["BLOCO_ANDAR_SEQ", "SEQUENCIAL", "PERSONALIZADO"]

Name100 = Annotated[str, Meta(min_length=1, max_length=100)]
Code = Annotated[str, Meta(min_length=1, max_length=20)]
Label = Annotated[str, Meta(min_length=1, max_length=200)]
LongText = Annotated[str, Meta(max_length=10000)]
Int = Annotated[int, Meta(ge=-2147483648, le=2147483647)]
Positive = Annotated[int, Meta(ge=1, le=2147483647)]
NotNegative = Annotated[int, Meta(ge=0, le=2147483647)]
Money = Annotated[float, Meta(ge=0.01, le=9999999999999.99)]
Area = Annotated[float, Meta(ge=0.01, le=99999999.99)]
Side = Annotated[float, Meta(ge=0.01, le=999999.99)]
Height = Annotated[float, Meta(ge=0.01, le=99.99)]
Percentage = Annotated[float, Meta(ge=0, le=100)]
Phase = Annotated[str, Meta(min_length=2, max_length=200)]
Photos = Annotated[list[Annotated[str, Meta(max_length=2000)]], Meta(max_length=200)]
Metadata = dict[str, Any]


class ProjectChanges(Camel):
    """What may change in a project."""

    name: Annotated[str, Meta(min_length=2, max_length=200)] | UnsetType = UNSET
    address: Address | UnsetType = UNSET
    description: LongText | UnsetType | None = UNSET
    status: ProjectStatus | UnsetType = UNSET
    start_date: Instant | UnsetType | None = UNSET
    expected_end_date: Instant | UnsetType | None = UNSET
    actual_end_date: Instant | UnsetType | None = UNSET
    budget: Money | UnsetType = UNSET
    quantidade_unidades: Positive | UnsetType = UNSET
    metadata: Metadata | UnsetType | None = UNSET


class ProjectTotals(Camel):
    """Numbers of projects by status."""

    total: int
    planning: int
    in_progress: int
    paused: int
    completed: int
    cancelled: int


class UnitTotals(Camel):
    """Numbers of units by status."""

    total: int
    available: int
    reserved: int
    sold: int
    blocked: int


class UnitCount(Camel):
    """How many units."""

    units: int


class RecentProject(Project):
    """A project in the dashboard, with its latest evolution."""

    evolutions: list[Evolution]
    count: UnitCount = msgspec.field(name="_count")


class DashboardStats(Camel):
    """The dashboard's numbers."""

    projects: ProjectTotals
    units: UnitTotals
    recent_projects: list[RecentProject]


class ProjectStatistics(Camel):
    """A project's numbers."""

    units: UnitTotals
    activities_count: int
    current_progress: float
    purchase_orders: int
    financial_transactions: int
    total_spent: float
    budget: float


class ProjectChanged(Project):
    """A project with its latest evolution."""

    evolutions: list[Evolution]
    count: CreatedCount = msgspec.field(name="_count")


class EvolutionBody(Camel):
    """A new record of progress; ``photos`` are keys or URLs that an upload answered."""

    percentage: Percentage
    phase: Phase
    date: Instant | None = None
    notes: LongText | None = None
    photos: Photos = msgspec.field(default_factory=list)


class EvolutionChanges(Camel):
    """What may change in a record of progress; ``photos`` replaces the list."""

    percentage: Percentage | UnsetType = UNSET
    phase: Phase | UnsetType = UNSET
    date: Instant | UnsetType = UNSET
    notes: LongText | UnsetType | None = UNSET
    photos: Photos | UnsetType = UNSET


class UploadedPhotos(Camel):
    """Where the stored photos can be read, in the order of the files."""

    urls: list[str]


class NamedRef(Camel):
    """A row that another one refers to."""

    id: str
    name: str


class UnitActivity(Camel):
    """An activity of a unit."""

    id: str
    status: str
    progress: float
    activity: dict[str, Any]


class UnitRow(Camel):
    """A unit with its block and floor plan."""

    id: str
    project_id: str
    code: str
    type: UnitType
    floor: int | None
    area: float
    bedrooms: int | None
    bathrooms: int | None
    price: float | None
    status: UnitStatus
    block_id: str | None
    floor_plan_id: str | None
    metadata: Any
    created_at: str
    updated_at: str
    block: NamedRef | None
    floor_plan: NamedRef | None


class UnitListed(UnitRow):
    """A unit in the list."""

    unit_activities: list[UnitActivity]


class UnitPage(Camel):
    """One page of units."""

    data: list[UnitListed]
    pagination: Pagination


class UnitBody(Camel):
    """A new unit."""

    code: Code
    type: UnitType
    area: Area
    floor: Int | None = None
    bedrooms: NotNegative | None = None
    bathrooms: NotNegative | None = None
    price: Money | None = None
    status: UnitStatus = "AVAILABLE"
    block_id: uuid.UUID | None = None
    floor_plan_id: uuid.UUID | None = None
    metadata: Metadata | None = None


class UnitChanges(Camel):
    """What may change in a unit."""

    code: Code | UnsetType = UNSET
    type: UnitType | UnsetType = UNSET
    area: Area | UnsetType = UNSET
    floor: Int | UnsetType | None = UNSET
    bedrooms: NotNegative | UnsetType | None = UNSET
    bathrooms: NotNegative | UnsetType | None = UNSET
    price: Money | UnsetType | None = UNSET
    status: UnitStatus | UnsetType = UNSET
    block_id: uuid.UUID | UnsetType | None = UNSET
    floor_plan_id: uuid.UUID | UnsetType | None = UNSET
    metadata: Metadata | UnsetType | None = UNSET


class Block(Camel):
    """A block of a project."""

    id: str
    project_id: str
    name: str
    floors: int | None
    metadata: Any
    created_at: str
    updated_at: str
    count: UnitCount = msgspec.field(name="_count")


class BlockBody(Camel):
    """A new block."""

    name: Name100
    floors: Positive | None = None
    metadata: Metadata | None = None


class BlockChanges(Camel):
    """What may change in a block."""

    name: Name100 | UnsetType = UNSET
    floors: Positive | UnsetType | None = UNSET
    metadata: Metadata | UnsetType | None = UNSET


class RoomBody(Camel):
    """A room of a floor plan, in metres."""

    nome: Label
    comprimento: Side
    largura: Side
    preset_key: Label | None = None
    tags: Annotated[list[Label], Meta(max_length=50)] = msgspec.field(default_factory=list)
    pe_direito: Height = 2.8
    qtd_portas: NotNegative = 1
    qtd_janelas: NotNegative = 1


class MeasurementBody(Camel):
    """A measurement of a floor plan."""

    category: Label
    label: Label
    measurement_type: MeasurementType
    value: Annotated[float, Meta(ge=0.0001, le=99999999.9999)]
    area_tipo: Label | None = None


Rooms = Annotated[list[RoomBody], Meta(max_length=200)]
Measurements = Annotated[list[MeasurementBody], Meta(max_length=500)]


class Room(Camel):
    """A stored room."""

    id: str
    floor_plan_id: str
    nome: str
    preset_key: str | None
    tags: list[str]
    comprimento: float
    largura: float
    pe_direito: float
    qtd_portas: int
    qtd_janelas: int
    order: int
    created_at: str
    updated_at: str


class Measurement(Camel):
    """A stored measurement."""

    id: str
    floor_plan_id: str
    category: str
    label: str
    measurement_type: MeasurementType
    value: float
    area_tipo: str | None
    order: int
    created_at: str
    updated_at: str


class FloorPlan(Camel):
    """A floor plan; ``detalhado`` tells that it has rooms or measurements."""

    id: str
    project_id: str
    name: str
    description: str | None
    type: UnitType
    area: float
    bedrooms: int | None
    bathrooms: int | None
    default_price: float | None
    detalhado: bool
    metadata: Any
    created_at: str
    updated_at: str
    rooms: list[Room]
    measurements: list[Measurement]
    count: UnitCount = msgspec.field(name="_count")


class FloorPlanBody(Camel):
    """A new floor plan."""

    name: Name100
    type: UnitType
    area: Area
    description: LongText | None = None
    bedrooms: NotNegative | None = None
    bathrooms: NotNegative | None = None
    default_price: Money | None = None
    metadata: Metadata | None = None
    rooms: Rooms = msgspec.field(default_factory=list)
    measurements: Measurements = msgspec.field(default_factory=list)


class FloorPlanChanges(Camel):
    """What may change in a floor plan; ``rooms`` and ``measurements`` replace the whole list."""

    name: Name100 | UnsetType = UNSET
    type: UnitType | UnsetType = UNSET
    area: Area | UnsetType = UNSET
    description: LongText | UnsetType | None = UNSET
    bedrooms: NotNegative | UnsetType | None = UNSET
    bathrooms: NotNegative | UnsetType | None = UNSET
    default_price: Money | UnsetType | None = UNSET
    metadata: Metadata | UnsetType | None = UNSET
    rooms: Rooms | UnsetType = UNSET
    measurements: Measurements | UnsetType = UNSET


class BulkItem(Camel):
    """How many units of a floor plan are on each floor."""

    floor_plan_id: uuid.UUID
    units_per_floor: Annotated[int, Meta(ge=1, le=1000)]


class BulkBody(Camel):
    """The units that the wizard makes: every item on every floor of every block."""

    items: Annotated[list[BulkItem], Meta(min_length=1, max_length=100)]
    floors: Annotated[int, Meta(ge=1, le=1000)]
    code_pattern: CodePattern
    start_floor: Annotated[int, Meta(ge=0, le=1000)] = 1
    block_ids: Annotated[list[uuid.UUID], Meta(max_length=200)] = msgspec.field(default_factory=list)
    code_prefix: Annotated[str, Meta(max_length=20)] | None = None


class PlannedUnit(Camel):
    """A unit that the wizard would make."""

    code: str
    type: UnitType
    floor: int
    area: float
    bedrooms: int | None
    bathrooms: int | None
    price: float
    block_id: str | None
    block_name: str | None
    floor_plan_id: str
    floor_plan_name: str


class BulkPreview(Camel):
    """What the wizard would make, and the codes that exist already."""

    units: list[PlannedUnit]
    total: int
    conflicts: list[str]
    has_conflicts: bool


class BulkDeleteBody(Camel):
    """Units to delete."""

    unit_ids: Annotated[list[uuid.UUID], Meta(min_length=1, max_length=5000)]


class CountAnswer(Camel):
    """An answer that says something and counts."""

    message: str
    count: int
