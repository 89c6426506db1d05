"""Teaching files with their versions and tries, and reader studies."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Column, Float, ForeignKey, Index, Integer, String, Table, Text

from services.core.facts.schema.base import metadata

# Teaching files: the present state of each, and every version that was ever kept.
teaching_files = Table(
    "teaching_files",
    metadata,
    Column("file_id", String(36), primary_key=True),
    Column("owner", String(64), nullable=False, index=True),
    Column("title", Text, nullable=False),
    Column("state", String(16), nullable=False, index=True),  # draft, review, published
    Column("version", Integer, nullable=False),  # the latest; who writes over another version is refused
    Column("published", Integer, nullable=False),  # the version that readers see; 0: none
    Column("access", JSON, nullable=False),  # {"read": [names or "*"], "update": […], "export": […]}
    Column("events", JSON, nullable=False),  # [{"state", "by", "at", "note", "version"}], the first first
    Column("words", Text, nullable=False),  # what can be read in the latest and the published version, for searches
    Column("created_at", String(32), nullable=False),
    Column("updated_at", String(32), nullable=False, index=True),
)

teaching_versions = Table(
    "teaching_versions",
    metadata,
    Column("file_id", String(36), ForeignKey("teaching_files.file_id", ondelete="CASCADE"), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("made_from", Integer, nullable=False),  # 0: the first
    Column("refused", Boolean, nullable=False),  # overlapped with another edit: kept, but never the file
    Column("document", JSON, nullable=False),
    Column("author", String(64), nullable=False),
    Column("note", Text, nullable=False),
    Column("created_at", String(32), nullable=False),
)

# Which stored films any version of a file shows: a film that is forgotten is taken out of all of them.
teaching_films = Table(
    "teaching_films",
    metadata,
    Column("file_id", String(36), ForeignKey("teaching_files.file_id", ondelete="CASCADE"), primary_key=True),
    Column("image_id", String(36), ForeignKey("images.image_id", ondelete="CASCADE"), primary_key=True),
    Index(None, "image_id"),
)

# Pictures that came with imported files; they go when the last file that has them goes.
teaching_pictures = Table(
    "teaching_pictures",
    metadata,
    Column("file_id", String(36), ForeignKey("teaching_files.file_id", ondelete="CASCADE"), primary_key=True),
    Column("digest", String(64), primary_key=True),
    Index(None, "digest"),
)

quiz_tries = Table(
    "quiz_tries",
    metadata,
    Column("try_id", String(36), primary_key=True),
    Column("file_id", String(36), ForeignKey("teaching_files.file_id", ondelete="CASCADE"), nullable=False, index=True),
    Column("version", Integer, nullable=False),
    Column("reader", String(64), nullable=False),
    Column("answer", JSON, nullable=False),
    Column("correct", Boolean),  # null: nobody has judged
    Column("seconds", Float),
    Column("created_at", String(32), nullable=False),
)

# Reader studies: what is asked of readers, in sets, and what each answered.
reader_studies = Table(
    "reader_studies",
    metadata,
    Column("study_id", String(36), primary_key=True),
    Column("owner", String(64), nullable=False, index=True),
    Column("title", Text, nullable=False),
    Column("state", String(16), nullable=False),  # open, closed
    Column("design", JSON, nullable=False),
    Column("about", JSON, nullable=False),  # models, fingerprints, filter, seed, software: where the sets come from
    Column("created_at", String(32), nullable=False),
)

reader_sets = Table(
    "reader_sets",
    metadata,
    Column("study_id", String(36), ForeignKey("reader_studies.study_id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("content", JSON, nullable=False),
)

# Which stored films a study shows: a set with a film that is forgotten is not shown any more.
reader_films = Table(
    "reader_films",
    metadata,
    Column("study_id", String(36), ForeignKey("reader_studies.study_id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("image_id", String(36), ForeignKey("images.image_id", ondelete="CASCADE"), primary_key=True),
    Index(None, "image_id"),
)

readers = Table(
    "readers",
    metadata,
    Column("reader_id", String(36), primary_key=True),
    Column("study_id", String(36), ForeignKey("reader_studies.study_id", ondelete="CASCADE"), nullable=False),
    Column("name", String(64), nullable=False),
    Column("token_sha256", String(64), nullable=False, unique=True),  # of the word in the reader's own link
    Column("created_at", String(32), nullable=False),
    Index(None, "study_id", "name", unique=True),
)

reader_answers = Table(
    "reader_answers",
    metadata,
    Column("reader_id", String(36), ForeignKey("readers.reader_id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("answer", JSON, nullable=False),
    Column("seconds", Float, nullable=False),  # that the set was on the reader's screen
    Column("created_at", String(32), nullable=False),
    Column("updated_at", String(32), nullable=False),
)
