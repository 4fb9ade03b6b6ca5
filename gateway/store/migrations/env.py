"""Alembic's way in: always over a connection that the gateway hands it (see gateway/store/migrate.py)."""

from __future__ import annotations

from alembic import context

from gateway.store import operations  # noqa: F401 - its tables are on the metadata once it is imported
from gateway.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
