"""Format 5: what a sweep tries next follows from its runs, so nothing counts what was handed out."""

from __future__ import annotations

from alembic import op

revision = "5"
down_revision = "4"


def upgrade() -> None:
    with op.batch_alter_table("sweeps") as table:
        table.drop_column("handed")
