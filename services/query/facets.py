"""How many films have which value: exact counts, by SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, case, func, literal, select

from services.core import filters
from services.core.errors import invalid
from services.core.facts import Facts
from services.core.facts.schema import images, labels
from services.core.filters.sql import Condition
from services.core.labels import LabelState, label_key

COUNTED = ("dataset", "view", "sex", "modality")
DEFAULT_FIELDS = (*COUNTED, "labels")
UNKNOWN = "unknown"
_LABEL = "labels."
_MAX_FIELDS = 64
_ORDER = {state.value: place for place, state in enumerate(LabelState)}


@dataclass(frozen=True, slots=True)
class Facet:
    """Value → number of films, the commonest first; what nobody stated counts as ``unknown``, never as absent."""

    field: str
    counts: dict[str, int]


@dataclass(frozen=True, slots=True)
class Facets:
    """Facets of the films that a filter selects, and how many films that is."""

    facets: tuple[Facet, ...]
    total: int


def facets(facts: Facts, filter_text: str = "", fields: Sequence[str] = ()) -> Facets:
    """Count films by field: dataset, view, sex, modality, ``labels`` (every finding) or ``labels.<finding>``.

    Raises INVALID_ARGUMENT for another field, INVALID_FILTER for a filter that cannot be read.
    """
    expr = filters.parse(filter_text)
    where = filters.to_sql(expr)
    wanted = [_known(field) for field in dict.fromkeys(fields or DEFAULT_FIELDS)]
    if len(wanted) > _MAX_FIELDS:
        raise invalid(f"at most {_MAX_FIELDS} fields are counted at once")
    with facts.read() as db:
        total = db.scalar(select(func.count()).select_from(images).where(where)) or 0
        stated = _labels(db, expr, total) if any(field.startswith("labels") for field in wanted) else {}
        counted: list[Facet] = []
        for field in wanted:
            if field == "labels":
                counted += stated.values()
            elif field.startswith(_LABEL):
                counted.append(stated.get(field, Facet(field, {UNKNOWN: total} if total else {})))
            else:
                counted.append(_column(db, where, field))
    return Facets(tuple(counted), total)


def _known(field: str) -> str:
    if field.startswith(_LABEL) and label_key(field[len(_LABEL) :]):
        return _LABEL + label_key(field[len(_LABEL) :])
    if field in DEFAULT_FIELDS:
        return field
    raise invalid(f"films are counted by {', '.join(DEFAULT_FIELDS)} or labels.<finding>")


def _column(db: Connection, where: Condition, name: str) -> Facet:
    value = func.coalesce(func.nullif(images.c[name], ""), UNKNOWN).label("value")
    count = func.count().label("films")
    rows = db.execute(select(value, count).where(where).group_by(value).order_by(count.desc(), value))
    return Facet(name, dict(row.tuple() for row in rows))


def _labels(db: Connection, expr: filters.Expr | None, total: int) -> dict[str, Facet]:
    """One state per film and finding as `core.labels.merge` has it: sources that differ are uncertain."""
    pair = (labels.c.image_id, labels.c.name)
    twice = select(literal(1)).select_from(labels).group_by(*pair).having(func.count() > 1).limit(1)
    if db.scalar(twice) is None:  # one source for each finding: nothing to merge, and the index has the counts
        stated = select(labels.c.name, labels.c.state)
    else:
        low, high = func.min(labels.c.state), func.max(labels.c.state)
        merged = case((low == high, low), else_=LabelState.UNCERTAIN.value)
        stated = select(labels.c.name, merged.label("state")).group_by(*pair)
    if expr is not None:
        stated = stated.join(images, images.c.image_id == labels.c.image_id).where(filters.to_sql(expr))
    each = stated.subquery()
    counts = select(each.c.name, each.c.state, func.count()).group_by(each.c.name, each.c.state)
    found: dict[str, dict[str, int]] = {}
    for name, state, films in db.execute(counts):
        found.setdefault(_LABEL + name, {})[state] = films
    for counts in found.values():
        if silent := total - sum(counts.values()):
            counts[UNKNOWN] = silent
    by_use = sorted(found, key=lambda field: (-found[field].get(LabelState.PRESENT.value, 0), field))
    return {
        field: Facet(field, dict(sorted(found[field].items(), key=lambda item: _ORDER[item[0]]))) for field in by_use
    }
