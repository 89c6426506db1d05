"""Films as answers show them: records joined with the models that hold them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts, images, models
from services.core.models import ModelSpec
from services.core.types import ImageRecord

_AHEAD = 24  # records read together with one that is looked at, once those that are surely looked at are through


@dataclass(frozen=True, slots=True)
class StoredImage:
    """A film: its record, and the names of the models that hold it now."""

    record: ImageRecord
    models: tuple[str, ...]


class Committed:
    """The films behind some ids whose facts are committed. Their ledger is read at once; records when they are looked
    at, in the order in which that is expected: of many candidates few are shown."""

    def __init__(self, facts: Facts, held: Mapping[str, frozenset[str]]) -> None:
        self._facts, self._held = facts, held
        self._records: dict[str, ImageRecord] = {}
        self._order: list[str] = []
        self._place: dict[str, int] = {}
        self._ahead = _AHEAD

    @classmethod
    def read(cls, facts: Facts, ids: Collection[str]) -> Committed:
        return cls(facts, images.ledger(facts, ids) if ids else {})

    def holds(self, image_id: str, spec: ModelSpec) -> bool:
        """Is the film's vector of this model committed?"""
        return spec.fingerprint in self._held.get(image_id, ())

    def expect(self, ids: Sequence[str], surely: int) -> None:
        """Records will be looked at in this order, `surely` so many of them."""
        self._order, self._place = list(ids), {image_id: place for place, image_id in enumerate(ids)}
        self._ahead = max(surely, 1)

    def record(self, image_id: str) -> ImageRecord:
        """One of these films; those expected next are read with it. Raises NOT_FOUND for one that has gone since."""
        if image_id not in self._records:
            start = self._place.get(image_id)
            self.fetch([image_id] if start is None else self._order[start : start + self._ahead])
            self._ahead = _AHEAD
        if image_id not in self._records:
            raise HilumError(ErrorCode.NOT_FOUND, "a film was removed while it was looked for; ask again")
        return self._records[image_id]

    def fetch(self, ids: Collection[str]) -> None:
        """Read the records of these films now."""
        self._records |= images.get(self._facts, [image_id for image_id in ids if image_id not in self._records])

    def shown(self, image_id: str, active: Mapping[str, ModelSpec]) -> StoredImage:
        """The film with the names of those of the `active` models that hold it."""
        held = self._held[image_id]
        return StoredImage(
            self.record(image_id), tuple(name for name, one in active.items() if one.fingerprint in held)
        )


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
