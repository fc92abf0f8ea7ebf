"""The data of a run: made from a seed, so that two runs with one seed have the same rows."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

TENANTS = 5
PROJECTS_PER_TENANT = 200
MOST_EVOLUTIONS = 12
MOST_UNITS = 24
ROLES = ("MASTER", "ENGINEER", "VIEWER", "CONTRACTOR")
STATUSES = ("PLANNING", "IN_PROGRESS", "PAUSED", "COMPLETED", "CANCELLED")
KINDS = ("Residencial", "Edifício", "Condomínio", "Galpão", "Loja", "Escola", "Reforma 100%", "Casa_modelo")
PLACES = ("Aurora", "Boa Vista", "São José", "Alto da Serra", "Ponta Negra", "Lagoa Nova", "Candelária", "Tirol")
CITIES = (("Natal", "RN"), ("Recife", "PE"), ("São Paulo", "SP"), ("Curitiba", "PR"))
PHASES = ("Fundação", "Estrutura", "Alvenaria", "Cobertura", "Acabamento")
BEGIN = datetime(2025, 1, 1, tzinfo=timezone.utc)


@dataclass(frozen=True)
class User:
    """Who calls: the ids that go into the token."""

    id: str
    tenant: str
    role: str
    contractor: str | None


@dataclass(frozen=True)
class Data:
    """The rows as an SQL script, and who may call. The last tenant has no project: creations go there."""

    script: str
    users: list[User]
    projects: int
    evolutions: int
    units: int

    @property
    def empty_tenant(self) -> str:
        """The tenant that begins without projects."""
        return self.users[-1].tenant


class _Rows:
    """Rows of one table, as PostgreSQL's COPY reads them."""

    def __init__(self, table: str, columns: str) -> None:
        self._head = f"copy {table} ({columns}) from stdin;"
        self._lines: list[str] = []

    def add(self, *values: object) -> None:
        self._lines.append("\t".join(_field(value) for value in values))

    def __len__(self) -> int:
        return len(self._lines)

    @property
    def script(self) -> str:
        return "\n".join([self._head, *self._lines, "\\.", ""])


def _field(value: object) -> str:
    if value is None:
        return "\\N"
    if isinstance(value, (dict, list)):
        value = json.dumps(value, ensure_ascii=False)
    elif isinstance(value, datetime):
        value = value.isoformat()
    return str(value).replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")


def address(dice: random.Random) -> dict[str, str]:
    """Make an address; one in three has a complement."""
    city, state = dice.choice(CITIES)
    made = {
        "street": f"Rua {dice.choice(PLACES)}",
        "number": str(dice.randint(1, 3000)),
        "neighborhood": dice.choice(PLACES),
        "city": city,
        "state": state,
        "zipCode": f"{dice.randint(10_000_000, 99_999_999)}",
    }
    return {**made, "complement": f"Bloco {dice.randint(1, 9)}"} if dice.random() < 1 / 3 else made


def make(seed: int) -> Data:
    """Make tenants, users, projects, evolutions and units."""
    dice = random.Random(seed)
    tenants = _Rows("tenants", "id, name, document")
    contractors = _Rows("contractors", "id, tenant_id, name, document")
    users = _Rows("users", "id, tenant_id, email, password_hash, name, role, contractor_id, is_approved")
    sessions = _Rows("sessions", "id, user_id, expires_at")
    projects = _Rows(
        "projects",
        "id, tenant_id, name, description, address, status, start_date, expected_end_date, actual_end_date, budget, "
        "scheduling_mode, holidays, metadata, quantidade_unidades, created_at, updated_at",
    )
    assigned = _Rows("project_contractors", "tenant_id, project_id, contractor_id")
    evolutions = _Rows(
        "evolutions", "id, project_id, date, percentage, phase, photos, notes, reported_by, created_at, updated_at"
    )
    units = _Rows("units", "id, project_id, code, type, floor, area, bedrooms, bathrooms, price, status")
    callers: list[User] = []
    for number in range(TENANTS + 1):
        tenant, contractor = _identity(dice), _identity(dice)
        tenants.add(tenant, f"Construtora {number}", f"{number:014d}")
        contractors.add(contractor, tenant, f"Empreiteira {number}", f"{number:014d}")
        own = [User(_identity(dice), tenant, role, contractor if role == "CONTRACTOR" else None) for role in ROLES]
        for user in own:
            name = f"{user.role.title()} {number}"
            users.add(user.id, tenant, f"{user.id}@example.com", "-", name, user.role, user.contractor, "true")
            sessions.add(user.id, user.id, "infinity")
        callers += own
        for _ in range(PROJECTS_PER_TENANT if number < TENANTS else 0):
            project = _project(dice, tenant, projects)
            if dice.random() < 0.2:
                assigned.add(tenant, project, contractor)
            _children(dice, project, own, evolutions, units)
    tables = (tenants, contractors, users, sessions, projects, assigned, evolutions, units)
    script = "".join(table.script for table in tables)
    return Data(script, callers, len(projects), len(evolutions), len(units))


def _identity(dice: random.Random) -> str:
    return str(uuid.UUID(int=dice.getrandbits(128), version=4))


def _instant(dice: random.Random, begin: datetime = BEGIN) -> datetime:
    return begin + timedelta(milliseconds=dice.randrange(300 * 86_400_000))


def _project(dice: random.Random, tenant: str, projects: _Rows) -> str:
    identity, created = _identity(dice), _instant(dice)
    name = f"{dice.choice(KINDS)} {dice.choice(PLACES)} {dice.randint(1, 99)}"
    text = f"Obra {dice.choice(PLACES)}: " + " ".join(dice.choice(PHASES) for _ in range(dice.randint(1, 20)))
    status = dice.choice(STATUSES)
    projects.add(
        identity,
        tenant,
        name,
        dice.choice((text, text, None)),
        address(dice),
        status,
        created,
        _instant(dice, created),
        _instant(dice, created) if status == "COMPLETED" else None,
        f"{dice.randint(1_000_000, 900_000_000) / 100:.2f}",
        dice.choice((None, "BUSINESS_DAYS", "CALENDAR_DAYS")),
        dice.choice((None, ["2025-12-25"])),
        dice.choice((None, {"source": "import", "priority": dice.randint(1, 5)})),
        dice.randint(1, 120),
        created,
        _instant(dice, created),
    )
    return identity


def _children(dice: random.Random, project: str, users: Sequence[User], evolutions: _Rows, units: _Rows) -> None:
    for _ in range(dice.randint(0, MOST_EVOLUTIONS)):
        date = _instant(dice)
        percentage = f"{dice.randint(0, 10_000) / 100:.2f}"
        photos = [f"projects/{project}/{number}.jpg" for number in range(dice.randint(0, 4))]
        notes = dice.choice((None, "Chuva na semana"))
        phase, reporter = dice.choice(PHASES), dice.choice(users).id
        evolutions.add(_identity(dice), project, date, percentage, phase, photos, notes, reporter, date, date)
    for number in range(dice.randint(0, MOST_UNITS)):
        area, price = dice.randint(30, 200), dice.randint(100_000, 900_000)
        units.add(
            _identity(dice), project, f"{number // 4 + 1}{number % 4 + 1:02d}", "APARTMENT", number // 4 + 1, area,
            dice.randint(1, 4), dice.randint(1, 3), price, "AVAILABLE",
        )  # fmt: skip
