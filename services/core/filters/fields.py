"""The fields a filter may name, and the leaves built from them: the one place where names and values are checked."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from services.core.errors import ErrorCode, HilumError
from services.core.filters.ast import Compare, Expr, Operator, Present, any_of
from services.core.ids import parse_image_id
from services.core.labels import LabelState, label_key, source_key
from services.core.spelling import meant

LABELS = "labels."
SIDE = "side."
COHORT, CLUSTER, REPORT = "cohort", "cluster", "report"


class Kind(StrEnum):
    """What values a field takes."""

    KEYWORD = "text"
    CHOICE = "one of a few"
    NUMBER = "number"
    DATE = "date"
    ID = "image id"
    STATE = "label state"
    SET = "name of a set of films"
    CELL = "cell of a side table"
    THERE = "there or not"


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its name, the kind of its values, and those there are where the list is closed."""

    name: str
    kind: Kind
    choices: tuple[str, ...] = ()


FIELDS = {
    field.name: field
    for field in (
        Field("dataset", Kind.KEYWORD),
        Field("patient_id", Kind.KEYWORD),
        Field("study_id", Kind.KEYWORD),
        Field("image_id", Kind.ID),
        Field("view", Kind.CHOICE, ("PA", "AP", "LATERAL")),
        Field("sex", Kind.CHOICE, ("M", "F", "O")),
        Field("modality", Kind.KEYWORD),
        Field("age", Kind.NUMBER),
        Field("study_date", Kind.DATE),
        Field("split", Kind.CHOICE, ("train", "validate", "test")),
        Field("orientation", Kind.CHOICE, ("erect", "supine")),
        Field("manufacturer", Kind.KEYWORD),
        Field("device", Kind.KEYWORD),
        Field("institution", Kind.KEYWORD),
        Field("race", Kind.KEYWORD),
        Field("ethnicity", Kind.KEYWORD),
        Field("study_order", Kind.NUMBER),
        Field("view_source", Kind.CHOICE, ("stated", "inferred")),
        Field("burned_in", Kind.CHOICE, ("yes", "no", "suspected")),
        Field("series_id", Kind.KEYWORD),
        Field("accession_id", Kind.KEYWORD),
        Field("body_part", Kind.KEYWORD),
        Field("photometric", Kind.KEYWORD),
        Field("licence", Kind.KEYWORD),
        Field("date_kind", Kind.CHOICE, ("real", "shifted", "ordinal", "offset")),
        Field("age_binned", Kind.CHOICE, ("yes", "no")),
        Field("rows", Kind.NUMBER),
        Field("columns", Kind.NUMBER),
        Field("bits_stored", Kind.NUMBER),
        Field("pixel_spacing", Kind.NUMBER),
        Field(COHORT, Kind.SET),
        Field(CLUSTER, Kind.SET),
        Field(REPORT, Kind.THERE),
    )
}
_STATES = tuple(state.value for state in LabelState)
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_KNOWN = ", ".join([*FIELDS, "labels.<finding>", "labels.<finding>.<source>", "side.<table>.<column>"])
_ORDERED = (Kind.NUMBER, Kind.DATE, Kind.CELL)


def refuse(message: str) -> HilumError:
    """An INVALID_FILTER."""
    return HilumError(ErrorCode.INVALID_FILTER, message)


def field(name: str) -> Field:
    """The field of a dotted name, its parts normalised: ``labels.Pleural Effusion`` → labels.pleural_effusion.

    What a name says of a side table is not looked up: `names.check` does. Raises INVALID_FILTER that lists the fields
    and the closest match.
    """
    if name.startswith(LABELS):
        finding, dot, source = name[len(LABELS) :].partition(".")
        key, said_by = label_key(finding), source_key(source)
        if not key:
            raise refuse("a finding's name has letters or digits, as in labels.edema")
        if dot and not said_by:
            raise refuse("a source's name has letters or digits, as in labels.edema.chexpert")
        return Field(LABELS + key + (f".{said_by}" if dot else ""), Kind.STATE, _STATES)
    if name.startswith(SIDE):
        table, _, column = name[len(SIDE) :].partition(".")
        if not (side_key(table) and side_key(column)):
            raise refuse("name a side table and its column, as in side.sdoh.income")
        return Field(f"{SIDE}{side_key(table)}.{side_key(column)}", Kind.CELL)
    if name in ("labels", "side"):
        raise refuse(
            "name a finding, as in labels.edema = present"
            if name == "labels"
            else "name a side table and its column, as in side.sdoh.income >= 3"
        )
    if name not in FIELDS:
        hint = meant(name.split(".", maxsplit=1)[0], [*FIELDS, "labels", "side"])
        raise refuse(f"no such field{hint or ';'} fields are {_KNOWN}")
    return FIELDS[name]


def side_key(name: str) -> str:
    """The name of a side table or of its column as filters write it: ``Median Income ($)`` → median_income."""
    return re.sub(r"[^a-z0-9]+", "_", name.strip().lower()).strip("_")[:64]


def compare(name: str, operator: Operator, value: str | float) -> Expr:
    """A checked leaf. Raises INVALID_FILTER without repeating `value`, which may identify somebody."""
    known = field(name)
    if known.kind is Kind.THERE:
        raise refuse(f"{known.name}:* is a film that has one; what reports say is searched by words")
    if operator not in (Operator.EQ, Operator.NE) and known.kind not in _ORDERED:
        raise refuse(f"{known.name} is compared with = or != only")
    if known.kind is Kind.CELL and isinstance(value, str) and operator not in (Operator.EQ, Operator.NE):
        _date(known, value)
    return Compare(known.name, operator, _value(known, value))


def equals(name: str, value: str | float) -> Expr:
    """``name = value``."""
    return compare(name, Operator.EQ, value)


def one_of(name: str, values: Iterable[str]) -> Expr:
    """``name = a OR name = b …`` over one or more values; stores answer it as a list."""
    return any_of(*(equals(name, value) for value in values))


def present(name: str) -> Expr:
    """``name:*``: known, or for a finding: stated by somebody."""
    return Present(field(name).name)


def _value(known: Field, value: str | float) -> str | float:
    match known.kind:
        case Kind.NUMBER:
            return _number(known, value)
        case Kind.DATE:
            return _date(known, str(value))
        case Kind.ID:
            try:
                return parse_image_id(str(value))
            except HilumError as error:
                raise refuse(error.client_message) from None
        case Kind.CHOICE | Kind.STATE:
            return _choice(known, str(value))
        case Kind.CELL:
            if value == "":
                raise refuse(f"a cell is never empty; films where it is unknown are NOT {known.name}:*")
            return value if isinstance(value, str) else _number(known, value)
        case Kind.KEYWORD | Kind.SET | Kind.THERE:
            if not value:
                raise refuse(f"{known.name} is never empty; films where it is unknown are NOT {known.name}:*")
            return str(value)


def is_number(text: str) -> bool:
    """Is a text a number as filters write it?"""
    return _NUMBER.fullmatch(text) is not None


def _number(known: Field, value: str | float) -> float:
    if isinstance(value, str) and not is_number(value):
        raise refuse(f"{known.name} is compared with a number, as in {known.name} >= 40")
    if not math.isfinite(number := float(value)):
        raise refuse(f"{known.name} is compared with a finite number")
    return number


def _date(known: Field, value: str) -> str:
    try:
        if not _DATE.fullmatch(value):
            raise ValueError
        return date.fromisoformat(value).isoformat()
    except ValueError:
        other = "a number or a date" if known.kind is Kind.CELL else "a date"
        raise refuse(f"{known.name} is compared with {other}, as in {known.name} >= 2020-01-31") from None


def _choice(known: Field, value: str) -> str:
    for choice in known.choices:
        if choice.lower() == value.lower():
            return choice
    raise refuse(f"{known.name} is one of {', '.join(known.choices)}{meant(value, known.choices)}")
