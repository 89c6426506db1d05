"""Teaching files with their versions and tries, and reader studies."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "reader_studies",
        sa.Column("study_id", sa.String(length=36), nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("design", sa.JSON(), nullable=False),
        sa.Column("about", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("study_id", name=op.f("pk_reader_studies")),
    )
    op.create_index(op.f("ix_reader_studies_owner"), "reader_studies", ["owner"], unique=False)
    op.create_table(
        "teaching_files",
        sa.Column("file_id", sa.String(length=36), nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("published", sa.Integer(), nullable=False),
        sa.Column("access", sa.JSON(), nullable=False),
        sa.Column("events", sa.JSON(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.Column("updated_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("file_id", name=op.f("pk_teaching_files")),
    )
    op.create_index(op.f("ix_teaching_files_owner"), "teaching_files", ["owner"], unique=False)
    op.create_index(op.f("ix_teaching_files_state"), "teaching_files", ["state"], unique=False)
    op.create_index(op.f("ix_teaching_files_updated_at"), "teaching_files", ["updated_at"], unique=False)
    op.create_table(
        "quiz_tries",
        sa.Column("try_id", sa.String(length=36), nullable=False),
        sa.Column("file_id", sa.String(length=36), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("reader", sa.String(length=64), nullable=False),
        sa.Column("answer", sa.JSON(), nullable=False),
        sa.Column("correct", sa.Boolean(), nullable=True),
        sa.Column("seconds", sa.Float(), nullable=True),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["file_id"], ["teaching_files.file_id"], name=op.f("fk_quiz_tries_file_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("try_id", name=op.f("pk_quiz_tries")),
    )
    op.create_index(op.f("ix_quiz_tries_file_id"), "quiz_tries", ["file_id"], unique=False)
    op.create_table(
        "reader_films",
        sa.Column("study_id", sa.String(length=36), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("image_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["image_id"], ["images.image_id"], name=op.f("fk_reader_films_image_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["study_id"], ["reader_studies.study_id"], name=op.f("fk_reader_films_study_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("study_id", "number", "image_id", name=op.f("pk_reader_films")),
    )
    op.create_index(op.f("ix_reader_films_image_id"), "reader_films", ["image_id"], unique=False)
    op.create_table(
        "reader_sets",
        sa.Column("study_id", sa.String(length=36), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["study_id"], ["reader_studies.study_id"], name=op.f("fk_reader_sets_study_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("study_id", "number", name=op.f("pk_reader_sets")),
    )
    op.create_table(
        "readers",
        sa.Column("reader_id", sa.String(length=36), nullable=False),
        sa.Column("study_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("token_sha256", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["study_id"], ["reader_studies.study_id"], name=op.f("fk_readers_study_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("reader_id", name=op.f("pk_readers")),
        sa.UniqueConstraint("token_sha256", name=op.f("uq_readers_token_sha256")),
    )
    op.create_index(op.f("ix_readers_study_id_name"), "readers", ["study_id", "name"], unique=True)
    op.create_table(
        "teaching_films",
        sa.Column("file_id", sa.String(length=36), nullable=False),
        sa.Column("image_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["file_id"], ["teaching_files.file_id"], name=op.f("fk_teaching_films_file_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["image_id"], ["images.image_id"], name=op.f("fk_teaching_films_image_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("file_id", "image_id", name=op.f("pk_teaching_films")),
    )
    op.create_index(op.f("ix_teaching_films_image_id"), "teaching_films", ["image_id"], unique=False)
    op.create_table(
        "teaching_pictures",
        sa.Column("file_id", sa.String(length=36), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["file_id"], ["teaching_files.file_id"], name=op.f("fk_teaching_pictures_file_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("file_id", "digest", name=op.f("pk_teaching_pictures")),
    )
    op.create_index(op.f("ix_teaching_pictures_digest"), "teaching_pictures", ["digest"], unique=False)
    op.create_table(
        "teaching_versions",
        sa.Column("file_id", sa.String(length=36), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("made_from", sa.Integer(), nullable=False),
        sa.Column("refused", sa.Boolean(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("author", sa.String(length=64), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["file_id"], ["teaching_files.file_id"], name=op.f("fk_teaching_versions_file_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("file_id", "version", name=op.f("pk_teaching_versions")),
    )
    op.create_table(
        "reader_answers",
        sa.Column("reader_id", sa.String(length=36), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("answer", sa.JSON(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.Column("updated_at", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["reader_id"], ["readers.reader_id"], name=op.f("fk_reader_answers_reader_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("reader_id", "number", name=op.f("pk_reader_answers")),
    )


def downgrade() -> None:
    op.drop_table("reader_answers")
    op.drop_table("teaching_versions")
    op.drop_index(op.f("ix_teaching_pictures_digest"), table_name="teaching_pictures")
    op.drop_table("teaching_pictures")
    op.drop_index(op.f("ix_teaching_films_image_id"), table_name="teaching_films")
    op.drop_table("teaching_films")
    op.drop_index(op.f("ix_readers_study_id_name"), table_name="readers")
    op.drop_table("readers")
    op.drop_table("reader_sets")
    op.drop_index(op.f("ix_reader_films_image_id"), table_name="reader_films")
    op.drop_table("reader_films")
    op.drop_index(op.f("ix_quiz_tries_file_id"), table_name="quiz_tries")
    op.drop_table("quiz_tries")
    op.drop_index(op.f("ix_teaching_files_updated_at"), table_name="teaching_files")
    op.drop_index(op.f("ix_teaching_files_state"), table_name="teaching_files")
    op.drop_index(op.f("ix_teaching_files_owner"), table_name="teaching_files")
    op.drop_table("teaching_files")
    op.drop_index(op.f("ix_reader_studies_owner"), table_name="reader_studies")
    op.drop_table("reader_studies")
