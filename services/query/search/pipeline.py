"""One question from end to end: choose models, ask each, correct, fuse, arrange, say how it came about.

search = Search(facts, store, encode, images)
answer = search(SearchQuery(by=Words("large left pleural effusion"), limit=20))
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version

from services.core import filters
from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts, densities, now
from services.core.facts import models as known
from services.core.filters import Expr
from services.core.limits import MAX_SEARCH_LIMIT
from services.core.models import ModelSpec
from services.core.store import Scored, VectorStore
from services.core.types import ImageRecord
from services.query import hints, models, own
from services.query.asked import GroupBy, Hit, Hubs, Mode, Provenance, SearchAnswer, SearchQuery
from services.query.by import StudyFilms, kinds
from services.query.films import Films
from services.query.fusion import Fused, fuse
from services.query.images import Images
from services.query.samples import Samples, flat
from services.query.search import modes, notes, priors
from services.query.search.arrange import FURTHER, Shown, arrange
from services.query.search.hubs import Crowding, corrected
from services.query.search.meaning import Meanings
from services.query.search.nearest import Nearest, Read
from services.query.search.ordinary import Ordinary
from services.query.search.questions import Ask, Questions, Vector
from services.query.search.recall import RecallSampler
from services.query.search.spread import spread
from services.transport.encode_client import EncodeClient

_POOLED = 50  # how deep each of several models is read before their rankings are fused
_SPARE = 4  # films read beyond the limit, in case some are not committed yet
_DEEPER = 4
_TYPICAL_OF = 4_000  # films whose middle stands for all films of a finding
_SAME_PICTURE = 0.995  # cosine of two films whose perceptual hashes are near

Cancelled = Callable[[], bool]


def _never() -> bool:
    return False


class _NotCommittedError(HilumError):
    """A vector is there whose film is not yet, or not any more."""

    def __init__(self) -> None:
        super().__init__(ErrorCode.NOT_FOUND, "a film was stored or removed while it was looked for; ask again")


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question with all that is needed to answer it."""

    query: SearchQuery
    specs: list[ModelSpec]
    active: dict[str, ModelSpec]
    own: list[ImageRecord]
    condition: Expr | None
    asks: dict[ModelSpec, list[Ask]]
    notes: tuple[str, ...]


class Search:
    """Answers questions. Safe to share between threads."""

    def __init__(
        self, facts: Facts, store: VectorStore, encode: EncodeClient, images: Images, recall_sample: float = 0.0
    ) -> None:
        self._facts, self._store, self._encode = facts, store, encode
        self._nearest = Nearest(facts, store, RecallSampler(facts, store, recall_sample))
        self._samples = Samples(facts, store)
        self._questions = Questions(facts, store, encode, self._samples, images)
        self._meanings, self._crowding = Meanings(facts), Crowding(facts)
        self.ordinary = Ordinary(facts, images, encode)
        self._versions = _versions("hilum", "qdrant-client", "numpy")

    def __call__(self, query: SearchQuery, cancelled: Cancelled = _never, access: Expr | None = None) -> SearchAnswer:
        """Answer one question. Raises HilumError: the codes are those of the parts it is made of.

        access: the films that the caller may know of; it is part of every condition.
        """
        started, stamp = time.perf_counter(), now()
        asked_filter = filters.parse(query.filter)
        asked = self._ask(query, asked_filter, access)
        _check(cancelled)
        shown, read = self._shown(asked, cancelled)
        hits = self._hits(asked, shown, read)
        warnings = self.ordinary.warnings(query.by, access)
        hits, none_near = self._meanings(hits, asked.specs, query, asked.own, bool(warnings))
        before = self._priors(asked, access) if query.showing.priors else ()
        return SearchAnswer(
            tuple(hits),
            Provenance(
                tuple(asked.specs),
                filters.describe(asked.condition),
                query.exclude,
                query.exact,
                self._versions,
                stamp,
                (time.perf_counter() - started) * 1000,
                (
                    *asked.notes,
                    *notes.beyond(asked.specs, hits),
                    *(() if hits else hints.unstated(self._facts, asked_filter, query.ranking.finding)),
                ),
            ),
            priors=before,
            understood=self._questions.understood(query),
            nothing_comparable=none_near,
            warnings=warnings,
        )

    def close(self) -> None:
        self._nearest.close()

    def _ask(self, query: SearchQuery, asked_filter: Expr | None, access: Expr | None) -> _Asked:
        active = known.active(self._facts)
        films = own.films(self._facts, query.by, access)
        specs = models.choose(active, self._facts, self._encode, query)
        condition = filters.all_of(
            access,
            asked_filter,
            own.exclusion(query.by, films, query.exclude),
            modes.condition(query.ranking, films),
        )
        found = self._nearest.each(specs, lambda spec: self._questions(query, spec))
        asks = dict(zip(specs, found, strict=True))
        return _Asked(query, specs, active, films, condition, asks, notes.of(query, specs, self._facts))

    def _shown(self, asked: _Asked, cancelled: Cancelled) -> tuple[list[Shown], Read]:
        """Reads deeper while films that are not committed, copies, caps or groups leave the answer short."""
        query, wanted = asked.query, asked.query.wanted
        where = filters.resolve(asked.condition, self._facts)
        depth, deepest = _depth(query, len(asked.specs)), 4 * max(MAX_SEARCH_LIMIT, wanted)
        while True:
            read = self._read(asked, where, depth)
            _check(cancelled)
            try:
                shown, enough = self._arranged(asked, read)
            except _NotCommittedError:  # seldom: films are being stored or removed at this moment
                read = self._nearest.committed(read, asked.specs)
                shown, enough = self._arranged(asked, read)
            if enough or read.whole or depth >= deepest:
                return self._varied(asked, shown), read
            depth = min(depth * _DEEPER, deepest)

    def _arranged(self, asked: _Asked, read: Read) -> tuple[list[Shown], bool]:
        """Raises _NotCommittedError for a film that a model has found before its facts were there."""
        by, pool = {spec.name: spec.fingerprint for spec in asked.specs}, self._pool(asked.query)
        ranked = self._ranked(asked, read)
        read.films.expect([film.image_id for film in ranked], pool + FURTHER)

        def record(film: Fused) -> ImageRecord:
            if not read.films.holds(film.image_id, [by[place.model] for place in film.places]):
                raise _NotCommittedError
            return read.films.record(film.image_id)

        return arrange(ranked, record, asked.query.showing, pool, self._same(asked.specs[0]))

    def _read(self, asked: _Asked, where: Expr | None, depth: int) -> Read:
        mode = asked.query.ranking.mode
        if mode not in (Mode.TYPICAL, Mode.ATYPICAL):
            read = self._nearest(asked.asks, where, depth, asked.query.exact)
            if mode is Mode.LOOKALIKE:
                read = self._nearest.committed(read, asked.specs)
                found = {name: self._with_another(ranking, read) for name, ranking in read.rankings.items()}
                return replace(read, rankings=found)
            return read
        rankings = {}
        for spec, asks in asked.asks.items():
            if asks:
                near = self._nearest({spec: asks}, where, max(depth, 8 * asked.query.wanted), asked.query.exact)
                ids = [one.image_id for one in near.rankings[spec.name]]
            else:
                ids = self._store.some(spec, filters.to_qdrant(where), _TYPICAL_OF)
            held, vectors = self._store.vectors(spec, ids=ids)
            general = self._samples.of(spec).mean()
            rankings[spec.name] = modes.by_typicality(held, flat(vectors), general, mode)
        return self._nearest.committed(Read(rankings, Films(self._facts), whole=True), asked.specs)

    @staticmethod
    def _with_another(ranking: list[Scored], read: Read) -> list[Scored]:
        read.films.fetch([one.image_id for one in ranking])
        return [one for one in ranking if modes.has_another(read.films.record(one.image_id))]

    def _ranked(self, asked: _Asked, read: Read) -> list[Fused]:
        ranking = asked.query.ranking
        rankings: dict[str, Sequence[Scored]] = dict(read.rankings)
        if ranking.hubs is not Hubs.KEEP:
            for spec in asked.specs:
                found = rankings[spec.name]
                crowded = densities.of(self._facts, spec.fingerprint, {one.image_id for one in found})
                rankings[spec.name] = corrected(found, ranking.hubs, crowded)
        if ranking.mode is Mode.DISAGREE:
            return modes.by_disagreement(rankings, max(asked.query.wanted, _POOLED))
        return fuse(rankings, None, ranking.fusion, ranking.weights)

    def _varied(self, asked: _Asked, shown: list[Shown]) -> list[Shown]:
        """The most different of the pool, where that is asked for."""
        query = asked.query
        if not query.ranking.diversity or query.showing.group_by is not GroupBy.FILM:
            return shown
        spec = asked.specs[0]
        ids, vectors = self._store.vectors(spec, ids=[one.film.image_id for one in shown])
        row = {image_id: number for number, image_id in enumerate(ids)}
        held = [one for one in shown if one.film.image_id in row]
        order = spread(
            [one.film.score for one in held],
            flat(vectors)[[row[one.film.image_id] for one in held]],
            query.ranking.diversity,
            query.wanted,
        )
        return [held[number] for number in order]

    def _hits(self, asked: _Asked, shown: list[Shown], read: Read) -> list[Hit]:
        query = asked.query
        ends = {name: len(ranking) for name, ranking in read.rankings.items()}
        crowded = self._crowding.of(asked.specs[0].fingerprint, [one.film.image_id for one in shown])
        hits = []
        for one in shown:
            image = read.films.shown(one.film.image_id, asked.active)
            hits.append(
                Hit(
                    image,
                    one.film.score,
                    one.film.places,
                    own.same_patient(image.record, asked.own),
                    copies=tuple(one.copies),
                    group=one.group,
                    hub=crowded.get(one.film.image_id, 0.0),
                    why=modes.why(query.ranking.mode, one.film, image.record, ends),
                )
            )
        return hits

    def _priors(self, asked: _Asked, access: Expr | None) -> tuple[Hit, ...]:
        """The patient's own films with their cosines, in time order."""
        theirs = priors.of_patient(asked.own, own.named(asked.query.by))
        spec = asked.specs[0]
        if theirs is None or not asked.asks[spec]:
            return ()
        where = filters.resolve(filters.all_of(access, theirs), self._facts)
        read = self._nearest.committed(self._nearest({spec: asked.asks[spec][:1]}, where, priors.MOST, True), [spec])
        found = [
            Hit(read.films.shown(one.image_id, asked.active), one.score, (), True) for one in read.rankings[spec.name]
        ]
        return tuple(sorted(found, key=lambda hit: priors.in_time(hit.image.record)))

    def _same(self, spec: ModelSpec) -> Callable[[str, str], bool]:
        """Do two films show the same picture? By their vectors, which are read for few pairs only."""

        read: dict[str, Vector] = {}  # each film's once, however many look like it

        def same(one: str, other: str) -> bool:
            if missing := [image_id for image_id in (one, other) if image_id not in read]:
                ids, vectors = self._store.vectors(spec, ids=missing)
                read.update(zip(ids, flat(vectors), strict=True))
            return one in read and other in read and float(read[one] @ read[other]) >= _SAME_PICTURE

        return same

    @staticmethod
    def _pool(query: SearchQuery) -> int:
        """Films to choose from: more than are wanted where the most different of them are chosen."""
        return min(4 * query.wanted, 1_000) if query.ranking.diversity else query.wanted


def _depth(query: SearchQuery, count: int) -> int:
    """How deep each model is read first."""
    showing, ranking, wanted = query.showing, query.ranking, query.wanted
    if ranking.diversity or ranking.hubs is not Hubs.KEEP:
        wanted *= 4
    if showing.group_by is not GroupBy.FILM or showing.per_patient or ranking.mode is Mode.LOOKALIKE:
        wanted *= 3
    if StudyFilms in kinds(query.by):
        wanted = max(4 * wanted, _POOLED)
    if ranking.mode is Mode.DISAGREE:
        wanted = max(10 * wanted, 200)
    return (wanted if count == 1 else max(wanted, _POOLED)) + _SPARE


def _check(cancelled: Cancelled) -> None:
    if cancelled():
        raise HilumError(ErrorCode.CANCELLED, "the client went away")


def _versions(*names: str) -> dict[str, str]:
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    return found
