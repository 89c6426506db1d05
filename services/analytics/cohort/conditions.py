"""Filters over columns: what `filters.to_sql` would select, for every film of a population, from one scan of them.

Labels are looked up by profile, once for each different set of statements. What no column of the record says (sets,
side tables, reports) is one statement of SQL each, whatever number of criteria say it.
"""

from __future__ import annotations

import operator
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from sqlalchemy import select

from services.analytics.cohort.population import Mask, Population
from services.core import filters
from services.core.facts import Facts
from services.core.facts.schema import images
from services.core.filters import And, Compare, Expr, Not, Operator, Or, Present, Within
from services.core.filters.ast import Leaf, leaves
from services.core.filters.fields import FIELDS, LABELS, Kind
from services.core.labels import LabelState, source_key

_COMPARE: dict[Operator, Callable[[Any, Any], Any]] = {
    Operator.EQ: operator.eq, Operator.NE: operator.ne, Operator.LT: operator.lt, Operator.LE: operator.le,
    Operator.GT: operator.gt, Operator.GE: operator.ge,
}  # fmt: skip
_MANY = ("image_id", "patient_id", "study_id", "series_id", "accession_id")  # nearly as many values as films


def fields(texts: Iterable[str]) -> tuple[str, ...]:
    """Columns of the record that filters speak of. Raises INVALID_FILTER."""
    named = (leaf.field for text in texts for leaf in leaves(filters.parse(text)))
    return tuple(dict.fromkeys(name for name in named if name in images.c))


class Conditions:
    """Answers filters about one population, whose frame has `fields` of them; every condition is looked at once."""

    def __init__(self, population: Population, facts: Facts) -> None:
        self.films, self._facts = population, facts
        self._known: dict[Leaf, Mask] = {}

    def __call__(self, text: str) -> Mask:
        """(N,) films that pass a filter; all of them where it is empty. Raises INVALID_FILTER."""
        expr = filters.parse(text)
        filters.check(expr, self._facts)
        return self.films.every() if expr is None else self._passing(expr)

    def _passing(self, expr: Expr) -> Mask:
        match expr:
            case And():
                return np.logical_and.reduce([self._passing(part) for part in expr.operands])
            case Or():
                return np.logical_or.reduce([self._passing(part) for part in expr.operands])
            case Not():
                return ~self._passing(expr.operand)
        if expr not in self._known:
            self._known[expr] = self._leaf(expr)
        return self._known[expr]

    def _leaf(self, leaf: Leaf) -> Mask:
        if not _told_by_columns(leaf):
            return self._asked(leaf)
        if leaf.field.startswith(LABELS):
            return self._labels(leaf)
        if FIELDS[leaf.field].kind is Kind.NUMBER:
            return self._number(leaf)
        if leaf.field in _MANY:
            return self._among_many(leaf)
        return self._text(leaf)

    def _number(self, leaf: Compare | Present) -> Mask:
        values = self.films.numbers(leaf.field)
        known = np.isfinite(values)
        if isinstance(leaf, Present):
            return known
        found: Mask = _COMPARE[leaf.operator](values, float(leaf.value)) & known
        return found

    def _text(self, leaf: Compare | Present) -> Mask:
        """Each value is compared once; −1, unknown, is the last of the answers."""
        values, codes = self.films.text(leaf.field)
        if isinstance(leaf, Present):
            return codes >= 0
        answers = [bool(_COMPARE[leaf.operator](value, str(leaf.value))) for value in values]
        found: Mask = np.array([*answers, False])[codes]
        return found

    def _among_many(self, leaf: Compare | Present) -> Mask:
        column = self.films.frame.table[leaf.field]
        if isinstance(leaf, Present):
            return _mask(pc.is_valid(column))
        same = pc.equal if leaf.operator is Operator.EQ else pc.not_equal
        return _mask(same(column, str(leaf.value)))

    def _labels(self, leaf: Leaf) -> Mask:
        """`core.labels.merge` on what is said: one source, or sources that agree; others are uncertain."""
        assert not isinstance(leaf, Within)
        finding, _, source = leaf.field.removeprefix(LABELS).partition(".")
        numbers, of_film = self.films.frame.profiles
        states: dict[int, set[str]] = defaultdict(set)
        for row, who, state in self._said.get(finding, ()):
            if source in ("", who):
                states[row].add(state)
        answers = np.full(len(numbers), _says(set(), leaf))
        for row, told in states.items():
            answers[row] = _says(told, leaf)
        found: Mask = answers[of_film]
        return found

    @cached_property
    def _said(self) -> dict[str, list[tuple[int, str, str]]]:
        """finding → (row of the profile, source, state), read once for all criteria."""
        found: dict[str, list[tuple[int, str, str]]] = defaultdict(list)
        for row, number in enumerate(self.films.frame.profiles[0]):
            for name, who, state in self.films.frame.said.get(number, ()):
                found[name].append((row, source_key(who), state))
        return found

    def _asked(self, leaf: Leaf) -> Mask:
        """By SQL, on a connection that is open: few films, most often, and no process to wait for."""
        with self._facts.read() as db:
            return self.those(list(db.scalars(select(images.c.image_id).where(filters.to_sql(leaf)))))

    def those(self, ids: Any) -> Mask:
        """(N,) films that are among `ids`, an Arrow column or texts."""
        asked = ids if isinstance(ids, pa.Array | pa.ChunkedArray) else pa.array(ids, pa.string())
        return _mask(pc.is_in(self.films.frame.table["image_id"], value_set=pc.unique(asked)))

    def again(self) -> Conditions:
        """The same for another look: what others keep (sets, side tables, reports) is to be asked again."""
        self._known = {leaf: mask for leaf, mask in self._known.items() if _told_by_columns(leaf)}
        return self

    def places(self, ids: Any) -> NDArray[np.int64]:
        """The position of each of `ids` in the population, −1 for one that is not in it."""
        asked = ids if isinstance(ids, pa.Array | pa.ChunkedArray) else pa.array(ids, pa.string())
        named = pc.unique(asked)
        at = np.asarray(pc.fill_null(pc.index_in(self.films.frame.table["image_id"], value_set=named), -1))
        there = np.flatnonzero(at >= 0)
        place = np.full(len(named), -1, np.int64)
        place[at[there]] = there
        which = np.asarray(pc.index_in(asked, value_set=named)).astype(np.int64)
        return place[which]


def _told_by_columns(leaf: Leaf) -> bool:
    return leaf.field.startswith(LABELS) or (leaf.field in images.c and not isinstance(leaf, Within))


def _says(states: set[str], leaf: Compare | Present) -> bool:
    if isinstance(leaf, Present):
        return bool(states)
    merged = LabelState.UNKNOWN if not states else LabelState(next(iter(states))) if len(states) == 1 else None
    merged = LabelState.UNCERTAIN if merged is None else merged
    same = merged.value == leaf.value
    return same if leaf.operator is Operator.EQ else bool(states) and not same


def _mask(found: Any) -> Mask:
    return np.asarray(pc.fill_null(found, False), bool)
