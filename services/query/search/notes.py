"""What a reader of an answer must know of how it was made, and what was asked for and could not be had."""

from __future__ import annotations

from collections.abc import Sequence

from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts, densities
from services.core.models import ModelSpec
from services.query.asked import Exclude, Hit, Hubs, Mode, SearchQuery
from services.query.by import FilmRegion, Mixture, StudyFilms, kinds

_PHANTOM = ("Hilum", "Analytic phantom")  # manufacturer and device that phantoms state
_OF_PHANTOMS = "hilum-cxr-"  # the encoders that ship, and what was learned on top of them


def of(query: SearchQuery, specs: Sequence[ModelSpec], facts: Facts) -> tuple[str, ...]:
    """Notes for the provenance. Raises FAILED_PRECONDITION where the answer would not be what was asked for."""
    said = []
    if query.ranking.hubs is not Hubs.KEEP:
        measured = {spec.name: densities.usual(facts, spec.fingerprint)[0] for spec in specs}
        if missing := [name for name, films in measured.items() if not films]:
            raise HilumError(
                ErrorCode.FAILED_PRECONDITION,
                f"hubs of {', '.join(missing)} were not measured; run `hilum analyze hubs` first, or keep them",
            )
        said.append(f"in the order of scores corrected for hubs ({query.ranking.hubs}); the scores shown are cosines")
    if query.ranking.mode in (Mode.TYPICAL, Mode.ATYPICAL):
        said.append("scores are cosines with the middle of the films that have the finding, less what any film has")
    if query.ranking.mode is Mode.LOOKALIKE:
        said.append("a look-alike is stated not to have the diagnosis, and stated to have another")
    if StudyFilms in kinds(query.by):
        said.append("a study's score is the mean over its views of its best film's cosine")
    if FilmRegion in kinds(query.by):
        said.append("a part of a film is compared with whole films")
    if isinstance(query.by, Mixture) and len(query.by.parts) > 1:
        said.append("weights apply to cosines brought to one spread over the archive")
    if query.exclude is Exclude.NONE:
        said.append("films of the same patient count: their likeness is the person's")
    return tuple(said)


def beyond(specs: Sequence[ModelSpec], hits: Sequence[Hit]) -> tuple[str, ...]:
    """A note where encoders that were trained on phantoms alone answer with films of people."""
    small = [spec.name for spec in specs if spec.name.startswith(_OF_PHANTOMS)]
    if not small or all((hit.image.record.manufacturer, hit.image.record.device) == _PHANTOM for hit in hits):
        return ()
    were = "were" if len(small) > 1 else "was"
    return (
        f"of films of people this order says little: {' and '.join(small)} {were} trained on phantoms alone; install a "
        "model for people (`hilum models list --catalog`)",
    )
