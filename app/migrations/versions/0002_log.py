"""The tables become the log a run is taken up from: frames, answers, lines in front of the vendors, workers."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from app.db import Utc

revision = "0002"
down_revision = "0001"

JSON = sa.JSON(none_as_null=True)


def upgrade() -> None:
    columns: dict[str, list[sa.Column[Any]]] = {
        "generations": [
            sa.Column("frame", JSON),
            sa.Column("executor", sa.String(length=40)),
            sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"),
            sa.Column("deleted_at", Utc()),
        ],
        "steps": [sa.Column("answer", JSON)],
        "calls": [
            sa.Column("owner", sa.String(length=64), nullable=False, server_default=""),
            sa.Column("lane", sa.String(length=80), nullable=False, server_default=""),
            sa.Column("job_id", sa.String(length=255)),
            sa.Column("warnings", JSON),
            sa.Column("admitted_at", Utc()),
            sa.Column("not_before", Utc()),
        ],
        "assets": [sa.Column("reused_from", sa.String(length=40))],
    }
    for table, added in columns.items():
        for column in added:
            op.add_column(table, column)
    # What was reserved before there were lines may have left.
    op.execute("UPDATE calls SET admitted_at = created_at")
    op.create_index("ix_calls_lane_state", "calls", ["lane", "state"])
    op.create_index("ix_calls_vendor_job_id", "calls", ["vendor", "job_id"])
    op.create_index("ix_calls_owner_request_digest", "calls", ["owner", "request_digest"])
    op.create_index("ix_calls_owner_created_at", "calls", ["owner", "created_at"])
    op.create_table(
        "workers",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("version", sa.String(length=32), nullable=False),
        sa.Column("started_at", Utc(), nullable=False),
        sa.Column("seen_at", Utc(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
