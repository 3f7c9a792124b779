"""Alembic's entry: one connection, one transaction for all revisions. Called by `ops.migrate`."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    transaction_per_migration=False,
    version_table="schema_version",
)
with context.begin_transaction():
    context.run_migrations()
