"""Reports by words, by meaning, by both, and by a film."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from qdrant_client import models as qdrant
from sqlalchemy import select

from services.core import filters
from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts, now, reports
from services.core.facts.images import count
from services.core.facts.schema import images
from services.core.filters import Expr
from services.core.models import ModelSpec
from services.core.store import VectorStore, check_question
from services.core.store.reports import WORDS, FoundReport, meaning, report_point
from services.core.text import bm25
from services.core.text.meaning import pieces, together
from services.core.text.sentences import sentences
from services.core.types import ImageRecord, ReportKey
from services.query import own
from services.query.asked import DEFAULT_LIMIT, Exclude, Provenance
from services.query.by import StoredFilm, Words
from services.query.films import shown
from services.query.reports.asked import How, ReportAnswer, ReportHit, ReportQuery
from services.query.reports.models import NOT_INDEXED, reader
from services.query.reports.words import Asked, best, matching
from services.transport.encode_client import EncodeClient

_RANKS = 60  # Cormack, Clarke and Büttcher 2009: how gently the weight falls with the rank
_POOLED = 50  # how deep each ranking is read before they are fused
_SPARE = 8  # read beyond what is wanted, in case some texts have gone
_DEEPEST = 16_384
_LISTED = 4_096  # sections that a filter leaves and the engine is told one by one; of more, what is read is sifted
_READ = 100  # texts that are held against what is asked
_QUOTED = 64  # sentences that are encoded to see which of them answer best

Vector = NDArray[np.float32]
Cancelled = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class _Scope:
    """Which sections count: by the engine, and, of a wide filter, by what SQL says of those that were read."""

    where: qdrant.Filter
    sift: Expr | None = None


class SearchReports:
    """Answers questions for reports. Safe to share between threads."""

    def __init__(self, facts: Facts, store: VectorStore, encode: EncodeClient) -> None:
        self._facts, self._store, self._encode = facts, store, encode

    def __call__(
        self, query: ReportQuery, cancelled: Cancelled = lambda: False, within: Expr | None = None
    ) -> ReportAnswer:
        """Answer one question. `within`: the films that whoever asks may see; of other studies no report is told.

        Raises HilumError: FAILED_PRECONDITION where nothing is indexed, else the codes of the parts it is made of.
        """
        started, stamp = time.perf_counter(), now()
        condition = filters.all_of(filters.parse(query.filter), within)
        filters.check(condition, self._facts)
        films = self._own(query, within)
        spec = None if query.how is How.WORDS else reader(self._facts, self._store, self._encode, query)
        lexical = query.how is not How.MEANING
        indexed, notes = self._indexed(query, spec, lexical)
        if within is not None:
            indexed = min(indexed, reports.count_within(self._facts, filters.to_sql(within)))
        scope = self._scope(query, condition, films)
        limit = query.limit or DEFAULT_LIMIT
        vectors = self._vectors(query.by, spec) if spec else np.empty((0, 0), np.float32)
        if cancelled():
            raise HilumError(ErrorCode.CANCELLED, "the client went away")
        words = bm25.question(query.by.text) if lexical and isinstance(query.by, Words) else None
        rankings = {
            How.WORDS: self._ranking(WORDS, [words], scope, limit) if words and words.indices else {},
            How.MEANING: self._ranking(meaning(spec), list(vectors), scope, limit) if spec else {},
        }
        hits = _fused(rankings, words is not None and spec is not None)
        hits, denied = self._agreeing(query, hits, limit)
        hits = self._told(query, hits, spec, vectors, within)
        if denied:
            notes.append("reports that contradict the question stand last")
        return ReportAnswer(
            tuple(hits),
            Provenance(
                (spec,) if spec else (), filters.describe(condition), query.exclude, False,
                {"words": bm25.RECIPE} if lexical else {}, stamp, (time.perf_counter() - started) * 1000, tuple(notes),
            ),
            indexed,
        )  # fmt: skip

    def _own(self, query: ReportQuery, within: Expr | None) -> list[ImageRecord]:
        """The films that are asked with. Raises NOT_FOUND also for one that may not be seen."""
        films = own.films(self._facts, query.by)
        if isinstance(query.by, StoredFilm) and within is not None:
            seen = select(images.c.image_id).where(images.c.image_id == query.by.image_id, filters.to_sql(within))
            if not count(self._facts, seen):
                raise HilumError(ErrorCode.NOT_FOUND, "no such film; `images:query` lists those there are")
        return films

    def _indexed(self, query: ReportQuery, spec: ModelSpec | None, lexical: bool) -> tuple[int, list[str]]:
        """How many sections can be found, and what is missing. Raises FAILED_PRECONDITION when nothing is there."""
        count = self._store.count_reports(WORDS if lexical else meaning(spec)) if lexical or spec else 0
        if not count:
            lack = "no reports are indexed" if lexical else "no model that reads text has reports indexed"
            raise HilumError(ErrorCode.FAILED_PRECONDITION, f"{lack}; {NOT_INDEXED}")
        alone = query.how is How.FUSED and spec is None
        return count, ["by words alone: no model that reads text has reports indexed"] if alone else []

    def _scope(self, query: ReportQuery, condition: Expr | None, films: Sequence[ImageRecord]) -> _Scope:
        must, sift = list[qdrant.Condition](), None
        if query.section:
            must.append(_is("section", query.section))
        if condition is not None:
            passed = reports.keys_of(self._facts, filters.to_sql(condition), query.section, _LISTED + 1)
            if len(passed) > _LISTED:
                sift = condition
            else:
                must.append(qdrant.HasIdCondition(has_id=list(map(report_point, passed))))
        return _Scope(qdrant.Filter(must=must, must_not=_excluded(query.exclude, films)), sift)

    def _vectors(self, by: object, spec: ModelSpec) -> Vector:
        """(T, D) float32: what `spec` makes of the question, a row per token."""
        match by:
            case Words(text):
                read = pieces(text)
                answers = self._encode.encode_texts(spec.name, read, spec.fingerprint)
                vector = together(text, dict(zip(read, _all(answers), strict=True)))
                if vector is None:
                    raise HilumError(ErrorCode.INVALID_ARGUMENT, "the text holds no words; say what to look for")
            case StoredFilm(image_id):
                vector = self._store.vector(spec, image_id)
            case _:
                [vector] = _all(self._encode.encode_images(spec.name, [by.data], spec.fingerprint))
        check_question(spec, vector)
        return np.atleast_2d(vector)

    def _ranking(
        self, collection: str, asked: Sequence[bm25.Sparse | Vector], scope: _Scope, limit: int
    ) -> dict[ReportKey, float]:
        """Section → score, best first; by the best of several questions. Reads deeper while sifting leaves too few."""
        wanted = max(limit, _POOLED)
        depth = wanted + _SPARE
        while True:
            answers = self._store.find_reports(collection, asked, depth, scope.where)
            kept = self._sifted(_best(answers), scope)
            if len(kept) >= wanted or all(len(answer) < depth for answer in answers) or depth >= _DEEPEST:
                return dict(list(kept.items())[:wanted])
            depth = min(4 * depth, _DEEPEST)

    def _sifted(self, found: dict[ReportKey, float], scope: _Scope) -> dict[ReportKey, float]:
        if scope.sift is None:
            return found
        studies = {(key.dataset, key.study_id) for key in found}
        passed = reports.films_of(self._facts, studies, filters.to_sql(scope.sift))
        return {key: score for key, score in found.items() if (key.dataset, key.study_id) in passed}

    def _agreeing(self, query: ReportQuery, hits: list[ReportHit], limit: int) -> tuple[list[ReportHit], int]:
        """The first `limit` with their texts, those that contradict the question last; how many of them do."""
        texts = reports.texts(self._facts, [hit.key for hit in hits])
        hits = [replace(hit, text=texts[hit.key]) for hit in hits if hit.key in texts]
        if not isinstance(query.by, Words) or query.how is How.WORDS:
            return hits[:limit], 0
        asked, agreeing, contrary = Asked(query.by.text), list[ReportHit](), list[ReportHit]()
        for number, hit in enumerate(hits):
            if len(agreeing) == limit:
                break
            (contrary if number < _READ and asked.contradicted_by(hit.text) else agreeing).append(hit)
        chosen = (agreeing + contrary)[:limit]
        return chosen, len(chosen) - len(agreeing)

    def _told(
        self, query: ReportQuery, hits: list[ReportHit], spec: ModelSpec | None, vectors: Vector, within: Expr | None
    ) -> list[ReportHit]:
        """With the sentences that answer best, and the films of their studies that may be seen."""
        of = reports.films_of(
            self._facts, {(hit.key.dataset, hit.key.study_id) for hit in hits}, filters.to_sql(within)
        )  # fmt: skip
        films = shown(self._facts, [image_id for ids in of.values() for image_id in ids])
        quoted = self._quoted(query, hits, spec, vectors)
        told = []
        for hit in hits:
            ids = of.get((hit.key.dataset, hit.key.study_id), [])
            seen = tuple(films[image_id] for image_id in ids if image_id in films)
            told.append(replace(hit, sentences=tuple(quoted.get(hit.key, ())), images=seen))
        return told

    def _quoted(
        self, query: ReportQuery, hits: Sequence[ReportHit], spec: ModelSpec | None, vectors: Vector
    ) -> dict[ReportKey, list[str]]:
        found = dict[ReportKey, list[str]]()
        if isinstance(query.by, Words):
            found = {hit.key: matched for hit in hits if (matched := matching(query.by.text, hit.text))}
        parts = {hit.key: sentences(hit.text) for hit in hits if hit.key not in found}
        found |= {key: part for key, part in parts.items() if len(part) == 1}
        read = list(dict.fromkeys(s for key, part in parts.items() if key not in found for s in part))[:_QUOTED]
        if spec is None or not read:
            return found
        answers = self._encode.encode_texts(spec.name, read, spec.fingerprint)
        scores = {
            s: float((vectors @ v).max()) for s, v in zip(read, answers, strict=True) if isinstance(v, np.ndarray)
        }
        rest = {key: part for key, part in parts.items() if key not in found and scores.keys() >= set(part)}
        return found | {key: best((s, scores[s]) for s in part) for key, part in rest.items()}


def _fused(rankings: Mapping[How, Mapping[ReportKey, float]], both: bool) -> list[ReportHit]:
    """Sections of either ranking; of both, by reciprocal rank."""
    places = {how: {key: rank for rank, key in enumerate(found, 1)} for how, found in rankings.items()}
    hits = []
    for key in dict.fromkeys(key for found in rankings.values() for key in found):
        words, read = (places[how].get(key, 0) for how in (How.WORDS, How.MEANING))
        alone = rankings[How.WORDS].get(key, rankings[How.MEANING].get(key, 0.0))
        score = sum(1 / (_RANKS + rank) for rank in (words, read) if rank) if both else alone
        hits.append(ReportHit(key, "", score, words, read))
    return sorted(hits, key=lambda hit: (-hit.score, hit.key))


def _best(answers: Sequence[Sequence[FoundReport]]) -> dict[ReportKey, float]:
    found: dict[ReportKey, float] = {}
    for one in (one for answer in answers for one in answer):
        found[one.key] = max(one.score, found.get(one.key, -np.inf))
    return dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))


def _excluded(exclude: Exclude, films: Sequence[ImageRecord]) -> list[qdrant.Condition]:
    """What leaves out the reports of the films' own patients, or of their studies."""
    out: list[qdrant.Condition] = []
    for film in films if exclude is not Exclude.NONE else ():
        if exclude is Exclude.PATIENT and film.patient_id:
            out.append(qdrant.Filter(must=[_is("dataset", film.dataset), _is("patient_id", film.patient_id)]))
        if film.study_id:
            out.append(qdrant.Filter(must=[_is("dataset", film.dataset), _is("study_id", film.study_id)]))
    return out


def _is(field: str, value: str) -> qdrant.FieldCondition:
    return qdrant.FieldCondition(key=field, match=qdrant.MatchValue(value=value))


def _all(answers: Sequence[Vector | HilumError]) -> list[Vector]:
    found = []
    for answer in answers:
        if isinstance(answer, HilumError):
            raise answer
        found.append(answer)
    return found
