"""Encoders, jobs and runs, and whom nobody may take in again."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Column, Float, ForeignKey, Index, Integer, String, Table, Text

from services.core.facts.schema.base import metadata

models = Table(
    "models",
    metadata,
    Column("fingerprint", String(64), primary_key=True),
    Column("name", String(64), nullable=False, index=True),
    Column("collection", String(96), nullable=False),
    Column("spec", JSON, nullable=False),
    Column("active", Boolean, nullable=False),  # the one its name's alias points at
    Column("created_at", String(32), nullable=False),
)

# Which fingerprint was made to answer for a name, instead of which, and what was known then. Only ever added to.
promotions = Table(
    "promotions",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("name", String(64), nullable=False, index=True),
    Column("fingerprint", String(64), nullable=False),
    Column("previous", String(64), nullable=False),
    Column("how", String(16), nullable=False),
    Column("comparison", JSON, nullable=False),
    Column("created_at", String(32), nullable=False),
)

jobs = Table(
    "jobs",
    metadata,
    Column("job_id", String(36), primary_key=True),
    Column("kind", String(32), nullable=False, index=True),
    Column("state", String(16), nullable=False, index=True),
    Column("request_id", String(64), unique=True),
    Column("spec", JSON, nullable=False),
    Column("progress", JSON, nullable=False),
    Column("result", JSON, nullable=False),
    Column("error", Text),
    Column("cancel_requested", Boolean, nullable=False),
    Column("owner", String(64)),
    Column("heartbeat", Float),  # UTC seconds; a running job whose owner has gone quiet is taken up again
    Column("created_at", String(32), nullable=False, index=True),
    Column("started_at", String(32)),
    Column("finished_at", String(32)),
)

job_items = Table(
    "job_items",
    metadata,
    Column("job_id", String(36), ForeignKey("jobs.job_id", ondelete="CASCADE"), primary_key=True),
    Column("ref", String(32), primary_key=True),
    Column("outcome", String(16), nullable=False),
    Column("image_id", String(36)),
    Column("reason", String(48), nullable=False),
    Column("message", Text, nullable=False),
    Index(None, "job_id", "outcome"),
)

runs = Table(
    "runs",
    metadata,
    Column("run_id", String(36), primary_key=True),
    Column("job_id", String(36)),
    Column("state", String(16), nullable=False),
    Column("manifest", JSON, nullable=False),
    Column("metrics", JSON, nullable=False),
    Column("created_at", String(32), nullable=False, index=True),
)

# Patients and films whose consent is withdrawn: keyed hashes that no id can be read from (`services.ingest.withdrawn`).
forgotten = Table(
    "forgotten",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("created_at", String(32), nullable=False),
)
