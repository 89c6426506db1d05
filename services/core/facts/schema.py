"""The tables of facts. SQL holds what is true of films; vectors live in Qdrant, pictures in files."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    false,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    }
)

images = Table(
    "images",
    metadata,
    Column("image_id", String(36), primary_key=True),
    Column("dataset", String(64), nullable=False, index=True),
    Column("patient_id", String(128)),
    Column("study_id", String(128)),
    Column("view", String(16)),
    Column("sex", String(1)),
    Column("age", Float),
    Column("study_date", String(10)),
    Column("modality", String(16)),
    Column("rows", Integer, nullable=False),
    Column("columns", Integer, nullable=False),
    Column("bytes_sha256", String(64), nullable=False, index=True),
    Column("pixel_sha256", String(64), nullable=False, index=True),
    Column("phash", String(16), nullable=False),
    Column("thumbnail", String(64), nullable=False),  # sha256 of the picture in blobs
    Column("licence", String(128)),
    Column("attribution", Text),
    Column("series_id", String(128)),
    Column("accession_id", String(128)),
    Column("split", String(16)),
    Column("view_source", String(16)),
    Column("orientation", String(16)),
    Column("body_part", String(64)),
    Column("manufacturer", String(64)),
    Column("device", String(64)),
    Column("institution", String(64)),
    Column("race", String(64)),
    Column("ethnicity", String(64)),
    Column("age_binned", Boolean),
    Column("date_kind", String(16)),
    Column("study_order", Integer),
    Column("bits_stored", Integer),
    Column("photometric", String(16)),
    Column("pixel_spacing", Float),
    Column("burned_in", String(16)),
    Column("created_at", String(32), nullable=False),
    Column("updated_at", String(32), nullable=False),
    Index(None, "dataset", "patient_id"),
    Index(None, "dataset", "study_id"),
)

labels = Table(
    "labels",
    metadata,
    Column("image_id", String(36), ForeignKey("images.image_id", ondelete="CASCADE"), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("source", String(64), primary_key=True),
    Column("state", String(9), nullable=False),  # present, absent, uncertain; unknown is no row
    Column("level", String(8), nullable=False, server_default="image"),
    Column("implicit", Boolean, nullable=False, server_default=false()),
    Column("score", Float),
    Index(None, "name", "state", "image_id"),
)

boxes = Table(
    "boxes",
    metadata,
    Column("image_id", String(36), ForeignKey("images.image_id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("name", String(64), nullable=False),
    Column("x", Float, nullable=False),
    Column("y", Float, nullable=False),
    Column("width", Float, nullable=False),
    Column("height", Float, nullable=False),
    Column("source", String(64), nullable=False),
)

reports = Table(
    "reports",
    metadata,
    Column("dataset", String(64), primary_key=True),
    Column("study_id", String(128), primary_key=True),
    Column("section", String(32), primary_key=True),
    Column("text", Text, nullable=False),
)

# Which film is stored with which encoder: written only after the engine has acknowledged the vector.
embeddings = Table(
    "embeddings",
    metadata,
    Column("image_id", String(36), ForeignKey("images.image_id", ondelete="CASCADE"), primary_key=True),
    Column("fingerprint", String(64), primary_key=True),
    Column("created_at", String(32), nullable=False),
    Index(None, "fingerprint", "image_id"),
)

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
