"""Random archives and filters, and what a filter means, said once more in plain Python."""

from __future__ import annotations

import operator
import random

from hypothesis import strategies as st

from services.core.filters import And, Compare, Expr, Not, Operator, Or, Present, compare, equals, present
from services.core.ids import image_id
from services.core.labels import Label, LabelState, merge, source_key
from services.core.types import ImageRecord
from tests.kit.records import make_record

VALUES: dict[str, list[str | float]] = {
    "dataset": ["nih", "demo", 'quoted " name', "back\\slash", "AND"],
    "patient_id": ["p1", "p2", "it's", "Zoë"],
    "study_id": ["s1", "s2"],
    "view": ["PA", "AP", "LATERAL"],
    "sex": ["M", "F", "O"],
    "modality": ["CR", "DX"],
    "age": [0.0, 18.0, 40.0, 40.5, 90.0, 1e-7],
    "study_date": ["1999-12-31", "2020-01-31", "2020-02-29", "2187-06-01"],
    "split": ["train", "test"],
    "manufacturer": ["ACME", "a b"],
    "study_order": [1.0, 2.0],
    "licence": ["CC BY 4.0"],
    "age_binned": ["yes", "no"],
    "pixel_spacing": [0.143, 0.2],
    "bits_stored": [12.0],
    "columns": [512.0, 2048.0],
}
NUMBERS = ("age", "study_order", "pixel_spacing", "bits_stored", "columns")
BETWEEN = {"age": [40.25], "study_order": [1.5, 3e9]}  # asked for, though no film has it
FINDINGS = ["edema", "pleural_effusion", "3d"]
SOURCES = ["table", "Report", "a b.c=d"]
SAID = [f"labels.{finding}.{source_key(source)}" for finding in FINDINGS[:2] for source in SOURCES]
_EQUAL = [Operator.EQ, Operator.NE]
_ORDER = [Operator.LT, Operator.LE, Operator.GT, Operator.GE]
_MEANING = {
    Operator.EQ: operator.eq, Operator.NE: operator.ne, Operator.LT: operator.lt, Operator.LE: operator.le,
    Operator.GT: operator.gt, Operator.GE: operator.ge,
}  # fmt: skip


def random_record(number: int, draw: random.Random) -> ImageRecord:
    """A film with each field known or not, and sources that may contradict each other and themselves."""
    fields = {
        name: draw.choice([None, None if name in NUMBERS else "", *values])
        for name, values in VALUES.items()
        if name != "dataset"
    }
    fields["age_binned"] = {"yes": True, "no": False}.get(str(fields["age_binned"]))
    fields["columns"] = int(fields["columns"] or 512)  # always known
    stated = [
        Label(draw.choice(FINDINGS), draw.choice(list(LabelState)), draw.choice(SOURCES))
        for _ in range(draw.randrange(6))
    ]
    return make_record(f"film-{number}", str(draw.choice(VALUES["dataset"])), stated, **fields)


def archives(most: int = 40) -> st.SearchStrategy[list[ImageRecord]]:
    """Archives of up to `most` films."""
    return st.tuples(st.integers(0, most), st.integers(0, 2**32)).map(
        lambda drawn: [random_record(number, random.Random(drawn[1] + number)) for number in range(drawn[0])]
    )


def conditions(ids: list[str]) -> list[Expr]:
    """Every single condition over VALUES, FINDINGS and `ids`: each field with each of its operators and values."""
    fields: dict[str, list[str | float]] = {**VALUES, "image_id": list(ids)}
    fields |= {name: [s.value for s in LabelState] for name in [*(f"labels.{finding}" for finding in FINDINGS), *SAID]}
    operators = {name: _EQUAL + (_ORDER if name in (*NUMBERS, "study_date") else []) for name in fields}
    asked = {name: values + BETWEEN.get(name, []) for name, values in fields.items()}
    found = [compare(name, op, value) for name, values in asked.items() for op in operators[name] for value in values]
    return found + [present(name) for name in fields]


def expressions(ids: list[str] | None = None) -> st.SearchStrategy[Expr]:
    """Trees over every condition; `ids` are the films that ``image_id`` may name."""
    leaves = st.sampled_from(conditions(ids or [image_id("demo", "film-1"), image_id("nih", "film-2")]))
    fields = {**VALUES, **{name: [state.value for state in LabelState] for name in ("labels.edema", *SAID)}}
    lists = st.sampled_from(sorted(fields)).flatmap(
        lambda name: st.lists(st.sampled_from(fields[name]), min_size=2, max_size=3).map(
            lambda values: Or(tuple(equals(name, value) for value in values))
        )
    )
    return st.recursive(st.one_of(leaves, leaves, lists), _grow, max_leaves=8)


def matches(expr: Expr, record: ImageRecord) -> bool:
    """The meaning of a filter, for one film."""
    match expr:
        case And():
            return all(matches(operand, record) for operand in expr.operands)
        case Or():
            return any(matches(operand, record) for operand in expr.operands)
        case Not():
            return not matches(expr.operand, record)
        case Present():
            return _value(expr.field, record) not in (None, "", "unknown")
        case Compare():
            value = _value(expr.field, record)
            if expr.value == "unknown" and expr.field.startswith("labels."):
                return (value == "unknown") is (expr.operator is Operator.EQ)
            return value not in (None, "", "unknown") and _MEANING[expr.operator](value, expr.value)


def _grow(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
    several = st.lists(inner, min_size=2, max_size=3).map(tuple)
    return st.one_of(inner.map(Not), several.map(And), several.map(Or))


def _value(name: str, record: ImageRecord) -> object:
    if name.startswith("labels."):
        finding, _, source = name.removeprefix("labels.").partition(".")
        said = [label for label in record.labels if not source or source_key(label.source) == source]
        return merge(said).get(finding, LabelState.UNKNOWN).value
    value = getattr(record, name)
    return ("yes" if value else "no") if isinstance(value, bool) else value
