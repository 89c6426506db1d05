"""Cases as unknowns: shown without their answer, tried, judged, counted.

quizzes = Quizzes(facts)
quiz = quizzes.show("local", ALL, file_id)
tried, revealed = quizzes.answer("local", ALL, file_id, quiz.number, text="pleural effusion")
"""

from __future__ import annotations

import hashlib
import math
import re
import statistics
import uuid
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from services.core.access import Access
from services.core.errors import ErrorCode, HilumError, invalid
from services.core.facts import Facts, images, now, quizzes, teaching
from services.core.facts.quizzes import Try
from services.core.facts.teaching import PUBLISHED
from services.core.ids import HILUM_NS
from services.query.teaching import rights
from services.query.teaching.document import NOTE, Document, clean
from services.query.teaching.files import Files
from services.query.teaching.hiding import hidden
from services.query.teaching.rights import READ, UPDATE, Shown

CHOICE, MATCH, SELF = "choice", "match", "self"
_MOST_SECONDS = 86_400.0
_MOST_NAME = 40
_MOST_TRIES = 1_000
_MOST_UNKNOWNS = 2_000  # published last, among which the next unknown is looked for


@dataclass(frozen=True, slots=True)
class Quiz:
    """A case without its answer. films: key → view of the picture.  choices: the differential with the true one in it,
    in an order that tells nothing; empty where they were not asked for.  following: another published case, one that
    the reader tried least; empty where there is none."""

    file_id: str
    number: int
    title: str
    history: str
    films: dict[str, str]
    hidden: int
    choices: tuple[str, ...]
    tries: int
    following: str = ""


@dataclass(frozen=True, slots=True)
class Score:
    """How a file was answered, or a reader answered. seconds: the median of those measured, None without any."""

    tries: int
    judged: int
    correct: int
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Results:
    """Tries, the latest first, and scores: file_id → (title, score), reader → score. Scores count all tries."""

    tries: tuple[Try, ...]
    files: dict[str, tuple[str, Score]]
    readers: dict[str, Score]


class Quizzes:
    """Asks and records. Safe to share between threads."""

    def __init__(self, facts: Facts, files: Files) -> None:
        self._facts, self._files = facts, files

    def show(self, user: str, access: Access, file_id: str, choices: bool = False, name: str = "") -> Quiz:
        """The case as an unknown. Raises FAILED_PRECONDITION when choices are asked for and it has no two."""
        shown = self._files.get(user, access, file_id)
        unknown = hidden(shown.document)
        records = images.get(self._facts, shown.document.films)
        views = {
            one.key: (records[one.image_id].view or "") if one.image_id in records else ""
            for one in shown.document.images
        }
        with self._facts.read() as db:
            tried = Counter(one.file_id for one in quizzes.listed(db, reader=reader(user, name)))
            others = [
                one.file_id for one in teaching.listed(db, state=PUBLISHED, size=_MOST_UNKNOWNS)
                if one.published and one.file_id != shown.file.file_id and READ in rights.rights_of(one, user)
            ]  # fmt: skip
        following = min(others, key=lambda one: (tried[one], _shuffled(one)), default="")
        return Quiz(
            shown.file.file_id, shown.number, unknown.title, unknown.history, views, shown.hidden,
            _choices(shown) if choices else (), tried[shown.file.file_id], following,
        )  # fmt: skip

    def answer(
        self, user: str, access: Access, file_id: str, number: int, text: str = "", choice: str = "",
        seconds: float = 0.0, name: str = "", request_id: str = "",
    ) -> tuple[Try, Shown]:  # fmt: skip
        """Record what a reader thinks it is, and reveal the case. A choice decides; else words that match the diagnosis
        are right, and whether others are, the reader says (`judge`). The same `request_id` is recorded once.

        name: of several who read as one user. Raises INVALID_ARGUMENT.
        """
        shown = self._files.get(user, access, file_id, number)
        text, choice = clean(text), clean(choice)
        if not (text or choice) or len(text) > NOTE:
            raise invalid(f"answer in words, at most {NOTE} characters, by one of the choices, or both")
        if not (math.isfinite(seconds) and 0 <= seconds <= _MOST_SECONDS):
            raise invalid(f"seconds is between 0 (not measured) and {_MOST_SECONDS:.0f}")
        if choice and choice not in _choices(shown):
            raise invalid("this is none of the choices; ask for the quiz again to see them")
        correct, judged = _judged(shown.document, text, choice)
        told = f"quiz\0{user}\0{shown.file.file_id}\0{request_id}"
        one = Try(
            str(uuid.uuid5(HILUM_NS, told) if request_id else uuid.uuid4()), shown.file.file_id, shown.number,
            reader(user, name), {"text": text, "choice": choice, "judged": judged}, correct, seconds or None, now(),
        )  # fmt: skip
        with self._facts.write() as db:
            return quizzes.record(db, one), shown

    def judge(self, user: str, access: Access, try_id: str, correct: bool) -> Try:
        """Say of one's own answer in words whether it was right. Raises NOT_FOUND, FAILED_PRECONDITION."""
        with self._facts.write() as db:
            one = quizzes.get(db, try_id)
            if user not in (one.reader, one.reader.partition("/")[0]):
                quizzes.get(db, "")  # answered as if there were none
            rights.allowed(teaching.get(db, one.file_id), user, rights.READ)
            if one.answer["judged"] in (CHOICE, MATCH):
                raise HilumError(ErrorCode.FAILED_PRECONDITION, "this answer is judged by the diagnosis itself")
            answer = {**one.answer, "judged": SELF}
            quizzes.judge(db, try_id, answer, correct)
        return replace(one, answer=answer, correct=correct)

    def results(self, user: str, access: Access, file_id: str = "", name: str = "") -> Results:
        """One's own tries, and all of the files that one may edit. name: a reader's, as tries say it."""
        found: list[Try] = []
        titles: dict[str, str] = {}
        may: dict[str, frozenset[str]] = {}
        with self._facts.read() as db:
            if file_id:
                rights.allowed(teaching.get(db, file_id), user, rights.READ)
            for one in quizzes.listed(db, file_id, name):
                if one.file_id not in may:
                    file = teaching.get(db, one.file_id)
                    may[one.file_id], titles[one.file_id] = rights.rights_of(file, user), file.title
                    if not rights.latest(file, may[one.file_id]):
                        may[one.file_id] = frozenset()
                own = user in (one.reader, one.reader.partition("/")[0])
                if UPDATE in may[one.file_id] or (own and may[one.file_id]):
                    found.append(one)
        files = {key: (titles[key], score) for key, score in _scores(found, "file_id").items()}
        return Results(tuple(found[:_MOST_TRIES]), files, _scores(found, "reader"))


def reader(user: str, name: str = "") -> str:
    """How a reader is called: the user, or ``user/name`` where several read as one. Raises INVALID_ARGUMENT."""
    name = " ".join(clean(name).split())
    if "/" in name or len(name) > _MOST_NAME:
        raise invalid(f"a reader's name has at most {_MOST_NAME} characters, and no '/'")
    return f"{user}/{name}" if name else user


def _shuffled(file_id: str) -> str:
    """By this, cases follow each other in an order that says nothing, and is the same for everybody."""
    return hashlib.sha256(f"next\0{file_id}".encode()).hexdigest()


def _choices(shown: Shown) -> tuple[str, ...]:
    true = _line(shown.document.diagnosis)
    others = {_plain(one): _line(one) for one in shown.document.differential if _plain(one)}
    found = {**others, _plain(true): true}
    if not _plain(true) or len(found) < 2:
        raise HilumError(
            ErrorCode.FAILED_PRECONDITION, "choices need a diagnosis and at least one other in the differential"
        )
    salt = shown.file.file_id
    return tuple(sorted(found.values(), key=lambda text: hashlib.sha256(f"{salt}\0{text}".encode()).digest()))


def _judged(document: Document, text: str, choice: str) -> tuple[bool | None, str]:
    if choice:
        return _plain(choice) == _plain(_line(document.diagnosis)), CHOICE
    known = {_plain(part) for part in re.split(r"[\n;]", document.diagnosis)} - {""}
    known |= {_plain(re.sub(r"\(.*?\)", "", part)) for part in re.split(r"[\n;]", document.diagnosis)} - {""}
    return (True, MATCH) if _plain(text) in known else (None, "")


def _line(text: str) -> str:
    return text.split("\n", 1)[0].strip()


def _plain(text: str) -> str:
    """Words alone, in lower case."""
    return " ".join(re.findall(r"[^\W_]+", text.casefold()))


def _scores(tries: Iterable[Try], by: str) -> dict[str, Score]:
    grouped: dict[str, list[Try]] = {}
    for one in tries:
        grouped.setdefault(getattr(one, by), []).append(one)
    return {
        key: Score(
            len(theirs),
            sum(one.correct is not None for one in theirs),
            sum(one.correct is True for one in theirs),
            statistics.median(seconds) if (seconds := [one.seconds for one in theirs if one.seconds]) else None,
        )
        for key, theirs in sorted(grouped.items())
    }
