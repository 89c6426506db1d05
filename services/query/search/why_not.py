"""Why a film that was expected is not among the answers: the first of the steps that stopped it, and where it stands.

why_not = WhyNot(facts, store, search)
reasons = why_not(SearchQuery(...), "5f0c…")
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from sqlalchemy import select

from services.core import filters
from services.core.facts import Facts, images
from services.core.facts.schema import images as table
from services.core.filters import Expr, all_of, equals
from services.core.filters.ast import And
from services.core.ids import parse_image_id
from services.core.models import ModelSpec
from services.core.store import VectorStore
from services.core.types import ImageRecord
from services.query import own
from services.query.asked import Mode, SearchQuery
from services.query.search import modes
from services.query.search.pipeline import Search

_DEEPEST = 10_000  # ranks beyond are not counted


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason. `clause` is the part of the filter that the film does not pass; `rank` is exact, 0 where unknown."""

    code: str
    message: str
    model: str = ""
    rank: int = 0
    score: float = 0.0
    clause: str = ""


class WhyNot:
    """Safe to share between threads."""

    def __init__(self, facts: Facts, store: VectorStore, search: Search) -> None:
        self._facts, self._store, self._search = facts, store, search

    def __call__(
        self, query: SearchQuery, image_id: str, cancelled: Callable[[], bool], access: Expr | None = None
    ) -> list[Reason]:
        """Every reason that can be told, the ones that come first in a search first. Raises what the search raises."""
        canonical = parse_image_id(image_id)
        record = images.get(self._facts, [canonical]).get(canonical)
        if record is None or not self._passes(canonical, access):
            return [Reason("unknown", "the archive has no such film, or you may not know of it")]
        answer = self._search(query, cancelled, access)
        for rank, hit in enumerate(answer.hits, 1):
            if hit.image.record.image_id == canonical:
                return [Reason("found", f"it is among the answers, at place {rank}", rank=rank, score=hit.score)]
            if canonical in hit.copies:
                return [Reason("copy", f"it is the same film as the answer at place {rank}, and folded into it")]
        return [
            *self._excluded(query, record),
            *self._filtered(query, canonical),
            *self._mode(query, record),
            *self._places(query, answer.provenance.models, canonical, access),
        ]

    def _excluded(self, query: SearchQuery, record: ImageRecord) -> Iterator[Reason]:
        mine = own.films(self._facts, query.by)
        if record.image_id in own.named(query.by):
            yield Reason("excluded", "it is the film that the question is about")
        elif not self._passes(record.image_id, own.exclusion(query.by, mine, query.exclude)):
            whose = "of the same patient" if own.same_patient(record, mine) else "of the same study or file"
            yield Reason("excluded", f"it is a film {whose}, which exclude = {query.exclude} leaves out")

    def _filtered(self, query: SearchQuery, image_id: str) -> Iterator[Reason]:
        asked = filters.parse(query.filter)
        clauses = asked.operands if isinstance(asked, And) else (asked,) if asked is not None else ()
        for clause in clauses:
            if not self._passes(image_id, clause):
                said = filters.describe(clause)
                yield Reason("filter", "it does not pass a part of the filter", clause=said)

    def _mode(self, query: SearchQuery, record: ImageRecord) -> Iterator[Reason]:
        wanted = modes.condition(query.ranking, own.films(self._facts, query.by))
        if wanted is not None and not self._passes(record.image_id, wanted):
            yield Reason("mode", f"mode = {query.ranking.mode} asks for other films", clause=filters.describe(wanted))
        elif query.ranking.mode is Mode.LOOKALIKE and not modes.has_another(record):
            yield Reason("mode", "nobody states another diagnosis of it, which a look-alike has")

    def _places(
        self, query: SearchQuery, specs: tuple[ModelSpec, ...], image_id: str, access: Expr | None
    ) -> Iterator[Reason]:
        """Where each model ranks the film among all that pass, by exact comparison."""
        held = images.ledger(self._facts, [image_id]).get(image_id, set())
        for spec in specs:
            if spec.fingerprint not in held:
                yield Reason("not-held", f"{spec.name} does not hold it; ingest it with that model", spec.name)
                continue
            deep = replace(
                query, models=(spec.name,), limit=_DEEPEST, exact=True,
                showing=replace(query.showing, page_size=1, per_patient=0, fold=False, priors=False),
                ranking=replace(query.ranking, at_least=0.0, diversity=0.0),
            )  # fmt: skip
            if deep.ranking.mode is Mode.DISAGREE:
                deep = replace(deep, ranking=replace(deep.ranking, mode=Mode.NEAREST))
            ranked = self._search(deep, lambda: False, access)
            for rank, hit in enumerate(ranked.hits, 1):
                if hit.image.record.image_id == image_id:
                    beyond = rank > query.wanted
                    yield Reason(
                        "below-limit" if beyond else "cap",
                        f"{spec.name} ranks it {rank}, behind the {query.wanted} asked for"
                        if beyond
                        else f"{spec.name} ranks it {rank}; fusion, caps, groups, diversity, a probability or "
                        "the approximate index left it out",
                        spec.name, rank, hit.score,
                    )  # fmt: skip
                    break
            else:
                if len(ranked.hits) >= _DEEPEST:
                    yield Reason("below-limit", f"{spec.name} ranks it beyond {_DEEPEST}", spec.name)

    def _passes(self, image_id: str, condition: Expr | None) -> bool:
        if condition is None:
            return True
        where = filters.to_sql(all_of(equals("image_id", image_id), condition))
        with self._facts.read() as db:
            return db.scalar(select(table.c.image_id).where(where)) is not None
