"""Films as answers show them: records joined with the models that hold them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from services.core.facts import Facts, images, models
from services.core.models import ModelSpec
from services.core.types import ImageRecord


@dataclass(frozen=True, slots=True)
class StoredImage:
    """A film: its record, and the names of the models that hold it now."""

    record: ImageRecord
    models: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Committed:
    """The films behind some ids whose facts are committed, read at once: image_id → record and fingerprints."""

    films: dict[str, tuple[ImageRecord, set[str]]]

    @classmethod
    def read(cls, facts: Facts, ids: Collection[str]) -> Committed:
        return cls(images.get_held(facts, ids) if ids else {})

    def holds(self, image_id: str, spec: ModelSpec) -> bool:
        """Is the film's vector of this model committed?"""
        return image_id in self.films and spec.fingerprint in self.films[image_id][1]

    def record(self, image_id: str) -> ImageRecord:
        """One of these films."""
        return self.films[image_id][0]

    def shown(self, image_id: str, active: Mapping[str, ModelSpec]) -> StoredImage:
        """The film with the names of those of the `active` models that hold it."""
        record, held = self.films[image_id]
        return StoredImage(record, tuple(name for name, spec in active.items() if spec.fingerprint in held))


def shown(facts: Facts, ids: Collection[str]) -> dict[str, StoredImage]:
    """image_id → film, for those whose facts are committed."""
    found, active = Committed.read(facts, ids), models.active(facts)
    return {image_id: found.shown(image_id, active) for image_id in found.films}


def with_models(facts: Facts, records: Iterable[ImageRecord]) -> list[StoredImage]:
    """The same films in the same order, each with the names of the models that hold it now."""
    ids = [record.image_id for record in records]
    films = shown(facts, ids)
    return [films[image_id] for image_id in ids if image_id in films]
