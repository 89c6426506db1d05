"""Films as answers show them: records joined with the models that hold them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts, images, models
from services.core.models import ModelSpec
from services.core.types import ImageRecord

_AHEAD = 24  # films read together with one that is looked at, once those that are surely looked at are through


@dataclass(frozen=True, slots=True)
class StoredImage:
    """A film: its record, and the names of the models that hold it now."""

    record: ImageRecord
    models: tuple[str, ...]


class Films:
    """The films behind some ids. They are read when they are looked at, in the order in which that is expected: of many
    candidates few are shown."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._read: dict[str, tuple[ImageRecord, frozenset[str]]] = {}
        self._order: list[str] = []
        self._place: dict[str, int] = {}
        self._ahead = _AHEAD

    def expect(self, ids: Sequence[str], surely: int) -> None:
        """Films will be looked at in this order, `surely` so many of them."""
        self._order, self._place = list(ids), {image_id: place for place, image_id in enumerate(ids)}
        self._ahead = max(surely, 1)

    def holds(self, image_id: str, fingerprints: Iterable[str]) -> bool:
        """Is the film there, and its vectors of these encoders acknowledged?"""
        self._look(image_id)
        return image_id in self._read and self._read[image_id][1].issuperset(fingerprints)

    def record(self, image_id: str) -> ImageRecord:
        """The record of a film; those expected next are read with it. Raises NOT_FOUND for one that has gone since."""
        return self._film(image_id)[0]

    def fetch(self, ids: Collection[str]) -> None:
        """Read these films now."""
        self._read |= images.get_held(self._facts, [image_id for image_id in ids if image_id not in self._read])

    def shown(self, image_id: str, active: Mapping[str, ModelSpec]) -> StoredImage:
        """The film with the names of those of the `active` models that hold it."""
        record, held = self._film(image_id)
        return StoredImage(record, _named(active, held))

    def _look(self, image_id: str) -> None:
        if image_id not in self._read:
            start = self._place.get(image_id)
            self.fetch([image_id] if start is None else self._order[start : start + self._ahead])
            self._ahead = _AHEAD

    def _film(self, image_id: str) -> tuple[ImageRecord, frozenset[str]]:
        self._look(image_id)
        if image_id not in self._read:
            raise HilumError(ErrorCode.NOT_FOUND, "a film was removed while it was looked for; ask again")
        return self._read[image_id]


def shown(facts: Facts, ids: Collection[str]) -> dict[str, StoredImage]:
    """image_id → film, for those whose facts are committed."""
    held, active = images.get_held(facts, ids), models.active(facts)
    return {image_id: StoredImage(record, _named(active, theirs)) for image_id, (record, theirs) in held.items()}


def with_models(facts: Facts, records: Iterable[ImageRecord]) -> list[StoredImage]:
    """The same films in the same order, each with the names of the models that hold it now."""
    ids = [record.image_id for record in records]
    films = shown(facts, ids)
    return [films[image_id] for image_id in ids if image_id in films]


def _named(active: Mapping[str, ModelSpec], held: Collection[str]) -> tuple[str, ...]:
    return tuple(name for name, spec in active.items() if spec.fingerprint in held)
