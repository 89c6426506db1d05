"""Sections of one collection in the order of their scores, of those that a filter and an exclusion leave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from qdrant_client import models as qdrant

from services.core import filters
from services.core.facts import Facts, reports
from services.core.filters import Expr
from services.core.store import VectorStore
from services.core.store.reports import FoundReport, report_point
from services.core.text.bm25 import Sparse
from services.core.types import ImageRecord, ReportKey
from services.query.asked import Exclude
from services.query.reports.asked import ReportQuery

_POOLED = 50  # how deep each ranking is read before they are fused
_SPARE = 8  # read beyond what is wanted, in case some texts have gone
DEEPEST = 16_384
_LISTED = 1_024  # films that a filter leaves, whose reports the engine is told; of more, what is read is sifted

Vector = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Scope:
    """Which sections count: by the engine, and, of a wide filter, by what SQL says of those that were read."""

    where: qdrant.Filter
    sift: Expr | None = None


class Rankings:
    """Reads rankings. Safe to share between threads."""

    def __init__(self, facts: Facts, store: VectorStore) -> None:
        self._facts, self._store = facts, store

    def scope(self, query: ReportQuery, condition: Expr | None, films: Sequence[ImageRecord]) -> Scope:
        must, sift = list[qdrant.Condition](), None
        if query.section:
            must.append(_is("section", query.section))
        if condition is not None:
            passed = reports.keys_of(self._facts, filters.to_sql(condition), _LISTED)
            if passed is None:
                sift = condition
            else:
                must.append(qdrant.HasIdCondition(has_id=list(map(report_point, passed))))
        return Scope(qdrant.Filter(must=must, must_not=_excluded(query.exclude, films)), sift)

    def __call__(
        self, collection: str, asked: Sequence[Sparse | Vector], scope: Scope, limit: int
    ) -> tuple[dict[ReportKey, float], bool]:
        """Section → score, best first, by the best of several questions; and whether reading went far enough for
        `limit` of them. Reads deeper while sifting leaves too few."""
        wanted = max(limit, _POOLED)
        depth = wanted + _SPARE
        while True:
            answers = self._store.find_reports(collection, asked, depth, scope.where)
            kept = self._sifted(_best(answers), scope)
            whole = len(kept) >= wanted or all(len(answer) < depth for answer in answers)
            if whole or depth >= DEEPEST:
                return dict(list(kept.items())[:wanted]), whole or len(kept) >= limit
            depth = min(4 * depth, DEEPEST)

    def _sifted(self, found: dict[ReportKey, float], scope: Scope) -> dict[ReportKey, float]:
        if scope.sift is None:
            return found
        studies = {(key.dataset, key.study_id) for key in found}
        passed = reports.films_of(self._facts, studies, filters.to_sql(scope.sift))
        return {key: score for key, score in found.items() if (key.dataset, key.study_id) in passed}


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
