"""What alembic runs: all revisions in the transaction that `_formats` has begun."""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
