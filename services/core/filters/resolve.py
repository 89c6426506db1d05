"""What only facts can say of a filter: whether its names exist, and the films of conditions that no point carries.

Side tables and reports are in SQL alone, and a set of films is until every point carries it. Such conditions are
answered by SQL first and go to the vector engine as lists of patients, studies or films.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from itertools import groupby

from sqlalchemy import Connection, and_, not_, select

from services.core.errors import ErrorCode, HilumError
from services.core.facts.db import Facts
from services.core.facts.schema import images, sets, side_columns
from services.core.filters.ast import (
    And,
    Compare,
    Expr,
    Leaf,
    Not,
    Operator,
    Or,
    Present,
    Within,
    all_of,
    any_of,
    leaves,
)
from services.core.filters.fields import CLUSTER, COHORT, REPORT, SIDE, equals, refuse
from services.core.filters.sql import DELETING, Condition, to_sql

MOST_LISTED = 20_000  # films in one filter: 0.1 s of CPU, measured
_CHEAPER = 5  # patients and studies cost less: words in an index, not ids of points
MOST_CELLS = 32  # conditions on side tables in one filter: each reads a table
READY = "ready"
_KNOWN_BY_FACTS = (COHORT, CLUSTER, REPORT)  # and side tables


def check(expr: Expr | None, facts: Facts) -> None:
    """Raise INVALID_FILTER for a side table, a column or a set that nobody has stored, naming the closest there is, and
    for a cell compared with what its column never holds."""
    cells = [leaf for leaf in leaves(expr) if leaf.field.startswith(SIDE)]
    named = [leaf for leaf in leaves(expr) if isinstance(leaf, Compare) and leaf.field in (COHORT, CLUSTER)]
    if len(cells) > MOST_CELLS:
        raise refuse(f"a filter has at most {MOST_CELLS} conditions on side tables; save a part of it as a cohort")
    if not cells and not named:
        return
    with facts.read() as db:
        if cells:
            _check_cells(db, cells)
        for leaf in named:
            alive = select(sets.c.set_id).where(sets.c.kind == leaf.field, sets.c.state != DELETING)
            if db.scalar(alive.where(sets.c.set_id == leaf.value)) is None:
                raise refuse(f"no such {leaf.field}; `hilum sets list` shows those there are")


def resolve(expr: Expr | None, facts: Facts, most: int = MOST_LISTED) -> Expr | None:
    """The same films as `expr` selects, in conditions that `to_qdrant` takes. Provenance describes `expr` itself.

    Raises what `check` does, and INVALID_FILTER where more than `most` films (five times as many patients or studies)
    would have to be listed, both of those selected and of those left out.
    """
    check(expr, facts)
    if expr is None or not any(leaf.field in _KNOWN_BY_FACTS or leaf.field.startswith(SIDE) for leaf in leaves(expr)):
        return expr
    with facts.read() as db:
        open_ = db.execute(select(sets.c.kind, sets.c.set_id).where(sets.c.state != READY))
        unfinished = set(open_.tuples().all())
        if not any(_by_facts(leaf, unfinished) for leaf in leaves(expr)):
            return expr
        try:
            return _resolved(db, expr, unfinished, most)
        except _TooManyError:
            pass
        ids = list(db.scalars(select(images.c.image_id).where(to_sql(expr)).limit(most + 1)))
    if len(ids) <= most:  # each part selects many films, but all of them together few
        return Within("image_id", tuple(ids))
    raise HilumError(
        ErrorCode.INVALID_FILTER,
        f"side tables or reports select more than {most} films, or {_CHEAPER * most} patients or studies, and leave "
        "out as many; narrow the filter, or keep its films as a cohort (`hilum sets create NAME --where …`) and filter "
        "by that",
    )


class _TooManyError(Exception):
    pass


def _by_facts(leaf: Leaf, unfinished: set[tuple[str, str]]) -> bool:
    """Can SQL alone answer it?"""
    if leaf.field in (COHORT, CLUSTER):
        if isinstance(leaf, Compare) and leaf.operator is Operator.EQ:
            return (leaf.field, str(leaf.value)) in unfinished
        return any(kind == leaf.field for kind, _ in unfinished)
    return leaf.field == REPORT or leaf.field.startswith(SIDE)


def _resolved(db: Connection, expr: Expr, unfinished: set[tuple[str, str]], most: int) -> Expr:
    if all(_by_facts(leaf, unfinished) for leaf in leaves(expr)):
        return _listed(db, expr, most)
    match expr:
        case Not():
            return Not(_resolved(db, expr.operand, unfinished, most))
        case And() | Or():
            join = type(expr)
            ours = [part for part in expr.operands if all(_by_facts(leaf, unfinished) for leaf in leaves(part))]
            rest = [_resolved(db, part, unfinished, most) for part in expr.operands if part not in ours]
            together = [_listed(db, join(tuple(ours)) if len(ours) > 1 else ours[0], most)] if ours else []
            return join((*together, *rest)) if len(together) + len(rest) > 1 else (together + rest)[0]
        case _:
            return expr


def _listed(db: Connection, expr: Expr, most: int) -> Expr:
    """A list of the films that pass, or of those that do not, whichever is short enough; of patients or studies where
    only they matter, for they are fewer."""
    where, key = to_sql(expr), _key(db, expr)
    most *= 1 if key == "image_id" else _CHEAPER
    found = _ids(db, where, key, most)
    if len(found) <= most:
        return _one_of(key, found)
    if key != "image_id":
        where = and_(where, images.c[key].is_not(None))
    others = _ids(db, not_(where), key, most)
    if len(others) > most:
        raise _TooManyError
    rest = Not(_one_of(key, others))
    return rest if key == "image_id" else And((Present(key), rest))


def _key(db: Connection, expr: Expr) -> str:
    """What every condition of a filter is about, where none is negated: patient_id or study_id, else image_id."""
    if _negates(expr):
        return "image_id"
    keys = {"study_id" if leaf.field == REPORT else "image_id" for leaf in leaves(expr) if not _is_cell(leaf)}
    tables = {leaf.field.split(".")[1] for leaf in leaves(expr) if _is_cell(leaf)}
    if tables:
        levels = db.scalars(select(side_columns.c.level).where(side_columns.c.side.in_(tables)).distinct())
        keys |= {f"{level}_id" for level in levels}
    return keys.pop() if len(keys) == 1 else "image_id"


def _negates(expr: Expr) -> bool:
    match expr:
        case Not():
            return True
        case And() | Or():
            return any(_negates(part) for part in expr.operands)
        case _:
            return False


def _is_cell(leaf: Leaf) -> bool:
    return leaf.field.startswith(SIDE)


def _ids(db: Connection, where: Condition, key: str, most: int) -> list[tuple[str, str]]:
    """(dataset, id), at most one more than `most`; ids of people are unique within a dataset only."""
    column = images.c[key]
    query = select(images.c.dataset, column).where(where, column.is_not(None)).limit(most + 1)
    return sorted(db.execute(query if key == "image_id" else query.distinct()).tuples().all())


def _one_of(key: str, found: Iterable[tuple[str, str]]) -> Expr:
    if key == "image_id":
        return Within(key, tuple(image_id for _, image_id in found))
    parts = []
    for dataset, pairs in groupby(found, key=lambda pair: pair[0]):
        whose = all_of(equals("dataset", dataset), Within(key, tuple(value for _, value in pairs)))
        assert whose is not None
        parts.append(whose)
    return any_of(*parts) if parts else Within("image_id", ())


def _check_cells(db: Connection, cells: list[Leaf]) -> None:
    query = select(side_columns.c.side, side_columns.c.name, side_columns.c.kind)
    known = {(side, name): kind for side, name, kind in db.execute(query)}
    tables = {side for side, _ in known}
    for leaf in cells:
        table, column = leaf.field.removeprefix(SIDE).split(".")
        if table not in tables:
            raise refuse(f"no such side table; there are: {', '.join(sorted(tables)) or 'none'}")
        if (table, column) not in known:
            close = difflib.get_close_matches(column, [name for side, name in known if side == table], 1)
            hint = f"; did you mean {SIDE}{table}.{close[0]}?" if close else ""
            raise refuse(f"side table {table} has no such column; `hilum side list` shows those there are{hint}")
        numbers = known[table, column] == "number"
        if isinstance(leaf, Compare) and isinstance(leaf.value, float) is not numbers:
            raise refuse(
                f"{leaf.field} holds numbers: write one without quotes, as in {leaf.field} >= 3"
                if numbers
                else f'{leaf.field} holds text: write it in quotes, as in {leaf.field} = "x"'
            )
