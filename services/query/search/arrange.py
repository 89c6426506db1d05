"""From a ranking to what is shown: copies folded, few films of each patient, groups together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from services.core.types import ImageRecord
from services.query.asked import GroupBy, Showing
from services.query.fusion import Fused

_ALIKE_BITS = 4  # of 64 of the perceptual hash: what `hilum duplicates` looks at more closely, too
FURTHER = 8  # films looked at behind the last one that is shown, for copies of it: those stand close by

SamePicture = Callable[[str, str], bool]


@dataclass(slots=True)
class Shown:
    """A film that is shown, the ids of its copies, and the group that it stands with."""

    film: Fused
    record: ImageRecord
    copies: list[str] = field(default_factory=list)
    group: str = ""


def arrange(
    ranked: Sequence[Fused], records: Callable[[Fused], ImageRecord], showing: Showing, limit: int, same: SamePicture
) -> tuple[list[Shown], bool]:
    """The films to show, best first, and whether `limit` films (or groups) have been filled.

    same: do two films whose perceptual hashes are near show the same picture? Asked for few pairs.
    """
    copies, people = _Copies(same), dict[tuple[str, str], int]()
    groups: dict[str, list[Shown]] = {}
    further = 0
    for film in ranked:
        if len(groups) == limit and showing.group_by is GroupBy.FILM:
            further += 1
            if further > FURTHER:
                break
        one = Shown(film, records(film))
        if showing.fold and copies.joins(one):
            continue
        if _over(one.record, people, showing.per_patient):
            continue
        name = group_of(one.record, showing.group_by)
        one.group = name if showing.group_by is not GroupBy.FILM else ""
        if name in groups or len(groups) < limit:
            groups.setdefault(name, []).append(one)
    return [one for group in groups.values() for one in group[: showing.group_size]], len(groups) == limit


def group_of(record: ImageRecord, by: GroupBy) -> str:
    """``dataset/id`` of the patient or study; a film of nobody known stands for itself, as all do when not grouped."""
    known = {GroupBy.PATIENT: record.patient_id, GroupBy.STUDY: record.study_id, GroupBy.FILM: None}[by]
    return f"{record.dataset}/{known}" if known else record.image_id


class _Copies:
    """Films seen so far, by pixels and by bands of the perceptual hash: hashes near each other agree in some band."""

    def __init__(self, same: SamePicture) -> None:
        self._same = same
        self._by_pixels: dict[str, Shown] = {}
        self._by_band: dict[tuple[int, int], list[Shown]] = {}

    def joins(self, one: Shown) -> bool:
        """Is it a copy of a film seen before, whichever patient it is filed under? It is then noted there."""
        record, bands = one.record, _bands(one.record.phash)
        near = (other for band in bands for other in self._by_band.get(band, ()) if self._alike(other.record, record))
        first = self._by_pixels.get(record.pixel_sha256) or next(near, None)
        if first is not None:
            first.copies.append(record.image_id)
            return True
        if record.pixel_sha256:
            self._by_pixels[record.pixel_sha256] = one
        for band in bands:
            self._by_band.setdefault(band, []).append(one)
        return False

    def _alike(self, one: ImageRecord, other: ImageRecord) -> bool:
        bits = (int(one.phash, 16) ^ int(other.phash, 16)).bit_count()
        return bits <= _ALIKE_BITS and self._same(one.image_id, other.image_id)


def _bands(phash: str) -> list[tuple[int, int]]:
    value, width = int(phash or "0", 16), -(-64 // (_ALIKE_BITS + 1))
    return [(at, value >> at & (1 << width) - 1) for at in range(0, 64, width)] if phash else []


def _over(record: ImageRecord, people: dict[tuple[str, str], int], most: int) -> bool:
    """Is it one film too many of its patient? Films of nobody known are each somebody else's."""
    if not most or not record.patient_id:
        return False
    whose = (record.dataset, record.patient_id)
    people[whose] = people.get(whose, 0) + 1
    return people[whose] > most
