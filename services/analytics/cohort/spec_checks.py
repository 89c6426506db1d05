"""What the parts of a specification have in common: how they are read and told, and what their values must be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from services.analytics import variables
from services.analytics.cohort.reading import plain, read
from services.core import filters
from services.core.errors import invalid
from services.core.ids import parse_image_id
from services.core.limits import MAX_FILTER_CHARS

MOST_VARIABLES = 64
_TOTAL = 1e-6  # how far shares may be from adding up to 1


class Part:
    """What every part of a specification can: be read, and be told as JSON."""

    @classmethod
    def parse(cls, given: Mapping[str, Any]) -> Self:
        """Read plain JSON. Raises INVALID_ARGUMENT or INVALID_FILTER, saying where."""
        found: Self = read(cls, given)
        return found

    def as_json(self) -> dict[str, Any]:
        """Plain JSON without what is at its default; `parse` reads it back."""
        return plain(self)

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)


def canonical(text: str) -> str:
    """As canonical text."""
    if len(text) > MAX_FILTER_CHARS:
        raise invalid(f"a filter is at most {MAX_FILTER_CHARS} characters; keep films as a set, and name it")
    return filters.describe(filters.parse(text))


def one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise invalid(f"{name} is {', '.join(known[:-1])} or {known[-1]}")


def one_line(what: str, text: str) -> None:
    if len(text) > 200 or not text.isprintable():
        raise invalid(f"{what} is one line of at most 200 characters")


def films(given: tuple[str, ...], most: int) -> tuple[str, ...]:
    if len(given) > most:
        raise invalid(f"name at most {most:,} films here; keep them as a set (`hilum sets create --ids`), and name it")
    return tuple(sorted({parse_image_id(image_id) for image_id in given}))


def named(given: tuple[str, ...], numbers: bool = False) -> tuple[str, ...]:
    """Names in full; with `numbers`, age too, which is else told apart by bands."""
    if len(given) > MOST_VARIABLES:
        raise invalid(f"name at most {MOST_VARIABLES} variables")
    return tuple(dict.fromkeys(name if numbers and name == "age" else variables.check(name) for name in given))


def shares_of(what: str, given: dict[str, float]) -> dict[str, float]:
    if not 2 <= len(given) <= 1_000 or any(not 0 <= share <= 1 for share in given.values()):
        raise invalid(f"{what} has between 2 and 1,000 shares, each from 0 to 1")
    if abs(sum(given.values()) - 1) > _TOTAL:
        raise invalid(f"{what} must add up to 1")
    return dict(given)
