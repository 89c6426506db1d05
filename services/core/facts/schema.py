"""The tables of facts. SQL holds what is true of films; vectors live in Qdrant, pictures in files."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
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
