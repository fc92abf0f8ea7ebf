"""Runs the revisions on the connection that `enlevohub_api.migrate` made and locked, all in one transaction."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transaction_per_migration=False)
with context.begin_transaction():
    context.run_migrations()
