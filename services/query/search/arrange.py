"""From a ranking to what is shown: copies folded, few films of each patient, groups together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from services.core.types import ImageRecord
from services.query.asked import GroupBy, Showing
from services.query.fusion import Fused

_ALIKE_BITS = 4  # of 64 of the perceptual hash: what `hilum duplicates` looks at more closely, too

SamePicture = Callable[[str, str], bool]


@dataclass(slots=True)
class Shown:
    """A film that is shown, the ids of its copies, and the group that it stands with."""

    film: Fused
    record: ImageRecord
    copies: list[str] = field(default_factory=list)
    group: str = ""


def arrange(
    ranked: Sequence[Fused], records: Callable[[str], ImageRecord], showing: Showing, limit: int, same: SamePicture
) -> tuple[list[Shown], bool]:
    """The films to show, best first, and whether `limit` films (or groups) have been filled.

    same: do two films whose perceptual hashes are near show the same picture? Asked for few pairs.
    """
    kept = _capped(_folded(ranked, records, same) if showing.fold else _all(ranked, records), showing.per_patient)
    if showing.group_by is GroupBy.FILM:
        shown = [one for one, _ in zip(kept, range(limit), strict=False)]
        return shown, len(shown) == limit
    groups: dict[str, list[Shown]] = {}
    for one in kept:
        one.group = group_of(one.record, showing.group_by)
        if one.group in groups or len(groups) < limit:
            groups.setdefault(one.group, []).append(one)
    whole = len(groups) == limit
    return [one for group in groups.values() for one in group[: showing.group_size]], whole


def group_of(record: ImageRecord, by: GroupBy) -> str:
    """``dataset/id`` of the patient or study; a film of nobody known stands for itself."""
    known = record.patient_id if by is GroupBy.PATIENT else record.study_id
    return f"{record.dataset}/{known}" if known else record.image_id


def _all(ranked: Sequence[Fused], records: Callable[[str], ImageRecord]) -> Iterator[Shown]:
    return (Shown(film, records(film.image_id)) for film in ranked)


def _folded(ranked: Sequence[Fused], records: Callable[[str], ImageRecord], same: SamePicture) -> Iterator[Shown]:
    """Copies join the best of them, whichever dataset or patient they are filed under."""
    shown: list[Shown] = []
    by_pixels: dict[str, Shown] = {}
    by_band: dict[tuple[int, int], list[Shown]] = {}  # hashes that differ in few bits agree wholly in some band
    for film in ranked:
        record = records(film.image_id)
        first = by_pixels.get(record.pixel_sha256) if record.pixel_sha256 else None
        bands = _bands(record.phash)
        near = (one for band in bands for one in by_band.get(band, ()) if _alike(one.record, record, same))
        first = first or next(near, None)
        if first is not None:
            first.copies.append(record.image_id)
            continue
        one = Shown(film, record)
        shown.append(one)
        by_pixels[record.pixel_sha256] = one
        for band in bands:
            by_band.setdefault(band, []).append(one)
    return iter(shown)


def _bands(phash: str) -> list[tuple[int, int]]:
    value, width = int(phash or "0", 16), -(-64 // (_ALIKE_BITS + 1))
    return [(at, value >> at & (1 << width) - 1) for at in range(0, 64, width)] if phash else []


def _alike(one: ImageRecord, other: ImageRecord, same: SamePicture) -> bool:
    bits = (int(one.phash, 16) ^ int(other.phash, 16)).bit_count()
    return bits <= _ALIKE_BITS and same(one.image_id, other.image_id)


def _capped(films: Iterator[Shown], most: int) -> Iterator[Shown]:
    """At most so many films of one patient; films of nobody known are each somebody else's."""
    counts: dict[tuple[str, str], int] = {}
    for one in films:
        if most and one.record.patient_id:
            whose = (one.record.dataset, one.record.patient_id)
            counts[whose] = counts.get(whose, 0) + 1
            if counts[whose] > most:
                continue
        yield one
