"""Format 10: links to one run."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "10"
down_revision = "9"


def upgrade() -> None:
    op.add_column("share_links", sa.Column("run_id", sa.Integer()))
    op.create_index("share_links_by_run", "share_links", ["run_id"])
