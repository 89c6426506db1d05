"""Films: what is true of them, and which encoders hold them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, ForeignKey, Index, Integer, String, Table, Text, false

from services.core.facts.schema.base import metadata

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
    Column("profile", BigInteger, nullable=False, server_default="0", index=True),  # its labels as one number
    Column("created_at", String(32), nullable=False),
    Column("updated_at", String(32), nullable=False, index=True),
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

# Every different set of labels that some film has, once: counting films by finding reads these, not every label.
profiles = Table(
    "profiles",
    metadata,
    Column("profile", BigInteger, primary_key=True, autoincrement=False),
    Column("said", Text, nullable=False),
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
