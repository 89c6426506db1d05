"""What to look for, and how: arguments to the message of a search.

client.search(text="large left pleural effusion", where='view = "PA"')
client.search(id=film, region=(0.1, 0.5, 0.3, 0.4), models=["rad-dino"])
client.search(like=[film, other], unlike=[Words("pacemaker")])
client.search(mix=[(film, 1), (Words("pneumothorax"), 0.5), (Words("chest tube"), -0.5)])
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, TypedDict, Unpack

from hilum import things
from hilum.errors import HilumError
from hilum.requests import PathLike
from hilum.things import File, HasImageId, Region, Report, Stored, Study, Thing, Values, Vector, Words
from hilum.v1 import query_pb2

Box: TypeAlias = tuple[float, float, float, float] | Mapping[str, float]


class By(TypedDict, total=False):
    """What to look for: one of these; `like` and `unlike` also beside one, which they then move.

    text: words.  image: a film in a file or in bytes.  id: a stored film, by its id or as an answer gave it.
    vector: of the one model in `models`.  study: ``(dataset, study_id)``.
    report: ``(dataset, study_id)``, the words of a stored report.
    region: with `id` or `image`, the part of it that counts: ``(x, y, width, height)`` in fractions of the film from
    its top left corner, or a dict of them.
    like, unlike: films and words as examples.  mix: ``(thing, weight)`` pairs; a weight below 0 leads away.
    """

    text: str | None
    image: PathLike | bytes | None
    id: str | HasImageId | None
    vector: Values | None
    study: Study | tuple[str, str] | None
    report: Report | tuple[str, str] | None
    region: Box | Region | None
    like: Sequence[Thing]
    unlike: Sequence[Thing]
    mix: Sequence[tuple[Thing, float]]


class Asked(By, total=False):
    """Everything that can be said of a search. What is not said is the service's default.

    models: who answers, by default the first that can.  where: a filter such as ``view = "PA" AND age >= 40``.
    limit: 10; at most 1000, 10000 in pages.  exclude: whose films do not count beside the query's own: ``patient``
    (default), ``study``, ``none``.  exact: compare with every film instead of the index.
    fusion: of several models: ``rrf`` (default), ``dbsf``, ``weighted``.  weights: model → its say.
    group_by: ``patient`` or ``study``, of each `group_size` films.  per_patient: at most so many films of one patient.
    keep_duplicates: show copies of a film singly.  priors: the patient's own films, apart, in time order.
    mode: ``nearest`` (default), ``typical``, ``atypical``, ``lookalike``, ``disagree``.  finding: what it is about.
    diversity: 0 to 1, how different hits are to be.  hubs: ``keep`` (default), ``csls``, ``scaling``.
    at_least: leave out hits of lower calibrated probability.  reading: of words: ``understood`` (default), ``plain``.
    page_size: films at a time; `Client.search_pages` reads them all.
    """

    models: Sequence[str]
    where: str
    limit: int
    exclude: str
    exact: bool
    fusion: str
    weights: Mapping[str, float]
    group_by: str
    group_size: int
    per_patient: int
    keep_duplicates: bool
    priors: bool
    mode: str
    finding: str
    diversity: float
    hubs: str
    at_least: float
    reading: str
    page_size: int


_BY, _ALL = By.__annotations__, Asked.__annotations__
_UNASKED = ("typical", "atypical")  # modes that a finding says enough for


def search(**asked: Unpack[Asked]) -> query_pb2.SearchRequest:
    """The message of a search; the arguments are those of `Asked`. Raises INVALID_ARGUMENT for what cannot be asked,
    and TypeError for names that there are not."""
    what: By = {name: value for name, value in asked.items() if name in _BY and _said(value)}  # type: ignore[assignment]
    request = options(**asked)
    if what or request.mode not in _UNASKED:
        request.query.CopyFrom(by(what))
    return request


def options(**asked: Unpack[Asked]) -> query_pb2.SearchRequest:
    """The message without what to look for."""
    if unknown := asked.keys() - _ALL.keys():
        raise TypeError(f"a search takes no {', '.join(sorted(unknown))}; it takes {', '.join(_ALL)}")
    how: dict[str, Any] = {name: value for name, value in asked.items() if name not in _BY and value is not None}
    if "where" in how:
        how["filter"] = how.pop("where")
    return query_pb2.SearchRequest(**how)


def by(what: By) -> query_pb2.Query:
    """What to look for, as a message. Raises INVALID_ARGUMENT."""
    if examples := [name for name in ("like", "unlike") if name in what]:
        question: By = {name: value for name, value in what.items() if name not in examples}  # type: ignore[assignment]
        if question or "like" in what:  # unlike alone is no question
            towards, away = (map(things.message, what.get(name, ())) for name in ("like", "unlike"))
            told = query_pb2.Examples(positive=towards, negative=away, question=by(question) if question else None)
            return query_pb2.Query(examples=told)
    match what:
        case {"region": tuple() | list() | Mapping() as box, **film}:
            return things.message(_part(film, box))
    if len(what) != 1 or "unlike" in what:
        raise HilumError(
            "INVALID_ARGUMENT", "give exactly one of text, image, id, vector, study, report, region, like or mix; "
            "several things at once are a mix",
        )  # fmt: skip
    match what:
        case {"text": text}:
            return things.message(Words(text))
        case {"image": film}:
            return things.message(File(film))
        case {"id": str(image_id)}:
            return things.message(Stored(image_id))
        case {"vector": values}:
            return things.message(Vector(values))
        case {"study": (dataset, study_id)}:
            return things.message(Study(dataset, study_id))
        case {"report": (dataset, study_id)}:
            return things.message(Report(dataset, study_id))
        case {"mix": pairs}:
            if any(weight == 0 for _, weight in pairs):
                raise HilumError("INVALID_ARGUMENT", "a thing of weight 0 has no say; leave it out of the mix")
            parts = [query_pb2.Part(query=things.message(thing), weight=weight) for thing, weight in pairs]
            return query_pb2.Query(mixture=query_pb2.Mixture(parts=parts))
    [thing] = what.values()
    return things.message(thing)


def _part(film: Mapping[str, Any], box: Any) -> Region:
    sides = [box[side] for side in ("x", "y", "width", "height")] if isinstance(box, Mapping) else box
    match film:
        case {"id": str(image_id), **rest} if not rest:
            return Region(Stored(image_id), *sides)
        case {"id": stored, **rest} if not rest:
            return Region(stored, *sides)
        case {"image": file, **rest} if not rest:
            return Region(File(file), *sides)
    raise HilumError("INVALID_ARGUMENT", "say which film the region is of: id or image")


def _said(value: object) -> bool:
    return value is not None and not (isinstance(value, list | tuple) and not value)
