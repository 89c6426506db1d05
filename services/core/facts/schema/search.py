"""What search needs: sets of films, side tables, what was measured, questions that are kept."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Column, Float, ForeignKey, Index, Integer, String, Table, Text

from services.core.facts.schema.base import metadata

# Named sets of films: a frozen cohort, a cluster of a run. A point's payload names the sets its film is in, too:
# while that is being written or taken away, members alone tell.
sets = Table(
    "sets",
    metadata,
    Column("set_id", String(160), primary_key=True),
    Column("kind", String(16), nullable=False, index=True),
    Column("state", String(8), nullable=False, index=True),  # writing, ready, deleting
    Column("title", Text, nullable=False),
    Column("about", JSON, nullable=False),
    Column("created_at", String(32), nullable=False),
)

members = Table(
    "members",
    metadata,
    Column("set_id", String(160), ForeignKey("sets.set_id", ondelete="CASCADE"), primary_key=True),
    Column("image_id", String(36), ForeignKey("images.image_id", ondelete="CASCADE"), primary_key=True),
    Index(None, "image_id"),
)

# Wide side tables as they came: one row of cells per film, study or patient of a dataset, and what columns there are.
side_columns = Table(
    "side_columns",
    metadata,
    Column("dataset", String(64), primary_key=True),
    Column("side", String(32), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("level", String(8), nullable=False),  # image, study or patient
    Column("kind", String(8), nullable=False),  # number or text
    Column("title", Text, nullable=False),  # as the table spells it
)

side_rows = Table(
    "side_rows",
    metadata,
    Column("dataset", String(64), primary_key=True),
    Column("side", String(32), primary_key=True),
    Column("key", String(128), primary_key=True),  # the id that the archive has of the film, study or patient
    Column("level", String(8), nullable=False),  # image, study or patient
    Column("facts", JSON, nullable=False),  # {"number": {column: …}, "text": {column: …}}; blank cells are left out
    Index(None, "side", "level"),
)

# How crowded a film's neighbourhood is under an encoder: hubs are near everything.
densities = Table(
    "densities",
    metadata,
    Column("fingerprint", String(64), primary_key=True),
    Column("image_id", String(36), ForeignKey("images.image_id", ondelete="CASCADE"), primary_key=True),
    Column("density", Float, nullable=False),  # mean cosine with its k nearest films
    Column("occurrences", Integer, nullable=False),  # how many films have it among their k nearest
)

# What a score of an encoder means: P(shares the finding | score), fitted on labelled films.
calibrations = Table(
    "calibrations",
    metadata,
    Column("fingerprint", String(64), primary_key=True),
    Column("asked_by", String(8), primary_key=True),  # film or words
    Column("finding", String(64), primary_key=True),  # empty: any finding of the film asked with
    Column("view", String(16), primary_key=True),  # empty: any view
    Column("curve", JSON, nullable=False),
    Column("about", JSON, nullable=False),
    Column("created_at", String(32), nullable=False),
)

# Recall of the approximate index against exact search, sampled from questions as they come.
recalls = Table(
    "recalls",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("fingerprint", String(64), nullable=False, index=True),
    Column("k", Integer, nullable=False),
    Column("recall", Float, nullable=False),
    Column("filtered", Boolean, nullable=False),
    Column("created_at", String(32), nullable=False),
)

# Questions kept by name, and what their owner thought of the answers.
searches = Table(
    "searches",
    metadata,
    Column("search_id", String(36), primary_key=True),
    Column("owner", String(64), nullable=False, index=True),
    Column("title", Text, nullable=False),
    Column("request", JSON, nullable=False),
    Column("created_at", String(32), nullable=False),
    Column("updated_at", String(32), nullable=False),
)

marks = Table(
    "marks",
    metadata,
    Column("search_id", String(36), ForeignKey("searches.search_id", ondelete="CASCADE"), primary_key=True),
    Column("image_id", String(36), ForeignKey("images.image_id", ondelete="CASCADE"), primary_key=True),
    Column("owner", String(64), primary_key=True),
    Column("grade", Integer, nullable=False),  # 0 not relevant, 1 relevant, up to 3 as graded studies have it
    Column("created_at", String(32), nullable=False),
    Index(None, "image_id"),
)

# Which report sections are indexed for search, and from which text: written once the engine has acknowledged them.
report_vectors = Table(
    "report_vectors",
    metadata,
    Column("dataset", String(64), primary_key=True),
    Column("study_id", String(128), primary_key=True),
    Column("section", String(32), primary_key=True),
    Column("fingerprint", String(64), primary_key=True),  # of the text space, or ``bm25``
    Column("text_sha256", String(64), nullable=False),
    Column("created_at", String(32), nullable=False),
    Index(None, "fingerprint"),
)
