"""When films were last written, without reading all of them."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(op.f("ix_images_updated_at"), "images", ["updated_at"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_images_updated_at"), table_name="images")
