"""What search needs: sets of films, side tables, densities, calibrations, kept questions, indexed reports."""

import sqlalchemy as sa
from alembic import op

from services.core.facts.profiles import fill

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "profiles",
        sa.Column("profile", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("said", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("profile", name=op.f("pk_profiles")),
    )
    op.add_column("images", sa.Column("profile", sa.BigInteger(), server_default="0", nullable=False))
    op.create_index(op.f("ix_images_profile"), "images", ["profile"], unique=False)
    fill(op.get_bind())
    op.create_table(
        "calibrations",
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("asked_by", sa.String(length=8), nullable=False),
        sa.Column("finding", sa.String(length=64), nullable=False),
        sa.Column("view", sa.String(length=16), nullable=False),
        sa.Column("curve", sa.JSON(), nullable=False),
        sa.Column("about", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", "asked_by", "finding", "view", name=op.f("pk_calibrations")),
    )
    op.create_table(
        "recalls",
        sa.Column("number", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("k", sa.Integer(), nullable=False),
        sa.Column("recall", sa.Float(), nullable=False),
        sa.Column("filtered", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_recalls")),
    )
    op.create_index(op.f("ix_recalls_fingerprint"), "recalls", ["fingerprint"], unique=False)
    op.create_table(
        "report_vectors",
        sa.Column("dataset", sa.String(length=64), nullable=False),
        sa.Column("study_id", sa.String(length=128), nullable=False),
        sa.Column("section", sa.String(length=32), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("text_sha256", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("dataset", "study_id", "section", "fingerprint", name=op.f("pk_report_vectors")),
    )
    op.create_index(op.f("ix_report_vectors_fingerprint"), "report_vectors", ["fingerprint"], unique=False)
    op.create_table(
        "searches",
        sa.Column("search_id", sa.String(length=36), nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("request", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.Column("updated_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("search_id", name=op.f("pk_searches")),
    )
    op.create_index(op.f("ix_searches_owner"), "searches", ["owner"], unique=False)
    op.create_table(
        "sets",
        sa.Column("set_id", sa.String(length=160), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("about", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("set_id", name=op.f("pk_sets")),
    )
    op.create_index(op.f("ix_sets_kind"), "sets", ["kind"], unique=False)
    op.create_index(op.f("ix_sets_state"), "sets", ["state"], unique=False)
    op.create_table(
        "side_columns",
        sa.Column("dataset", sa.String(length=64), nullable=False),
        sa.Column("side", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("level", sa.String(length=8), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("dataset", "side", "name", name=op.f("pk_side_columns")),
    )
    op.create_table(
        "side_rows",
        sa.Column("dataset", sa.String(length=64), nullable=False),
        sa.Column("side", sa.String(length=32), nullable=False),
        sa.Column("key", sa.String(length=128), nullable=False),
        sa.Column("level", sa.String(length=8), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("dataset", "side", "key", name=op.f("pk_side_rows")),
    )
    op.create_index(op.f("ix_side_rows_side_level"), "side_rows", ["side", "level"], unique=False)
    op.create_table(
        "densities",
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("image_id", sa.String(length=36), nullable=False),
        sa.Column("density", sa.Float(), nullable=False),
        sa.Column("occurrences", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["image_id"], ["images.image_id"], name=op.f("fk_densities_image_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("fingerprint", "image_id", name=op.f("pk_densities")),
    )
    op.create_table(
        "marks",
        sa.Column("search_id", sa.String(length=36), nullable=False),
        sa.Column("image_id", sa.String(length=36), nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("grade", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(["image_id"], ["images.image_id"], name=op.f("fk_marks_image_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["search_id"], ["searches.search_id"], name=op.f("fk_marks_search_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("search_id", "image_id", "owner", name=op.f("pk_marks")),
    )
    op.create_index(op.f("ix_marks_image_id"), "marks", ["image_id"], unique=False)
    op.create_table(
        "members",
        sa.Column("set_id", sa.String(length=160), nullable=False),
        sa.Column("image_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["image_id"], ["images.image_id"], name=op.f("fk_members_image_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["set_id"], ["sets.set_id"], name=op.f("fk_members_set_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("set_id", "image_id", name=op.f("pk_members")),
    )
    op.create_index(op.f("ix_members_image_id"), "members", ["image_id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_members_image_id"), table_name="members")
    op.drop_table("members")
    op.drop_index(op.f("ix_marks_image_id"), table_name="marks")
    op.drop_table("marks")
    op.drop_table("densities")
    op.drop_index(op.f("ix_side_rows_side_level"), table_name="side_rows")
    op.drop_table("side_rows")
    op.drop_table("side_columns")
    op.drop_index(op.f("ix_sets_state"), table_name="sets")
    op.drop_index(op.f("ix_sets_kind"), table_name="sets")
    op.drop_table("sets")
    op.drop_index(op.f("ix_searches_owner"), table_name="searches")
    op.drop_table("searches")
    op.drop_index(op.f("ix_report_vectors_fingerprint"), table_name="report_vectors")
    op.drop_table("report_vectors")
    op.drop_index(op.f("ix_recalls_fingerprint"), table_name="recalls")
    op.drop_table("recalls")
    op.drop_table("calibrations")
    op.drop_index(op.f("ix_images_profile"), table_name="images")
    op.drop_column("images", "profile")
    op.drop_table("profiles")
