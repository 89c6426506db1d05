"""What the canonical record gained: acquisition, person, split, origin of labels, boxes."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_TEXT = {
    "series_id": 128, "accession_id": 128, "split": 16, "view_source": 16, "orientation": 16, "body_part": 64,
    "manufacturer": 64, "device": 64, "institution": 64, "race": 64, "ethnicity": 64, "date_kind": 16,
    "photometric": 16, "burned_in": 16,
}  # fmt: skip
_OTHER: dict[str, sa.types.TypeEngine[Any]] = {
    "age_binned": sa.Boolean(), "study_order": sa.Integer(), "bits_stored": sa.Integer(), "pixel_spacing": sa.Float(),
}  # fmt: skip


def upgrade() -> None:
    for name, length in _TEXT.items():
        op.add_column("images", sa.Column(name, sa.String(length=length), nullable=True))
    for name, kind in _OTHER.items():
        op.add_column("images", sa.Column(name, kind, nullable=True))
    op.add_column("labels", sa.Column("level", sa.String(length=8), nullable=False, server_default="image"))
    op.add_column("labels", sa.Column("implicit", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("labels", sa.Column("score", sa.Float(), nullable=True))
    op.create_table(
        "boxes",
        sa.Column("image_id", sa.String(length=36), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("x", sa.Float(), nullable=False),
        sa.Column("y", sa.Float(), nullable=False),
        sa.Column("width", sa.Float(), nullable=False),
        sa.Column("height", sa.Float(), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["image_id"], ["images.image_id"], name=op.f("fk_boxes_image_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("image_id", "number", name=op.f("pk_boxes")),
    )


def downgrade() -> None:
    op.drop_table("boxes")
    for name in ("level", "implicit", "score"):
        op.drop_column("labels", name)
    for name in (*_TEXT, *_OTHER):
        op.drop_column("images", name)
