"""What the words of reports say beside a question: which contradict it, which sentences answer it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts, images
from services.core.limits import MAX_TEXT_CHARS
from services.core.text.bm25 import terms
from services.core.text.sentences import sentences
from services.query.words import Mention, Polarity, understand

_SHOWN = 2  # sentences of a hit
_CONCLUDES = ("impression", "conclusion", "findings")  # what says most about a film, in fewest words, first


def report_query(facts: Facts, dataset: str, study_id: str, section: str = "") -> str:
    """The words of a report to seek films with: of a section, or of the one that concludes. Raises NOT_FOUND."""
    told = images.reports_of(facts, dataset, study_id)
    names = [section] if section else [*_CONCLUDES, *sorted(told)]
    text = next((told[name] for name in names if told.get(name, "").strip()), "")
    if not text:
        raise HilumError(ErrorCode.NOT_FOUND, "no such report is stored, or no such section of it; see its film's page")
    return text[:MAX_TEXT_CHARS]


class Asked:
    """What a question says of findings."""

    def __init__(self, text: str) -> None:
        self._said = _states(understand(text))

    def contradicted_by(self, text: str) -> bool:
        """Does a text deny something that is asked for, or say what is asked to be absent, and never the like?"""
        if not self._said:
            return False
        told = _states(understand(text))
        return any(
            (states := told.get(finding)) and wanted.isdisjoint(states) for finding, wanted in self._said.items()
        )


def matching(asked: str, text: str) -> list[str]:
    """The sentences of `text` that share most words with the question, said as there; none when none does."""
    sought = {stem: {no for each, no in terms(asked) if each == stem} for stem, _ in terms(asked)}
    scored = ((sentence, _shared(sought, sentence)) for sentence in sentences(text))
    return best((sentence, score) for sentence, score in scored if score)


def best(scored: Iterable[tuple[str, float]]) -> list[str]:
    """The best of scored sentences, each once, and others at least half as good."""
    ordered = sorted(dict(scored).items(), key=lambda pair: -pair[1])
    return [sentence for sentence, score in ordered[:_SHOWN] if score == ordered[0][1] or score > ordered[0][1] / 2 > 0]


def _shared(sought: dict[str, set[bool]], sentence: str) -> float:
    found: dict[str, float] = {}
    for stem, no in terms(sentence):
        if stem in sought:
            found[stem] = max(found.get(stem, 0.0), 1.0 if no in sought[stem] else 0.25)
    return sum(found.values())


def _states(mentions: Sequence[Mention]) -> dict[str, set[Polarity]]:
    found: dict[str, set[Polarity]] = {}
    for mention in mentions:
        if mention.finding and mention.polarity is not Polarity.UNCERTAIN:
            found.setdefault(mention.finding, set()).add(mention.polarity)
    return found
