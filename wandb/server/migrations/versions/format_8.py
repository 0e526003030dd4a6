"""Format 8: all ids that clients gave a version, instead of the first one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "8"
down_revision = "7"


def upgrade() -> None:
    op.create_table(
        "artifact_client_ids",
        sa.Column("client_id", sa.String(), primary_key=True),
        sa.Column("collection_id", sa.Integer(), sa.ForeignKey("artifact_collections.id"), primary_key=True),
        sa.Column("artifact_id", sa.Integer()),
    )
    op.create_index("artifact_client_ids_by_collection", "artifact_client_ids", ["collection_id"])
    columns = "INSERT INTO artifact_client_ids (client_id, collection_id, artifact_id)"
    op.execute(
        f"{columns} SELECT client_id, collection_id, MAX(id) FROM artifacts WHERE client_id <> '' "
        "GROUP BY client_id, collection_id"
    )
    op.execute(
        f"{columns} SELECT client_id, id, NULL FROM artifact_collections AS c WHERE client_id <> '' AND NOT EXISTS "
        "(SELECT 1 FROM artifact_client_ids AS i WHERE i.client_id = c.client_id AND i.collection_id = c.id)"
    )
    op.drop_index("artifacts_by_client", "artifacts")
    op.drop_index("artifact_collections_by_client", "artifact_collections")
    op.drop_column("artifacts", "client_id")
    op.drop_column("artifact_collections", "client_id")
