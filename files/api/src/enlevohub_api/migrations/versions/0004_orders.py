"""Indexes in the whole order of lists: without them every list, and the latest record of every project, was sorted."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# Each new index begins with the columns of the one that it replaces.
STATEMENTS = (
    "create index projects_tenant_newest on projects (tenant_id, created_at desc, id)",
    "create index evolutions_project_newest on evolutions (project_id, date desc, created_at desc, id)",
    "drop index projects_tenant_created",
    "drop index evolutions_project_date",
)


def upgrade() -> None:
    """Replace the indexes."""
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Put the indexes of revision 0001 back."""
    op.execute("create index projects_tenant_created on projects (tenant_id, created_at desc)")
    op.execute("create index evolutions_project_date on evolutions (project_id, date desc)")
    op.execute("drop index projects_tenant_newest")
    op.execute("drop index evolutions_project_newest")
