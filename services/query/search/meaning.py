"""What scores mean: P(shares the finding | score), fitted on labelled films of other patients, and abstention."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from services.core.calibration import FILM, WORDS, Curve, probability
from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts, calibrations
from services.core.models import ModelSpec
from services.core.types import ImageRecord
from services.query import words
from services.query.asked import Hit, Meaning, Mode, Reading, SearchQuery
from services.query.by import StoredFilm, UploadedFilm, Words
from services.query.words import Polarity


@dataclass(frozen=True, slots=True)
class _Read:
    """A model's curve for a question, and the finding that it is for; empty: any that the film asked with has."""

    model: str
    curve: Curve
    finding: str


class Meanings:
    """Reads scores by the curves that `hilum analyze calibrate` has kept. Safe to share between threads."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts

    def __call__(
        self,
        hits: Sequence[Hit],
        specs: Sequence[ModelSpec],
        query: SearchQuery,
        own: Sequence[ImageRecord],
        strange: bool = False,
    ) -> tuple[list[Hit], bool]:
        """The hits with what their scores mean, those below `at_least` left out; and: is none of them comparable?

        Only cosines of one film or one finding's words with films have a meaning; others are left as they are. Those of
        a `strange` film have none, for curves were learned on films: nothing is comparable with it. Raises
        FAILED_PRECONDITION when a probability is asked for that nobody can tell.
        """
        if strange:
            return [] if query.ranking.at_least else list(hits), True
        read = self._curves(specs, query, own)
        if not read:
            if query.ranking.at_least:
                raise HilumError(
                    ErrorCode.FAILED_PRECONDITION,
                    "no probability is known for this question with these models; run `hilum analyze calibrate`, ask "
                    "by one film or one finding, or leave at_least out",
                )
            return list(hits), False
        meant = [replace(hit, meaning=_meaning(hit, read)) for hit in hits]
        cosines = {one.model: [p.score for hit in hits for p in hit.places if p.model == one.model] for one in read}
        none_near = bool(hits) and all(max(cosines[one.model], default=-1.0) < one.curve.threshold for one in read)
        least = query.ranking.at_least
        return [hit for hit in meant if not least or (hit.meaning and hit.meaning.probability >= least)], none_near

    def _curves(self, specs: Sequence[ModelSpec], query: SearchQuery, own: Sequence[ImageRecord]) -> list[_Read]:
        asked = _asked(query, own)
        if asked is None:
            return []
        by = calibrations.curves(self._facts, [spec.fingerprint for spec in specs], asked)
        found = [(spec.name, by[spec.fingerprint].best(*asked)) for spec in specs]
        return [_Read(name, *best) for name, best in found if best is not None]


def _asked(query: SearchQuery, own: Sequence[ImageRecord]) -> tuple[str, str, str] | None:
    """Who asks for which finding in which view; None where cosines have no meaning of this kind."""
    if query.ranking.mode is not Mode.NEAREST:
        return None
    match query.by:
        case StoredFilm() | UploadedFilm():
            return FILM, query.ranking.finding, own[0].view or "" if own else ""
        case Words(text):
            if query.ranking.reading is Reading.PLAIN:
                return None
            mentions = words.understand(text)
            one = mentions[0] if len(mentions) == 1 else None
            there = one is not None and one.finding and one.polarity is Polarity.PRESENT
            return (WORDS, one.finding, "") if one is not None and there else None
        case _:
            return None


def _meaning(hit: Hit, read: Sequence[_Read]) -> Meaning | None:
    """By the first model asked that placed the hit and is calibrated."""
    cosines = {place.model: place.score for place in hit.places}
    for one in read:
        if one.model in cosines:
            return Meaning(*probability(one.curve, cosines[one.model]), one.finding, one.model)
    return None
