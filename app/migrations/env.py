"""Alembic's entry: runs the migrations on the connection `app.db` hands over."""

from alembic import context

from app.db import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
