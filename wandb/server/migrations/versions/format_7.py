"""Format 7: leases of items in launch queues, and what happened to them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "7"
down_revision = "6"


def upgrade() -> None:
    op.add_column("run_queue_items", sa.Column("agent_id", sa.Integer()))
    op.add_column("run_queue_items", sa.Column("leased_until", sa.Float()))
    for name in ("gpus", "handed", "failures"):
        op.add_column("run_queue_items", sa.Column(name, sa.Integer(), nullable=False, server_default="0"))
    op.add_column("run_queue_items", sa.Column("exit_code", sa.Integer()))
    op.add_column("run_queue_items", sa.Column("events", sa.Text(), nullable=False, server_default="[]"))
    # What was leased then is handed out again when its time is over, as it was to be.
    op.execute("UPDATE run_queue_items SET handed = 1, leased_until = leased_at + 300 WHERE state = 'LEASED'")
    op.drop_column("run_queue_items", "leased_at")
    op.drop_index("ix_run_queue_items_queue_id", "run_queue_items")
    op.create_index("run_queue_items_in_line", "run_queue_items", ["queue_id", "state", "priority", "id"])
