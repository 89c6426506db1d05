"""The reader's side: who holds the word of a link sees its sets, blinded, and answers them.

Readers speak of places in their own order; kept is which of the set's own films were meant.
"""

from __future__ import annotations

import hashlib
import math
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from services.core.access import Access
from services.core.errors import ErrorCode, HilumError, invalid
from services.core.facts import Facts, reader_studies
from services.core.facts.reader_studies import OPEN, Answer, Content, Reader, Study
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


class Readings:
    """Safe to share between threads."""

    def __init__(self, facts: Facts, images: Images) -> None:
        self._facts, self._images = facts, images

    def open(self, token: str, access: Access) -> Reading:
        """Raises NOT_FOUND for a word of no link."""
        who, study, design, contents = self._at(token, access)
        said = {one.number: one for one in reader_studies.answers(self._facts, study.study_id, who.reader_id)}
        ordered = _order(study, design, who, contents)
        shown = [self._shown(place, design, who, n, contents[n], said.get(n)) for place, n in enumerate(ordered, 1)]
        return Reading(who.name, design, study.state == OPEN, tuple(shown))

    def picture(self, token: str, number: int, place: int, access: Access) -> Picture:
        """The picture at a place of a set, 0 for the query."""
        who, study, design, contents = self._at(token, access)
        n = _number(_order(study, design, who, contents), number)
        films = _films(contents[n])
        if not films:
            raise _withdrawn()
        if not 0 <= place <= len(films):
            raise invalid(f"place is between 0 (the query) and {len(films)}")
        if place == 0:
            return self._images.picture(str(contents[n]["query"]), access)
        mine = order.films(design.seed, who.reader_id, n, len(films))
        return self._images.picture(films[mine[place - 1]], access)

    def answer(
        self, token: str, number: int, chosen: Sequence[int], grades: Sequence[int], seconds: float, access: Access
    ) -> Shown:
        """Keep an answer, or change one. Raises INVALID_ARGUMENT for one that is not whole; FAILED_PRECONDITION once
        the study is closed."""
        who, study, design, contents = self._at(token, access)
        n = _number(_order(study, design, who, contents), number)
        count = len(_films(contents[n]))
        if not math.isfinite(seconds) or seconds < 0:
            raise invalid("seconds is a number, 0 or more")
        if not count:
            raise _withdrawn()
        mine = order.films(design.seed, who.reader_id, n, count)
        graded = design.kind is Kind.GRADES
        said = _graded(grades, chosen, mine) if graded else _chosen(chosen, grades, mine, design)
        reader_studies.answer(self._facts, who, n, said, min(seconds, _LONGEST))
        kept = reader_studies.answers(self._facts, who.study_id, who.reader_id)
        return self._shown(number, design, who, n, contents[n], next(one for one in kept if one.number == n))

    def _at(self, token: str, access: Access) -> tuple[Reader, Study, Design, list[Content]]:
        who = reader_studies.reader(self._facts, hashed(token))
        if who is None:
            raise HilumError(ErrorCode.NOT_FOUND, "this link leads nowhere; ask whoever runs the study for a new one")
        condition = access.condition()
        study = reader_studies.read(self._facts, who, None if condition is None else to_sql(condition))
        return who, study, Design.of(study.design), reader_studies.contents(self._facts, who.study_id)

    @staticmethod
    def _shown(place: int, design: Design, who: Reader, n: int, content: Content, said: Answer | None) -> Shown:
        count = len(_films(content))
        if said is None or not count:
            return Shown(place, count, not count)
        mine = order.films(design.seed, who.reader_id, n, count)
        chosen = tuple(at for at, one in enumerate(mine, 1) if one in said.answer.get("chosen", ()))
        grades = said.answer.get("grades")
        graded = tuple(grades[one] for one in mine) if grades else ()
        return Shown(place, count, False, chosen, graded, said.seconds)


def _order(study: Study, design: Design, who: Reader, contents: Sequence[Content]) -> list[int]:
    return order.sets(design.seed, who.reader_id, len(contents), reader_studies.repeats(study))


def _number(ordered: Sequence[int], number: int) -> int:
    if not 1 <= number <= len(ordered):
        raise invalid(f"number is between 1 and {len(ordered)}")
    return ordered[number - 1]


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


def _withdrawn() -> HilumError:
    return HilumError(ErrorCode.FAILED_PRECONDITION, "this set is not shown any more; go on with another")
