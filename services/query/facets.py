"""How many films have which value: exact counts, by SQL, in one statement for all fields of the record."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import CTE, Connection, Select, Text, and_, cast, func, literal, null, select, union_all

from services.core import filters
from services.core.access import ALL, Access
from services.core.errors import HilumError, invalid
from services.core.facts import Facts
from services.core.facts.schema import images, members, sets, side_columns, side_rows
from services.core.filters.fields import CLUSTER, COHORT, LABELS, REPORT, SIDE, Kind, field
from services.core.filters.sql import DELETING, LEVELS, Condition, column, to_sql
from services.query.findings import Findings

DEFAULT_FIELDS = ("dataset", "view", "sex", "modality", "labels")
COUNTED = (
    "dataset", "view", "sex", "modality", "age", "study_date", "split", "orientation", "manufacturer", "device",
    "institution", "race", "ethnicity", "study_order", "view_source", "burned_in", "body_part", "photometric",
    "licence", "date_kind", "age_binned", "rows", "columns", "bits_stored", "pixel_spacing",
)  # fmt: skip
UNKNOWN = "unknown"
_WIDTHS = {"age": 10, "rows": 500, "columns": 500}  # of the bins of a histogram
_OTHERS = ("labels", "labels.<finding>", "labels.<finding>.<source>", COHORT, CLUSTER, REPORT, "side.<table>.<column>")
_MAX_FIELDS = 64
_MAX_VALUES = 1_000  # shown of a field; the commonest
_BINS = 20  # a side column with more different numbers is shown as a histogram
_AT_ONCE = 4  # fields grouped together: many would make as many groups as there are films
_FINDINGS = Findings()


@dataclass(frozen=True, slots=True)
class Facet:
    """Value → number of films, the commonest first, histograms and years in their order; what nobody stated counts as
    ``unknown``, never as absent."""

    field: str
    counts: dict[str, int]


@dataclass(frozen=True, slots=True)
class Facets:
    """Facets of the films that a filter selects, and how many films that is."""

    facets: tuple[Facet, ...]
    total: int


def facets(facts: Facts, filter_text: str = "", fields: Sequence[str] = (), access: Access = ALL) -> Facets:
    """Count films by field: those of the record, ``labels`` (every finding), ``labels.<finding>``, what one source says
    (``labels.<finding>.<source>``), ``cohort``, ``cluster``, ``report`` and ``side.<table>.<column>``.

    Ages are counted by decade, dates by year. Raises INVALID_ARGUMENT for another field, INVALID_FILTER for a filter
    that cannot be read.
    """
    expr = filters.all_of(filters.parse(filter_text), access.condition())
    filters.check(expr, facts)
    where = to_sql(expr)
    wanted = list(dict.fromkeys(_known(name) for name in dict.fromkeys(fields or DEFAULT_FIELDS)))
    if len(wanted) > _MAX_FIELDS:
        raise invalid(f"at most {_MAX_FIELDS} fields are counted at once")
    found: dict[str, list[Facet]] = {}
    with facts.snapshot() as db:
        columns = [name for name in wanted if name in COUNTED]
        stated = any(name.startswith("labels") for name in wanted)
        total, groups, profiles = _look(db, where, columns, stated)
        found |= {name: [Facet(name, _ordered(name, sums))] for name, sums in groups.items()}
        if stated:
            counted = _FINDINGS.count(db, profiles, total)
        for name in wanted:
            if name == "labels":
                found[name] = [Facet(finding, counts) for finding, counts in counted.findings()]
            elif name.startswith(LABELS):
                found[name] = [Facet(name, counted.of(name))]
            elif name in (COHORT, CLUSTER):
                found[name] = [_sets(db, where, name, total)]
            elif name == REPORT:
                found[name] = [_reports(db, expr, total)]
            elif name.startswith(SIDE):
                found[name] = [_cells(db, where, name, total)]
    return Facets(tuple(facet for name in wanted for facet in found[name]), total)


def _known(name: str) -> str:
    if name in COUNTED or name == "labels":
        return name
    with contextlib.suppress(HilumError):
        if name in (COHORT, CLUSTER, REPORT) or name.startswith((LABELS, SIDE)):
            return field(name).name
    raise invalid(f"films are counted by {', '.join([*COUNTED, *_OTHERS])}")


def _look(
    db: Connection, where: Condition, names: Sequence[str], stated: bool
) -> tuple[int, dict[str, Counter[str | None]], dict[int, int]]:
    """How many films pass, field → value → films, profile → films: by one statement that applies the filter once."""
    values = [cast(_value(name), Text).label(name) for name in names]
    profile = cast(images.c.profile, Text).label("profile")
    passed = select(*values, profile).where(where).cte("passed").prefix_with("MATERIALIZED")
    parts = [list(names[start : start + _AT_ONCE]) for start in range(0, len(names), _AT_ONCE)] or [[]]
    parts += [["profile"]] if stated else []
    looks = [_groups(passed, number, part) for number, part in enumerate(parts)]
    sums: dict[str, Counter[str | None]] = {name: Counter() for part in parts for name in part}
    total = 0
    for number, *group, films in db.execute(union_all(*looks)).all():
        total += films if number == 0 else 0
        for name, value in zip(parts[number], group, strict=False):
            sums[name][value] += films
    profiles = {int(value): films for value, films in sums.pop("profile", Counter()).items() if value}
    return total, sums, profiles


def _groups(passed: CTE, number: int, names: Sequence[str]) -> Select[Any]:
    """One row per combination of values that some film has, in columns as many as any other look has."""
    values = [passed.c[name] for name in names]
    padded = [*values, *(null() for _ in range(_AT_ONCE - len(values)))]
    query = select(literal(number), *padded, func.count()).select_from(passed)
    return query.group_by(*values) if values else query


def _value(name: str) -> Any:
    return func.substr(column(name), 1, 4) if name == "study_date" else column(name)


def _ordered(name: str, sums: Counter[str | None]) -> dict[str, int]:
    unknown = sums.pop(None, 0) + sums.pop("", 0)
    if field(name).kind is Kind.NUMBER:
        bins: Counter[float] = Counter()
        width = _WIDTHS.get(name, 0)
        for value, films in sums.items():
            bins[float(str(value)) // width * width if width else float(str(value))] += films
        shown = {_binned(low, width): bins[low] for low in sorted(bins)}
    elif name == "study_date":
        shown = {str(year): films for year, films in sorted(sums.items(), key=lambda item: str(item[0]))}
    else:
        shown = _commonest(sums)
    return shown | ({UNKNOWN: unknown} if unknown else {})


def _commonest(sums: Counter[Any]) -> dict[str, int]:
    ordered = sorted(sums.items(), key=lambda item: (-item[1], str(item[0])))
    return {str(value): films for value, films in ordered[:_MAX_VALUES]}


def _binned(number: float, width: int) -> str:
    return f"{number:g}–{number + width - 1:g}" if width else _plain(number)


def _plain(number: float) -> str:
    return repr(number).removesuffix(".0")


def _sets(db: Connection, where: Condition, kind: str, total: int) -> Facet:
    """Films of each set; a film may be in several, and ``unknown`` counts those in none."""
    joined = members.join(sets, sets.c.set_id == members.c.set_id).join(
        images, images.c.image_id == members.c.image_id
    )  # fmt: skip
    inside = and_(where, sets.c.kind == kind, sets.c.state != DELETING)
    count = func.count().label("films")
    query = select(members.c.set_id, count).select_from(joined).where(inside).group_by(members.c.set_id)
    counts = dict(db.execute(query.order_by(count.desc(), members.c.set_id).limit(_MAX_VALUES)).tuples().all())
    some = db.scalar(select(func.count(members.c.image_id.distinct())).select_from(joined).where(inside)) or 0
    return Facet(kind, counts | ({UNKNOWN: total - some} if total > some else {}))


def _reports(db: Connection, expr: filters.Expr | None, total: int) -> Facet:
    told = to_sql(filters.all_of(expr, filters.present(REPORT)))
    films = db.scalar(select(func.count()).select_from(images).where(told)) or 0
    return Facet(REPORT, {value: count for value, count in (("yes", films), (UNKNOWN, total - films)) if count})


def _cells(db: Connection, where: Condition, name: str, total: int) -> Facet:
    table, cell = name.removeprefix(SIDE).split(".")
    asked = and_(side_columns.c.side == table, side_columns.c.name == cell)
    row = db.execute(select(side_columns.c.level, side_columns.c.kind).where(asked).limit(1)).first()
    if row is None:
        raise invalid("no such column of a side table; `hilum side list` shows those there are")
    level, kind = row
    path = side_rows.c.facts[(kind, cell)]
    value = path.as_float() if kind == "number" else path.as_string()
    mine = and_(
        side_rows.c.side == table, side_rows.c.level == level, side_rows.c.dataset == images.c.dataset,
        side_rows.c.key == LEVELS[level],
    )  # fmt: skip
    query = select(value, func.count()).select_from(images.join(side_rows, mine)).where(where, value.is_not(None))
    sums: Counter[Any] = Counter(dict(db.execute(query.group_by(value)).tuples().all()))
    unknown = total - sum(sums.values())
    if kind == "text":
        shown = _commonest(sums)
    elif len(sums) <= _BINS:
        shown = {_plain(float(number)): sums[number] for number in sorted(sums)}
    else:
        shown = _histogram({float(number): films for number, films in sums.items()})
    return Facet(name, shown | ({UNKNOWN: unknown} if unknown else {}))


def _histogram(sums: dict[float, int]) -> dict[str, int]:
    """Equal bins from the least to the greatest; the last one has its upper end, too."""
    low, high = min(sums), max(sums)
    width = (high - low) / _BINS
    counts = [0] * _BINS
    for number, films in sums.items():
        counts[min(_BINS - 1, int((number - low) / width))] += films
    return {f"{low + i * width:.6g} to {low + (i + 1) * width:.6g}": films for i, films in enumerate(counts)}
