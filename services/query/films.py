"""Films as answers show them: records joined with the models that hold them."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from services.core.facts import Facts, images, models
from services.core.types import ImageRecord
from services.query.asked import StoredImage


def held_by(facts: Facts, ids: Collection[str]) -> dict[str, set[str]]:
    """image_id → fingerprints whose vectors of it are committed."""
    return images.ledger(facts, ids) if ids else {}


def shown(facts: Facts, ids: Collection[str]) -> dict[str, StoredImage]:
    """image_id → film, for those whose facts are committed."""
    return {film.record.image_id: film for film in with_models(facts, images.get(facts, ids).values())} if ids else {}


def with_models(facts: Facts, records: Iterable[ImageRecord]) -> list[StoredImage]:
    """The same films in the same order, each with the names of the models that hold it now."""
    found = list(records)
    names = {spec.fingerprint: name for name, spec in models.active(facts).items()}
    held = held_by(facts, [record.image_id for record in found])
    return [
        StoredImage(record, tuple(name for mark, name in names.items() if mark in held.get(record.image_id, ())))
        for record in found
    ]
