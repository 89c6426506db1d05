"""The reader's side: who holds the word of a link sees its sets, blinded, and answers them.

Readers speak of places in their own order; kept is which of the set's own films were meant.
"""

from __future__ import annotations

import hashlib
import math
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.core.access import Access
from services.core.errors import ErrorCode, HilumError, invalid
from services.core.facts import Facts, reader_studies
from services.core.facts.reader_studies import OPEN, Content, Reader, Study
from services.core.filters import to_sql
from services.query.images import Images, Picture
from services.query.readerstudy import order
from services.query.readerstudy.design import MOST_GRADE, Design, Kind

_LONGEST = 86_400.0  # seconds on a set: more is a clock gone wrong


@dataclass(frozen=True, slots=True)
class Shown:
    """A set as its reader sees it. number: from 1.  chosen: places.  grades: of the places in order."""

    number: int
    films: int
    withdrawn: bool
    chosen: tuple[int, ...] = ()
    grades: tuple[int, ...] = ()
    seconds: float = 0.0

    @property
    def answered(self) -> bool:
        return bool(self.chosen or self.grades)


@dataclass(frozen=True, slots=True)
class Reading:
    """All that a reader is told."""

    name: str
    design: Design
    open: bool
    sets: tuple[Shown, ...]


def new_token() -> tuple[str, str]:
    """A word that nobody guesses, and its hash, which is what is kept."""
    token = secrets.token_urlsafe(24)
    return token, hashed(token)


def hashed(token: str) -> str:
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


@dataclass(frozen=True, slots=True)
class _At:
    """Where a link leads. order: the numbers of the sets as the reader sees them."""

    who: Reader
    study: Study
    design: Design
    order: list[int]


class Readings:
    """Safe to share between threads."""

    def __init__(self, facts: Facts, images: Images) -> None:
        self._facts, self._images = facts, images

    def open(self, token: str, access: Access) -> Reading:
        """Raises NOT_FOUND for a word of no link."""
        at = self._at(token, access)
        contents = reader_studies.contents(self._facts, at.study.study_id)
        answers = reader_studies.answers(self._facts, at.study.study_id, at.who.reader_id)
        said = {one.number: (one.answer, one.seconds) for one in answers}
        shown = [
            self._shown(place, at, n, _films(contents[n]), *said.get(n, ({}, 0.0)))
            for place, n in enumerate(at.order, 1)
        ]
        return Reading(at.who.name, at.design, at.study.state == OPEN, tuple(shown))

    def picture(self, token: str, number: int, place: int, access: Access) -> Picture:
        """The picture at a place of a set, 0 for the query."""
        at = self._at(token, access)
        n, content = self._set(at, number)
        films = _films(content)
        if not 0 <= place <= len(films):
            raise invalid(f"place is between 0 (the query) and {len(films)}")
        if place == 0:
            return self._images.picture(str(content["query"]), access)
        mine = order.films(at.design.seed, at.who.reader_id, n, len(films))
        return self._images.picture(films[mine[place - 1]], access)

    def answer(
        self, token: str, number: int, chosen: Sequence[int], grades: Sequence[int], seconds: float, access: Access
    ) -> Shown:
        """Keep an answer, or change one. Raises INVALID_ARGUMENT for one that is not whole; FAILED_PRECONDITION once
        the study is closed."""
        at = self._at(token, access)
        n, content = self._set(at, number)
        films = _films(content)
        if not math.isfinite(seconds) or seconds < 0:
            raise invalid("seconds is a number, 0 or more")
        seconds = min(seconds, _LONGEST)
        mine = order.films(at.design.seed, at.who.reader_id, n, len(films))
        graded = at.design.kind is Kind.GRADES
        said = _graded(grades, chosen, mine) if graded else _chosen(chosen, grades, mine, at.design)
        reader_studies.answer(self._facts, at.who, n, said, seconds)
        return self._shown(number, at, n, films, said, seconds)

    def _at(self, token: str, access: Access) -> _At:
        who = reader_studies.reader(self._facts, hashed(token))
        if who is None:
            raise HilumError(ErrorCode.NOT_FOUND, "this link leads nowhere; ask whoever runs the study for a new one")
        condition = access.condition()
        study = reader_studies.read(self._facts, who, None if condition is None else to_sql(condition))
        design, count = Design.of(study.design), reader_studies.size(self._facts, study.study_id)
        return _At(who, study, design, order.sets(design.seed, who.reader_id, count, reader_studies.repeats(study)))

    def _set(self, at: _At, number: int) -> tuple[int, Content]:
        """Which set a reader means, and what it is. Raises FAILED_PRECONDITION for one that is withdrawn."""
        if not 1 <= number <= len(at.order):
            raise invalid(f"number is between 1 and {len(at.order)}")
        n = at.order[number - 1]
        if not (content := reader_studies.content(self._facts, at.study.study_id, n)):
            raise HilumError(ErrorCode.FAILED_PRECONDITION, "this set is not shown any more; go on with another")
        return n, content

    @staticmethod
    def _shown(
        place: int, at: _At, n: int, films: Sequence[str], said: Mapping[str, list[int]], seconds: float
    ) -> Shown:
        mine = order.films(at.design.seed, at.who.reader_id, n, len(films))
        chosen = tuple(where for where, one in enumerate(mine, 1) if one in said.get("chosen", ()))
        grades = said.get("grades")
        return Shown(
            place, len(films), not films, chosen, tuple(grades[one] for one in mine) if grades else (), seconds
        )


def _films(content: Content) -> list[str]:
    films = content.get("films")
    return list(films) if isinstance(films, list) else []


def _chosen(chosen: Sequence[int], grades: Sequence[int], mine: Sequence[int], design: Design) -> dict[str, list[int]]:
    if grades or len(set(chosen)) != design.nearest or len(chosen) != design.nearest:
        raise invalid(f"choose {design.nearest} different films")
    if not all(1 <= place <= len(mine) for place in chosen):
        raise invalid(f"a place is between 1 and {len(mine)}")
    return {"chosen": sorted(mine[place - 1] for place in chosen)}


def _graded(grades: Sequence[int], chosen: Sequence[int], mine: Sequence[int]) -> dict[str, list[int]]:
    if chosen or len(grades) != len(mine) or not all(0 <= grade <= MOST_GRADE for grade in grades):
        raise invalid(f"give each of the {len(mine)} films a grade from 0 to {MOST_GRADE}")
    own = [0] * len(mine)
    for place, grade in enumerate(grades):
        own[mine[place]] = grade
    return {"grades": own}
