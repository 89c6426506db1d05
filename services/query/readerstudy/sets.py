"""Sets for readers: queries drawn, their nearest films looked up exactly, and others to choose against.

All films of a set are of different people: patients look like themselves.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import select

from services.core import filters
from services.core.errors import ErrorCode, HilumError, invalid
from services.core.facts import Facts, images, models
from services.core.facts.reader_studies import Content
from services.core.facts.schema import images as table
from services.core.filters import Expr, all_of, any_of, compare, not_, one_of
from services.core.filters.ast import Operator
from services.core.filters.fields import LABELS, Kind, field
from services.core.ids import parse_image_id
from services.core.limits import MAX_SEARCH_LIMIT
from services.core.models import ModelSpec
from services.core.store import VectorStore
from services.core.types import ImageRecord, JobProgress
from services.query.asked import Hit, SearchAnswer, SearchQuery, Showing
from services.query.by import RawVector, StoredFilm
from services.query.readerstudy import draw
from services.query.readerstudy.design import Against, Design
from services.query.readerstudy.draw import Film, person

Ask = Callable[[SearchQuery, Callable[[], bool], Expr | None], SearchAnswer]
_MOST_VALUES = 20  # of a field that strata are made of
_ONE_EACH = Showing(per_patient=1)


@dataclass(frozen=True, slots=True)
class Drawn:
    """Sets, ready to be kept. design: with what was left to us filled in.  repeats: sets that the last of the contents
    repeat.  strata: name → queries of it."""

    design: Design
    spec: ModelSpec
    contents: list[tuple[Content, list[str]]]
    repeats: list[int]
    strata: dict[str, int]
    versions: dict[str, str]


class Drawing:
    """One study's sets. access: the films that may be known of."""

    def __init__(
        self, facts: Facts, store: VectorStore, ask: Ask, access: Expr | None, cancelled: Callable[[], bool]
    ) -> None:
        self._facts, self._store, self._ask = facts, store, ask
        self._access, self._cancelled = access, cancelled
        self._versions: dict[str, str] = {}

    def __call__(self, design: Design, named: Sequence[str] = ()) -> Iterator[JobProgress | Drawn]:
        """The last one is what was drawn. named: ids of the queries, instead of drawing them.

        Raises FAILED_PRECONDITION when the archive has too few films or patients for the design.
        """
        spec = self._model(design.model)
        if spec.tokens > 1 and design.against is Against.FURTHEST:
            raise invalid(
                f"{spec.name} compares films by several vectors, which have no opposite; use against = random"
            )
        yield JobProgress("queries", 0, design.sets)
        queries = self._named(named, spec) if named else self._drawn(design, spec)
        design = replace(design, model=spec.name, sets=len(queries), repeats=min(design.repeats, len(queries) // 2))
        pool = self._pool(design, spec)
        contents: list[tuple[Content, list[str]]] = []
        for film, stratum in queries:
            yield JobProgress("sets", len(contents), len(queries))
            found = self._set(design, spec, film, pool)
            content: Content = {"query": film.image_id, "films": list(found), "scores": list(found.values())}
            contents.append(({**content, "stratum": stratum}, [film.image_id, *found]))
        twice = sorted(
            sorted(range(len(queries)), key=lambda n: draw.number(design.seed, "twice", n))[: design.repeats]
        )
        contents += [contents[n] for n in twice]
        strata: dict[str, int] = {}
        for _, stratum in queries:
            strata[stratum] = strata.get(stratum, 0) + 1
        yield Drawn(design, spec, contents, twice, strata if any(strata) else {}, self._versions)

    def _model(self, name: str) -> ModelSpec:
        active = models.active(self._facts)
        if not active:
            raise HilumError(ErrorCode.FAILED_PRECONDITION, "the archive is empty; ingest films first")
        if name and name not in active:
            raise HilumError(ErrorCode.UNKNOWN_MODEL, f"no such model in this archive; there are: {', '.join(active)}")
        return active[name] if name else min(active.values(), key=lambda spec: spec.slices)

    # -- queries ----------------------------------------------------------------------------------------------------

    def _drawn(self, design: Design, spec: ModelSpec) -> list[tuple[Film, str]]:
        """As many of each stratum as there are, in turns, until there are enough."""
        found: list[tuple[str, deque[Film]]] = []
        before: list[Expr] = []
        for name, stratum in self._strata(design):
            where = all_of(filters.parse(design.filter), self._access, stratum, *(not_(one) for one in before))
            seed = draw.number(design.seed, name) if name else design.seed
            found.append((name, deque(draw.films(self._facts, where, spec.fingerprint, seed, 2 * design.sets))))
            before += [stratum] if stratum is not None else []
        taken: list[tuple[Film, str]] = []
        people: set[str] = set()
        while len(taken) < design.sets and any(films for _, films in found):
            for name, films in found:
                while films and films[0].person in people:
                    films.popleft()
                if films and len(taken) < design.sets:
                    people.add(films[0].person)
                    taken.append((films.popleft(), name))
        if len(taken) < design.sets:
            raise HilumError(
                ErrorCode.FAILED_PRECONDITION,
                f"only {len(taken)} patients have such a film with {spec.name} and a picture; ask for fewer sets, or "
                "of more films",
            )
        return taken

    def _strata(self, design: Design) -> list[tuple[str, Expr | None]]:
        if design.strata:
            made: list[tuple[str, Expr | None]] = [(text.strip(), filters.parse(text)) for text in design.strata]
            for _, one in made:
                filters.check(one, self._facts)
            return made
        if not design.stratify:
            return [("", None)]
        known = field(design.stratify)
        if known.name.startswith(LABELS):
            values = ["present", "absent"]
        elif known.choices:
            values = list(known.choices)
        elif known.kind is Kind.KEYWORD:
            values = self._values(design, known.name)
        else:
            raise invalid("stratify takes a field with a few values, such as view or sex, or labels.FINDING")
        return [(f"{known.name} = {value}", compare(known.name, Operator.EQ, value)) for value in values]

    def _values(self, design: Design, name: str) -> list[str]:
        column, where = table.c[name], all_of(filters.parse(design.filter), self._access)
        query = select(column).where(column.is_not(None)).distinct().order_by(column).limit(_MOST_VALUES + 1)
        with self._facts.read() as db:
            values = list(db.scalars(query if where is None else query.where(filters.to_sql(where))))
        if len(values) > _MOST_VALUES:
            raise invalid(f"{name} has more than {_MOST_VALUES} values; name strata as filters")
        return values

    def _named(self, ids: Sequence[str], spec: ModelSpec) -> list[tuple[Film, str]]:
        wanted = [parse_image_id(image_id) for image_id in ids]
        seen = all_of(one_of("image_id", wanted), self._access)
        found = {one.image_id: one for one in draw.films(self._facts, seen, spec.fingerprint, 0, len(wanted))}
        if len(found) < len(wanted):
            raise HilumError(
                ErrorCode.FAILED_PRECONDITION,
                f"each query must be a film of another patient, held by {spec.name} and with a picture; "
                f"{len(found)} of {len(wanted)} are",
            )
        return [(found[image_id], "") for image_id in wanted]

    # -- candidates -------------------------------------------------------------------------------------------------

    def _pool(self, design: Design, spec: ModelSpec) -> deque[Film]:
        """Random films to deal out."""
        if design.against is not Against.RANDOM:
            return deque()
        where = all_of(filters.parse(design.candidates or design.filter), self._access)
        most = 2 * design.sets * design.others + 4 * design.films
        return deque(draw.films(self._facts, where, spec.fingerprint, draw.number(design.seed, "others"), most))

    def _set(self, design: Design, spec: ModelSpec, film: Film, pool: deque[Film]) -> dict[str, float]:
        """Candidate → cosine with the query, nearest first."""
        record = images.get(self._facts, [film.image_id])[film.image_id]
        barred = {film.person}
        among = design.candidates or design.filter
        near = self._some(spec, StoredFilm(film.image_id), among, design.nearest, record, barred)
        barred |= {_whose(hit.image.record) for hit in near}
        scores = {hit.image.record.image_id: hit.score for hit in near}
        if design.against is Against.FURTHEST:
            away = RawVector(-self._store.vector(spec, film.image_id))
            far = self._some(spec, away, among, design.others, record, barred)
            scores |= {hit.image.record.image_id: -hit.score for hit in far}
        else:
            scores |= self._scores(spec, film, self._deal(pool, design.others, barred))
        ordered = sorted(scores.items(), key=lambda item: (-item[1], item[0]))
        return {image_id: round(score, 6) for image_id, score in ordered}

    def _some(
        self, spec: ModelSpec, by: StoredFilm | RawVector, among: str, wanted: int, query: ImageRecord, barred: set[str]
    ) -> list[Hit]:
        """The nearest films to `by` of people who are not barred; not the query's own picture, filed under whomever."""
        limit = min(2 * wanted + len(barred) + 4, MAX_SEARCH_LIMIT)
        while True:
            asked = SearchQuery(by, (spec.name,), among, limit, exact=True, showing=_ONE_EACH)
            answer = self._ask(asked, self._cancelled, self._access)
            hits, self._versions = answer.hits, answer.provenance.versions
            shown = images.thumbnails(self._facts, [hit.image.record.image_id for hit in hits])
            fit = [
                hit
                for hit in hits
                if shown.get(hit.image.record.image_id)
                and _whose(hit.image.record) not in barred
                and hit.image.record.pixel_sha256 != query.pixel_sha256
            ]
            if len(fit) >= wanted:
                return fit[:wanted]
            if len(hits) < limit or limit == MAX_SEARCH_LIMIT:
                raise _too_few()
            limit = min(4 * limit, MAX_SEARCH_LIMIT)

    @staticmethod
    def _deal(pool: deque[Film], wanted: int, barred: set[str]) -> list[str]:
        """Films of the pool that were dealt least lately; none twice in a set."""
        dealt: list[Film] = []
        for _ in range(len(pool)):
            if len(dealt) == wanted:
                break
            film = pool.popleft()
            if film.person not in barred:
                dealt.append(film)
            else:
                pool.append(film)
        if len(dealt) < wanted:
            raise _too_few()
        pool.extend(dealt)
        return [film.image_id for film in dealt]

    def _scores(self, spec: ModelSpec, film: Film, ids: Sequence[str]) -> Mapping[str, float]:
        only = filters.describe(any_of(*(filters.equals("image_id", one) for one in ids)))
        asked = SearchQuery(
            StoredFilm(film.image_id), (spec.name,), only, len(ids), exact=True, showing=Showing(fold=False)
        )
        found = {hit.image.record.image_id: hit.score for hit in self._ask(asked, self._cancelled, self._access).hits}
        if len(found) < len(ids):
            raise HilumError(ErrorCode.FAILED_PRECONDITION, "a film was removed while sets were drawn; try again")
        return found


def _whose(record: ImageRecord) -> str:
    return person(record.dataset, record.patient_id, record.image_id)


def _too_few() -> HilumError:
    return HilumError(
        ErrorCode.FAILED_PRECONDITION,
        "the archive has too few films of different patients, with pictures, for such sets; ask for fewer candidates",
    )
