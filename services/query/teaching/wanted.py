"""What to assemble: read from the contract, from words, an index film, examples or a saved search."""

from __future__ import annotations

from dataclasses import dataclass, field

from hilum.v1 import query_pb2, teaching_pb2
from services.core.access import Access
from services.core.errors import ErrorCode, HilumError, invalid
from services.core.facts import Facts, images
from services.core.filters import describe, equals
from services.core.filters.fields import LABELS
from services.core.filters.fields import field as filter_field
from services.core.labels import LabelState
from services.query import convert, hints
from services.query.by import By, ReportWords, StoredFilm, Words, parts
from services.query.facets import facets
from services.query.saved import Saved
from services.query.search.modes import diagnoses
from services.query.teaching.document import LINE
from services.query.words import Polarity, understand

EACH, MOST_EACH = 4, 50
FILE, CASES = "file", "cases"


@dataclass(frozen=True, slots=True)
class Wanted:
    """finding: what it is about; empty where nobody names one.  by: what films should be like.  counts: group → films.
    index: the film asked with.  restricted: take films whose licence forbids handing on.  notes: how it was read."""

    finding: str
    by: By | None
    models: tuple[str, ...] = ()
    filter: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    layout: str = FILE
    title: str = ""
    index: str = ""
    restricted: bool = False
    request_id: str = ""
    notes: tuple[str, ...] = ()


def wanted(
    facts: Facts, user: str, access: Access, request: teaching_pb2.AssembleTeachingFilesRequest
) -> Wanted:  # fmt: skip
    """Raises INVALID_ARGUMENT for what cannot be assembled, NOT_FOUND for a saved search or film that is not there."""
    query = query_pb2.SearchRequest(query=request.query, models=request.models, filter=request.filter)
    if request.search_id:
        if request.query.WhichOneof("by"):
            raise invalid("give a query or a saved search, not both")
        query = Saved(facts).question(user, request.search_id)
        query.models.extend(name for name in request.models if name not in query.models)
        if request.filter:
            query.filter = f"({query.filter}) AND ({request.filter})" if query.filter else request.filter
    by = convert.by(query.query) if query.query.WhichOneof("by") else None
    finding = _key(request.finding or query.finding)
    notes: list[str] = []
    if not finding and by is not None:
        finding, notes = _said(facts, access, by)
    notes += hints.unstated(facts, None, finding)
    if not finding and by is None:
        raise invalid("say what to assemble: a finding, words, an index film, examples or a saved search")
    layout = request.layout or FILE
    if layout not in (FILE, CASES):
        raise invalid(f"layout is {FILE} or {CASES}")
    if len(request.title) > LINE:
        raise HilumError(ErrorCode.PAYLOAD_TOO_LARGE, f"a title has at most {LINE} characters")
    counts = {
        name: _count(name, getattr(request, name)) for name in ("typical", "atypical", "lookalikes", "normals")
    }  # fmt: skip
    return Wanted(
        finding, by, tuple(query.models), query.filter, counts, layout, request.title,
        by.image_id if isinstance(by, StoredFilm) else "", request.allow_restricted, request.request_id, tuple(notes),
    )  # fmt: skip


def named(key: str) -> str:
    """``pleural_effusion`` → ``Pleural effusion``."""
    return key.replace("_", " ").capitalize()


def _key(finding: str) -> str:
    return filter_field(LABELS + finding).name.removeprefix(LABELS) if finding else ""


def _count(name: str, asked: int) -> int:
    if asked > MOST_EACH:
        raise invalid(f"{name}: at most {MOST_EACH} films")
    return 0 if asked < 0 else asked or EACH


def _said(facts: Facts, access: Access, by: By) -> tuple[str, list[str]]:
    """Which finding words or films are about: the first that words state, or of those that all the films have in
    common the one that the fewest films of the archive have."""
    texts = [one.text for one, weight in parts(by) if isinstance(one, Words) and weight > 0]
    said = [
        mention.finding
        for text in texts
        for mention in understand(text)
        if mention.finding and mention.polarity is Polarity.PRESENT
    ]  # fmt: skip
    if said:
        return said[0], _others(said[0], said)
    films = [one.image_id for one, weight in parts(by) if isinstance(one, StoredFilm) and weight > 0]
    if films:
        records = images.get(facts, films)
        seen = [records[one] for one in films if one in records and access.allows(records[one])]
        if len(seen) < len(set(films)):
            raise HilumError(ErrorCode.NOT_FOUND, "no such film; `images:query` lists those there are")
        common = set.intersection(*(diagnoses([one]) for one in seen))
        if common:
            rarest = min(sorted(common), key=lambda name: facets(facts, _has(name), ["view"], access).total)
            return rarest, _others(rarest, sorted(common))
    if any(isinstance(one, ReportWords) for one, _ in parts(by)):
        return "", ["a report may say several things; name a finding for look-alikes and atypical cases"]
    return "", []


def _has(finding: str) -> str:
    return describe(equals(LABELS + finding, LabelState.PRESENT))


def _others(taken: str, said: list[str]) -> list[str]:
    others = [one for one in dict.fromkeys(said) if one != taken]
    if not others:
        return []
    told = ", ".join(named(one).lower() for one in others)
    return [f"it is about {named(taken).lower()}; name {told} in `finding` for a file about that"]
