"""Films that an archive holds more than once: the same bytes, the same pixels, the same look, or nearly the same
embedding.

Every way finds links between two films; films that links hold together are one group. Nothing compares each film with
each: equal hashes come from an index in SQL, look-alikes from `near_hashes`, neighbours from the engine. That two films
*look* alike is decided on their small pictures: a hash of 64 bits brings films together that are not the same one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from services.core.blobs import Blobs
from services.core.errors import HilumError, invalid
from services.core.facts import Facts, alike, images, models
from services.core.filters import equals, to_qdrant
from services.core.near_hashes import MOST_BITS, near
from services.core.store import VectorStore
from services.core.types import ImageRecord, JobProgress
from services.ingest import looks

KINDS = ("byte", "pixel", "perceptual", "embedding")  # from the strongest link to the weakest
# Measured (docs/guide/duplicates.md), the distance with the bundled encoders: other models need another.
BITS, LIKENESS, DISTANCE = 4, 0.985, 0.003
NEIGHBOURS = 10  # of a film that the engine is asked for
_BATCH = 64
_PICTURES = 50_000  # small pictures kept at a time: 100 MB


@dataclass(frozen=True, slots=True)
class Wanted:
    """dataset: blank for all of them, also against one another.  model: also by its embeddings.
    bits, likeness, distance: what still counts as a duplicate, by hash, small picture and embedding."""

    dataset: str = ""
    model: str = ""
    bits: int = BITS
    likeness: float = LIKENESS
    distance: float = DISTANCE

    def __post_init__(self) -> None:
        if not 0 <= self.bits <= MOST_BITS:
            raise invalid(f"bits is between 0 and {MOST_BITS}")
        if not 0.5 <= self.likeness <= 1:
            raise invalid("likeness is between 0.5 and 1")
        if not 0 <= self.distance <= 0.5:
            raise invalid("distance is between 0 and 0.5")


@dataclass(frozen=True, slots=True)
class Member:
    """A film of a group, and the link by which it came in; the first has the kind of the group's strongest.

    distance: 0 for bytes and pixels; bits of 64 that differ for looks; cosine distance for embeddings."""

    record: ImageRecord
    kind: str
    distance: float


@dataclass(frozen=True, slots=True)
class Group:
    """kind: of its weakest link.  patients: ``same``, ``different`` (an alarm: a leak between patients, or wrong ids),
    or ``unknown`` where an id is missing or the films are of datasets whose ids cannot be compared."""

    kind: str
    distance: float
    patients: str
    films: tuple[Member, ...]


@dataclass(slots=True)
class Found:
    """films: compared.  unconfirmed: look-alikes whose pictures are not stored, and which are therefore not told."""

    films: int = 0
    unconfirmed: int = 0
    by_kind: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    alarms: int = 0


def find(facts: Facts, store: VectorStore, blobs: Blobs, wanted: Wanted) -> Iterator[JobProgress | Group | Found]:
    """Progress as it goes; then every group, alarms first; then what was found. Raises UNKNOWN_MODEL."""
    spec = models.named(facts, wanted.model) if wanted.model else None
    links, found = _Links(), Found()
    yield JobProgress("bytes and pixels")
    for kind in ("byte", "pixel"):
        for first, *others in alike.same(facts, kind, wanted.dataset):
            for other in others:
                links.add(first, other, kind, 0.0)
    told = alike.looks(facts, wanted.dataset)
    found.films = len(told)
    yield from _looks(facts, blobs, told, wanted, links, found)
    if spec is not None:
        ids, done = alike.held(facts, spec.fingerprint, wanted.dataset), 0
        where = to_qdrant(equals("dataset", wanted.dataset)) if wanted.dataset else None
        while done < len(ids):
            yield JobProgress("embeddings", done, len(ids))
            part, vectors = store.vectors(spec, ids=ids[done : done + _BATCH])
            answers = store.query(spec, vectors, NEIGHBOURS + 1, where) if part else []
            for image_id, hits in zip(part, answers, strict=True):
                for hit in hits:
                    if hit.image_id != image_id and 1 - hit.score <= wanted.distance:
                        links.add(image_id, hit.image_id, "embedding", max(0.0, 1 - hit.score))
            done += _BATCH
    groups = _groups(facts, links)
    for group in groups:
        found.by_kind[group.kind] += 1
        found.alarms += group.patients == "different"
    yield from groups
    yield found


def _looks(
    facts: Facts, blobs: Blobs, told: list[tuple[str, str]], wanted: Wanted, links: _Links, found: Found
) -> Iterator[JobProgress]:
    """Films whose hashes are near, and whose small pictures then say that they are the same."""
    hashed = [(image_id, int(phash, 16)) for image_id, phash in told if phash]
    hashes = np.array([phash for _, phash in hashed], dtype=np.uint64)
    pictures, compared = dict[str, NDArray[np.float16] | None](), 0
    yield JobProgress("looks", 0, len(hashed))
    for rows, others, bits in near(hashes, wanted.bits):
        pairs = [(hashed[a][0], hashed[b][0], int(n)) for a, b, n in zip(rows, others, bits, strict=True)]
        for start in range(0, len(pairs), _BATCH):
            part = [pair for pair in pairs[start : start + _BATCH] if not links.linked(pair[0], pair[1])]
            compared += len(part)
            yield JobProgress("looks", len(hashed), len(hashed), None, {"compared": compared})
            _pictures(facts, blobs, {image_id for pair in part for image_id in pair[:2]}, pictures)
            for one, other, distance in part:
                a, b = pictures[one], pictures[other]
                if a is None or b is None:
                    found.unconfirmed += 1
                elif float(a.astype(np.float32) @ b.astype(np.float32)) >= wanted.likeness:
                    links.add(one, other, "perceptual", float(distance))


def _pictures(facts: Facts, blobs: Blobs, ids: set[str], known: dict[str, NDArray[np.float16] | None]) -> None:
    """Small pictures as vectors whose product is their correlation; None for one that is not stored."""
    if len(known) > _PICTURES:
        known.clear()
    for image_id, digest in images.thumbnails(facts, ids - known.keys()).items():
        try:
            with Image.open(BytesIO(blobs.get(digest)), formats=("JPEG", "WEBP", "PNG")) as picture:
                grey = looks.small(picture.convert("L")).ravel()
        except (HilumError, OSError):
            known[image_id] = None
            continue
        grey = grey - grey.mean()
        length = float(np.linalg.norm(grey))
        known[image_id] = (grey / length).astype(np.float16) if length else None
    for image_id in ids - known.keys():  # gone meanwhile
        known[image_id] = None


class _Links:
    """Who belongs together, and by what: a forest whose trees are groups. The strongest links come first."""

    def __init__(self) -> None:
        self._root: dict[str, str] = {}
        self.came: dict[str, tuple[str, float]] = {}  # film → the link by which it, or the first of its part, came in

    def root(self, film: str) -> str:
        while (above := self._root.setdefault(film, film)) != film:
            self._root[film] = film = self._root[above]
        return film

    def linked(self, one: str, other: str) -> bool:
        return one in self._root and other in self._root and self.root(one) == self.root(other)

    def add(self, one: str, other: str, kind: str, distance: float) -> None:
        a, b = self.root(one), self.root(other)
        if a != b:
            first, second = sorted((a, b))
            self._root[second] = first
            self.came[second] = (kind, distance)

    def trees(self) -> list[list[str]]:
        found: dict[str, list[str]] = {}
        for film in self._root:
            found.setdefault(self.root(film), []).append(film)
        return [sorted(films) for films in found.values() if len(films) > 1]


def _groups(facts: Facts, links: _Links) -> list[Group]:
    trees = links.trees()
    records = images.get(facts, [film for films in trees for film in films])
    groups = []
    for films in trees:
        came = {film: links.came.get(film) for film in films}
        strongest = min((link for link in came.values() if link), key=_rank)
        weakest = max((link for link in came.values() if link), key=_rank)
        members = tuple(Member(records[f], *(came[f] or strongest)) for f in films if f in records)
        if len(members) > 1:
            groups.append(Group(*weakest, _patients([member.record for member in members]), members))
    alarm = {"different": 0, "unknown": 1, "same": 2}
    return sorted(groups, key=lambda g: (alarm[g.patients], _rank((g.kind, g.distance)), g.films[0].record.image_id))


def _rank(link: tuple[str, float]) -> tuple[int, float]:
    return KINDS.index(link[0]), link[1]


def _patients(records: list[ImageRecord]) -> str:
    by_dataset: dict[str, set[str]] = {}
    for record in records:
        if record.patient_id:
            by_dataset.setdefault(record.dataset, set()).add(record.patient_id)
    if any(len(ids) > 1 for ids in by_dataset.values()):
        return "different"
    known = all(record.patient_id for record in records)
    return "same" if known and len(set().union(*by_dataset.values())) == 1 else "unknown"
