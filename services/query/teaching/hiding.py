"""What of a case may be said while its answer is not: history and films, and no word of the diagnosis.

unknown = hidden(document)  # title and history to show
remarks(document)           # what its authors should mend
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from services.query.teaching.document import Document

UNTITLED = "Unknown case"
_GAP = "[…]"
_WORD = re.compile(r"[^\W_]+")
# Words of diagnoses that say nothing of what it is.
_GENERAL = frozenset(
    _WORD.findall(
        "with from into without large small mild moderate severe acute chronic left right upper lower middle "
        "lobe lobes lung lungs chest thorax patient patients year years disease syndrome sign signs likely "
        "probable possible known suspected early late stage type both bilateral unilateral change changes "
        "finding findings typical atypical film case male female woman adult child age aged days weeks months "
    )
)
_SHORTEST = 4  # letters; abbreviations in capitals count from two


@dataclass(frozen=True, slots=True)
class Unknown:
    """A case without its answer. told: words of the answer that stood in its alternative title or history."""

    title: str
    history: str
    told: tuple[str, ...]


def hidden(document: Document) -> Unknown:
    """Title and history to show: the alternative title if it keeps the secret, the history with gaps where it tells."""
    sought = _sought(document)
    title = document.alternative_title
    told = [match.group().casefold() for text in (title, document.history) for match in sought.finditer(text)]
    return Unknown(
        UNTITLED if not title or sought.search(title) else title,
        sought.sub(_GAP, document.history),
        tuple(dict.fromkeys(told)),
    )


def remarks(document: Document) -> list[str]:
    """What stands against using the case as an unknown, for its authors."""
    found = []
    if not document.diagnosis:
        found.append("it has no diagnosis: a quiz can only be judged by the reader")
    if not document.alternative_title:
        found.append(f"it has no alternative title: quizzes call it “{UNTITLED}”")
    if told := hidden(document).told:
        found.append(f"alternative title or history say words of the answer, which quizzes hide: {', '.join(told)}")
    return found


def answer_words(document: Document) -> set[str]:
    """The words that say what it is: those of the diagnosis and of the pathology, in lower case."""
    found = set()
    for word in _WORD.findall(f"{document.diagnosis} {document.pathology}"):
        abbreviation = len(word) > 1 and word.isupper() and not word.isdigit()
        if (len(word) >= _SHORTEST or abbreviation) and word.casefold() not in _GENERAL:
            found.add(word.casefold())
    return found


def _sought(document: Document) -> re.Pattern[str]:
    """Words of the answer with other endings, and within longer words: pneumothorax also in pneumothoraces."""
    stems = {word if len(word) < 6 else word[: max(5, len(word) - 3)] for word in answer_words(document)}
    whole = sorted(stem for stem in stems if len(stem) < _SHORTEST)
    begun = sorted(stem for stem in stems if len(stem) >= _SHORTEST)
    parts = [rf"\b{re.escape(stem)}\b" for stem in whole] + [rf"[^\W_]*{re.escape(stem)}[^\W_]*" for stem in begun]
    return re.compile("|".join(parts) or r"(?!)", re.IGNORECASE)
