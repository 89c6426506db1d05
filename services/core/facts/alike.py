"""What tells films that are the same: hashes of their bytes and pixels, and the perceptual hash of how they look."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Select, func, select

from services.core.facts.db import Facts
from services.core.facts.schema import embeddings, images

_EXACT = {"byte": images.c.bytes_sha256, "pixel": images.c.pixel_sha256}


def looks(facts: Facts, dataset: str = "") -> list[tuple[str, str]]:
    """(image_id, phash) of all films, or of those of `dataset`, in the order of their ids."""
    query = _of(select(images.c.image_id, images.c.phash), dataset).order_by(images.c.image_id)
    with facts.read() as db:
        return [(image_id, phash) for image_id, phash in db.execute(query)]


def same(facts: Facts, kind: str, dataset: str = "") -> Iterator[list[str]]:
    """Ids of films with the same hash of `kind`, byte or pixel: one list per hash that several films have."""
    column = _EXACT[kind]
    repeated = _of(select(column).where(column != ""), dataset).group_by(column).having(func.count() > 1)
    query = _of(select(column, images.c.image_id).where(column.in_(repeated)), dataset)
    last, group = None, list[str]()
    with facts.read() as db:
        for digest, image_id in db.execute(query.order_by(column, images.c.image_id)):
            if digest != last and group:
                yield group
                group = []
            last = digest
            group.append(image_id)
    if group:
        yield group


def held(facts: Facts, fingerprint: str, dataset: str = "") -> list[str]:
    """Ids of the films that an encoder's collection holds, in their order."""
    query = select(images.c.image_id).join(embeddings, embeddings.c.image_id == images.c.image_id)
    query = _of(query.where(embeddings.c.fingerprint == fingerprint), dataset).order_by(images.c.image_id)
    with facts.read() as db:
        return list(db.scalars(query))


def _of(query: Select, dataset: str) -> Select:  # type: ignore[type-arg]
    return query.where(images.c.dataset == dataset) if dataset else query
