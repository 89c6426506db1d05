"""Reports by words, by meaning, by both, and by a film."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from services.core import filters
from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts, now, reports
from services.core.facts.images import count
from services.core.facts.schema import images
from services.core.filters import Expr
from services.core.models import ModelSpec
from services.core.store import VectorStore, check_question
from services.core.store.reports import WORDS, meaning
from services.core.text import bm25
from services.core.text.meaning import pieces, together
from services.core.text.sentences import sentences
from services.core.types import ImageRecord, ReportKey
from services.query import own
from services.query.asked import DEFAULT_LIMIT, Provenance
from services.query.by import By, StoredFilm, Words
from services.query.films import shown
from services.query.reports.asked import How, ReportAnswer, ReportHit, ReportQuery
from services.query.reports.models import NOT_INDEXED, reader
from services.query.reports.rankings import DEEPEST, Rankings
from services.query.reports.words import Asked, best, matching
from services.transport.encode_client import EncodeClient

_RANKS = 60  # Cormack, Clarke and Büttcher 2009: how gently the weight falls with the rank
_READ = 100  # texts that are held against what is asked
_COUNTED = 60.0  # seconds
_QUOTED = 64  # sentences that are encoded to see which of them answer best

Vector = NDArray[np.float32]
Cancelled = Callable[[], bool]
Strange = Callable[[By, Expr | None], Sequence[str]]


def _nothing(by: By, within: Expr | None) -> Sequence[str]:
    return ()


class SearchReports:
    """Answers questions for reports. Safe to share between threads."""

    def __init__(self, facts: Facts, store: VectorStore, encode: EncodeClient, strange: Strange = _nothing) -> None:
        """strange: what is to be said of a film that is brought."""
        self._facts, self._store, self._encode, self._strange = facts, store, encode, strange
        self._rankings = Rankings(facts, store)
        self._counted: dict[str, tuple[float, int]] = {}

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
        notes += self._strange(query.by, within)
        if within is not None:
            indexed = min(indexed, self._count(within))
        scope = self._rankings.scope(query, condition, films)
        limit = query.limit or DEFAULT_LIMIT
        vectors = self._vectors(query.by, spec) if spec else np.empty((0, 0), np.float32)
        if cancelled():
            raise HilumError(ErrorCode.CANCELLED, "the client went away")
        words = bm25.question(query.by.text) if lexical and isinstance(query.by, Words) else None
        lists: dict[str, list[bm25.Sparse] | list[Vector]] = {WORDS: [words]} if words and words.indices else {}
        lists |= {meaning(spec): list(vectors)} if spec else {}
        found = {name: self._rankings(name, asked, scope, limit) for name, asked in lists.items()}
        if not all(far for _, far in found.values()):
            notes.append(f"of the {DEEPEST} best reports alone, those that pass the filter; narrow it to see all")
        rankings = {
            How.WORDS: found.get(WORDS, ({}, True))[0],
            How.MEANING: found[meaning(spec)][0] if spec else {},
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

    def _count(self, within: Expr) -> int:
        """How many sections there are of what may be seen, a minute ago at most: every film is looked at for it."""
        told, moment = filters.describe(within), time.monotonic()
        at, known = self._counted.get(told, (-math.inf, 0))
        if moment - at > _COUNTED:
            known = reports.count_within(self._facts, filters.to_sql(within))
            self._counted = {told: (moment, known)}
        return known

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


def _all(answers: Sequence[Vector | HilumError]) -> list[Vector]:
    found = []
    for answer in answers:
        if isinstance(answer, HilumError):
            raise answer
        found.append(answer)
    return found
