"""Bodies of requests and answers, in the contract's camelCase. Instants leave as text with milliseconds and ``Z``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from enlevohub_api.validation import EMAIL_PATTERN, PASSWORD_PATTERN

Email = Annotated[str, Meta(min_length=3, max_length=254, pattern=EMAIL_PATTERN)]
NewPassword = Annotated[str, Meta(min_length=8, max_length=200, pattern=PASSWORD_PATTERN)]
Name = Annotated[str, Meta(min_length=2, max_length=200)]
Instant = Annotated[datetime, Meta(tz=True)]
ProjectStatus = Literal["PLANNING", "IN_PROGRESS", "PAUSED", "COMPLETED", "CANCELLED"]
PROJECT_STATUSES: tuple[ProjectStatus, ...] = ("PLANNING", "IN_PROGRESS", "PAUSED", "COMPLETED", "CANCELLED")
SortField = Literal["name", "createdAt", "updatedAt", "status", "budget"]
SortOrder = Literal["asc", "desc"]
Text2 = Annotated[str, Meta(min_length=2, max_length=300)]


class Camel(msgspec.Struct, rename="camel", kw_only=True):
    """Base of all bodies."""


class RegisterBody(Camel):
    """A new company and its first user."""

    email: Email
    password: NewPassword
    name: Name
    tenant_name: Name
    tenant_document: Annotated[str, Meta(min_length=11, max_length=50)]


class LoginBody(Camel):
    """Credentials."""

    email: Email
    password: Annotated[str, Meta(min_length=1, max_length=1000)]


class RefreshBody(Camel):
    """A refresh token to rotate."""

    refresh_token: Annotated[str, Meta(min_length=1, max_length=4096)]


class LogoutBody(Camel):
    """The refresh token whose session ends; all sessions of the caller when absent."""

    refresh_token: Annotated[str, Meta(min_length=1, max_length=4096)] | None = None


class MessageAnswer(Camel):
    """An answer that only says something."""

    message: str


class TokenPair(Camel):
    """Access and refresh token."""

    access_token: str
    refresh_token: str


class TenantSummary(Camel):
    """The caller's company."""

    id: str
    name: str
    plan: str


class SessionUser(Camel):
    """The user part of a login answer."""

    id: str
    email: str
    name: str
    role: str
    tenant_id: str
    contractor_id: str | None
    broker_id: str | None
    is_approved: bool


class AuthResult(Camel):
    """The answer to register and login."""

    user: SessionUser
    tenant: TenantSummary
    tokens: TokenPair


class ContractorSummary(Camel):
    """The contractor that a user stands for."""

    id: str
    name: str
    document: str
    specialty: list[str]


class Me(Camel):
    """The signed-in user."""

    id: str
    email: str
    name: str
    role: str
    tenant_id: str
    contractor_id: str | None
    is_approved: bool
    created_at: str
    tenant: TenantSummary
    contractor: ContractorSummary | None


class Address(Camel, omit_defaults=True):
    """A postal address; ``complement`` is left out when absent."""

    street: Text2
    number: Annotated[str, Meta(min_length=1, max_length=30)]
    neighborhood: Text2
    city: Text2
    state: Annotated[str, Meta(min_length=2, max_length=2)]
    zip_code: Annotated[str, Meta(min_length=8, max_length=20)]
    complement: Annotated[str, Meta(max_length=300)] | None = None


class ProjectBody(Camel):
    """A new project."""

    name: Annotated[str, Meta(min_length=2, max_length=200)]
    address: Address
    description: Annotated[str, Meta(max_length=10000)] | None = None
    status: ProjectStatus = "PLANNING"
    start_date: Instant | None = None
    expected_end_date: Instant | None = None
    budget: Annotated[float, Meta(ge=0.01, le=9999999999999.99)] | None = None
    quantidade_unidades: Annotated[int, Meta(ge=1, le=2147483647)] = 1
    metadata: dict[str, Any] | None = None


class UserSummary(Camel):
    """Who reported an evolution."""

    id: str
    name: str


class Evolution(Camel):
    """A record of progress."""

    id: str
    project_id: str
    date: str
    percentage: float
    phase: str
    photos: list[str]
    notes: str | None
    reported_by: str
    created_at: str
    updated_at: str


class EvolutionWithUser(Evolution):
    """A record of progress and who reported it."""

    user: UserSummary


class Unit(Camel):
    """A unit as a project's detail shows it: an absent price is 0."""

    id: str
    project_id: str
    code: str
    type: str
    floor: int | None
    area: float
    bedrooms: int | None
    bathrooms: int | None
    price: float
    status: str
    block_id: str | None
    floor_plan_id: str | None
    metadata: Any
    created_at: str
    updated_at: str


class Project(Camel):
    """The columns of a project."""

    id: str
    tenant_id: str
    name: str
    description: str | None
    address: dict[str, Any]
    status: ProjectStatus
    start_date: str | None
    expected_end_date: str | None
    actual_end_date: str | None
    budget: float
    scheduling_mode: str | None
    holidays: Any
    metadata: Any
    quantidade_unidades: int
    created_at: str
    updated_at: str


class RowCount(Camel):
    """Numbers of children in the list."""

    units: int
    evolutions: int
    activities: int


class CreatedCount(Camel):
    """Numbers of children of a new project."""

    units: int
    evolutions: int


class DetailCount(Camel):
    """Numbers of children in the detail."""

    units: int
    evolutions: int
    purchase_orders: int
    financial_transactions: int


class ProjectRow(Project):
    """A project in the list, with its latest evolution."""

    evolutions: list[Evolution]
    count: RowCount = msgspec.field(name="_count")


class ProjectCreated(Project):
    """A project just created."""

    evolutions: list[Evolution]
    count: CreatedCount = msgspec.field(name="_count")


class ProjectDetail(Project):
    """A project with all its evolutions and units."""

    evolutions: list[EvolutionWithUser]
    units: list[Unit]
    count: DetailCount = msgspec.field(name="_count")


class Pagination(Camel):
    """Where a page lies in the whole list."""

    page: int
    limit: int
    total: int
    total_pages: int


class ProjectPage(Camel):
    """One page of projects."""

    data: list[ProjectRow]
    pagination: Pagination


def paginate(page: int, limit: int, total: int) -> Pagination:
    """Describe a page; an empty list has 0 pages."""
    return Pagination(page=page, limit=limit, total=total, total_pages=-(-total // limit))


def iso(moment: datetime) -> str:
    """Write an instant as ``2026-01-02T00:00:00.000Z``."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def iso_or_none(moment: datetime | None) -> str | None:
    """Write an instant, or keep None."""
    return None if moment is None else iso(moment)
