"""Which of the archive's models answer a question."""

from __future__ import annotations

from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts, images
from services.core.models import ModelSpec
from services.core.spelling import meant
from services.query import own
from services.query.asked import SearchQuery
from services.query.by import FilmRegion, ReportWords, StoredFilm, StudyFilms, UploadedFilm, Words, kinds
from services.transport.encode_client import EncodeClient

_SAID = {Words, ReportWords}


def choose(active: dict[str, ModelSpec], facts: Facts, encode: EncodeClient, query: SearchQuery) -> list[ModelSpec]:
    """The specs, out of the archive's `active` ones, of the models named, or of the first one that can answer.

    Raises UNKNOWN_MODEL for a name the archive does not know, and FAILED_PRECONDITION when a model cannot answer this
    kind of question or the archive is empty.
    """
    if not active:
        raise HilumError(ErrorCode.FAILED_PRECONDITION, "the archive is empty; ingest films first")
    if missing := [name for name in query.models if name not in active]:
        count = "no such model" if len(missing) == 1 else f"no such models ({len(missing)} of {len(query.models)})"
        hint = meant(missing[0], active) or ";"
        raise HilumError(ErrorCode.UNKNOWN_MODEL, f"{count} in this archive{hint} there are: {', '.join(active)}")
    chosen = [active[name] for name in query.models] or [_first(facts, encode, query, active)]
    if _SAID & kinds(query.by):
        _need_words(chosen, active)
    return chosen


def _first(facts: Facts, encode: EncodeClient, query: SearchQuery, active: dict[str, ModelSpec]) -> ModelSpec:
    candidates = sorted(active.values(), key=lambda spec: spec.slices)  # films before slices
    asked = kinds(query.by)
    able = [spec for spec in candidates if spec.text_space] if _SAID & asked else list(candidates)
    if asked & {StoredFilm, StudyFilms}:
        ids = own.named(query.by) or {record.image_id for record in own.films(facts, query.by)}
        ledger = images.ledger(facts, ids)
        able = [spec for spec in able if all(spec.fingerprint in ledger.get(image_id, set()) for image_id in ids)]
    if len(able) > 1 and asked & {*_SAID, UploadedFilm, FilmRegion}:
        at_hand = {model.fingerprint for model in encode.models() if model.available}
        able = [spec for spec in able if spec.fingerprint in at_hand] or able
    return (able or candidates)[0]


def _need_words(chosen: list[ModelSpec], active: dict[str, ModelSpec]) -> None:
    if mute := [spec.name for spec in chosen if not spec.text_space]:
        able = ", ".join(name for name, spec in active.items() if spec.text_space)
        advice = f"models that answer words: {able}" if able else "none of this archive's models does; search by a film"
        raise HilumError(ErrorCode.FAILED_PRECONDITION, f"{', '.join(mute)} cannot answer words; {advice}")
