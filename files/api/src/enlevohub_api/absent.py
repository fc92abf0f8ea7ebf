"""Parts of EnlevoHub that this service does not keep: the screens that ask for them get the answer of an empty company.

Permissions and unknown projects are told apart all the same.
"""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from enlevohub_api.children import read_in_project
from enlevohub_api.documented import failures
from enlevohub_api.schemas import Camel, Pagination, paginate
from enlevohub_api.services import Request, requires
from enlevohub_api.web import Operation, Router, get

Page = Annotated[int, Meta(ge=1, le=1_000_000)]
Limit = Annotated[int, Meta(ge=1, le=100)]

_SEES = "select to_json(true)"


class EmptyPage(Camel):
    """A page of a list that has no rows."""

    data: list[dict[str, Any]]
    pagination: Pagination


class Count(Camel):
    """A number of rows."""

    count: int


class Progress(Camel):
    """A project's progress over its activities."""

    overall_progress: float
    activities: list[dict[str, Any]]


class ReviewSummary(Camel):
    """How many activities the levantamento covers."""

    total_leaf_activities: int
    covered_activities: int
    coverage_percentage: float


class Review(Camel):
    """A project's activities for review."""

    summary: ReviewSummary
    activities: list[dict[str, Any]]


class ReportProject(Camel):
    """The project of a report."""

    id: str
    name: str


class ReportStats(Camel):
    """The sums of a report."""

    total_itens: int
    total_geral: float
    total_ambientes: int
    qtd_etapas: int


class Report(Camel):
    """A project's levantamento as a report."""

    project: ReportProject
    levantamento: dict[str, Any] | None
    stats: ReportStats
    by_etapa: list[dict[str, Any]]
    by_ambiente: list[dict[str, Any]]
    items: list[dict[str, Any]]


class FinancialDashboard(Camel):
    """The company's money."""

    total_balance: float
    monthly_income: float
    monthly_expense: float
    pending_reconciliation: float
    accounts: list[dict[str, Any]]
    recent_transactions: list[dict[str, Any]]


def _empty_list(path: str, permission: str, summary: str, default: int) -> Operation:
    @get(path, guards=[requires(permission)], summary=summary, responses=failures(400, 401, 403))
    async def handler(page: Page = 1, limit: Limit = default) -> EmptyPage:
        return EmptyPage(data=[], pagination=paginate(page, limit, 0))

    return handler


@get(
    "/projects/levantamento-item-count", guards=[requires("projects:view")], summary="Items of all levantamentos",
    responses=failures(401, 403),
)  # fmt: skip
async def levantamento_item_count() -> Count:
    """Count none."""
    return Count(0)


@get(
    "/projects/{project_id}/progress", guards=[requires("activities:view", late=True)],
    summary="Progress of activities", responses=failures(401, 403, 404),
)  # fmt: skip
async def progress(request: Request, project_id: str) -> Progress:
    """Give no activities."""
    await read_in_project(request, project_id, bool, _SEES)
    return Progress(0, [])


@get(
    "/projects/{project_id}/activities", guards=[requires("activities:view", late=True)],
    summary="Activities of a project", responses=failures(401, 403, 404),
)  # fmt: skip
async def activities(request: Request, project_id: str) -> list[dict[str, Any]]:
    """Give no activities."""
    await read_in_project(request, project_id, bool, _SEES)
    return []


@get(
    "/projects/{project_id}/activities/review-summary", guards=[requires("activities:view", late=True)],
    summary="Activities to review", responses=failures(401, 403, 404),
)  # fmt: skip
async def review_summary(request: Request, project_id: str) -> Review:
    """Give no activities."""
    await read_in_project(request, project_id, bool, _SEES)
    return Review(ReviewSummary(0, 0, 0), [])


@get(
    "/projects/{project_id}/measurements", guards=[requires("activities:view", late=True)],
    summary="Measurements of a project", responses=failures(400, 401, 403, 404),
)  # fmt: skip
async def measurements(request: Request, project_id: str, page: Page = 1, limit: Limit = 10) -> EmptyPage:
    """Give no measurements."""
    await read_in_project(request, project_id, bool, _SEES)
    return EmptyPage(data=[], pagination=paginate(page, limit, 0))


@get(
    "/projects/{project_id}/levantamento-report", guards=[requires("projects:view", late=True)],
    summary="Levantamento report", responses=failures(401, 403, 404),
)  # fmt: skip
async def levantamento_report(request: Request, project_id: str) -> Report:
    """Give a report without items."""
    project = await read_in_project(
        request, project_id, ReportProject, "select json_build_object('id', p.id, 'name', p.name)"
    )
    return Report(project, None, ReportStats(0, 0, 0, 0), [], [], [])


@get(
    "/contractors/project/{project_id}", guards=[requires("contractors:view", late=True)],
    summary="Contractors of a project", responses=failures(401, 403, 404),
)  # fmt: skip
async def project_contractors(request: Request, project_id: str) -> list[dict[str, Any]]:
    """Give no contractors."""
    await read_in_project(request, project_id, bool, _SEES)
    return []


@get(
    "/financial/dashboard", guards=[requires("financial:view")], summary="The company's money",
    responses=failures(401, 403),
)  # fmt: skip
async def financial_dashboard() -> FinancialDashboard:
    """Give zeros."""
    return FinancialDashboard(0, 0, 0, 0, [], [])


@get("/financial/accounts", guards=[requires("financial:view")], summary="Bank accounts", responses=failures(401, 403))
async def financial_accounts() -> list[dict[str, Any]]:
    """Give no accounts."""
    return []


absent_router = Router(
    path="/",
    route_handlers=[
        levantamento_item_count,
        progress,
        activities,
        review_summary,
        measurements,
        levantamento_report,
        project_contractors,
        financial_dashboard,
        financial_accounts,
        _empty_list("/suppliers", "suppliers:view", "Suppliers", 10),
        _empty_list("/suppliers/purchase-orders", "purchases:view", "Purchase orders", 10),
        _empty_list("/contractors", "contractors:view", "Contractors", 10),
        _empty_list("/brokers", "brokers:view", "Brokers", 10),
        _empty_list("/activity-templates", "activities:view", "Activity templates", 10),
        _empty_list("/financial/transactions", "financial:view", "Financial transactions", 10),
    ],
    tags=["absent"],
)
