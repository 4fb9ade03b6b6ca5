"""an index of the dead letters that wait.

Revision: 0005, after 0004.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Apply it."""
    op.create_index(
        "ix_dead_letters_waiting",
        "dead_letters",
        ["stage", "reason", "at", "channel"],
        unique=False,
        postgresql_where=sa.text("replayed_at IS NULL AND discarded_at IS NULL"),
        sqlite_where=sa.text("replayed_at IS NULL AND discarded_at IS NULL"),
    )
