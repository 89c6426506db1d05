"""Questions kept by name: kept, asked again, and moved by what their owner marked (Rocchio 1971).

saved = Saved(facts)
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from google.protobuf import json_format

from hilum.v1 import query_pb2
from services.core.access import ALL, Access
from services.core.errors import ErrorCode, HilumError, invalid
from services.core.facts import Facts, images, searches
from services.core.facts.searches import MOST_GRADE, Kept
from services.core.ids import parse_image_id
from services.query import convert, own
from services.query.asked import SearchQuery
from services.query.by import MAX_PARTS, By, Liked, Mixture, Single, StoredFilm, UploadedFilm, moved, parts

_MOST_TITLE = 200
_MOST_MARKS = 1_000


class Saved:
    """Safe to share between threads. owner: whose questions.  access: the films that the caller may know of."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts

    def save(
        self, owner: str, title: str, request: query_pb2.SearchRequest, search_id: str = "", access: Access = ALL
    ) -> Kept:
        """Keep a question that can be asked. Raises INVALID_ARGUMENT; FAILED_PRECONDITION for an uploaded film that
        the archive does not hold: films are kept by ingest, not by questions."""
        if not title.strip() or len(title) > _MOST_TITLE:
            raise invalid(f"give the search a title of at most {_MOST_TITLE} characters")
        kept = query_pb2.SearchRequest()
        kept.CopyFrom(request)
        kept.ClearField("page_token")
        kept.ClearField("request_id")
        convert.search_query(kept)  # raises what asking would
        for leaf in _leaves(kept.query):
            self._without_upload(leaf, access)
        told = json_format.MessageToDict(kept, preserving_proto_field_name=True)
        return searches.save(self._facts, owner, title.strip(), told, search_id)

    def question(self, owner: str, search_id: str) -> query_pb2.SearchRequest:
        """The question as it was asked. Raises NOT_FOUND."""
        return request_of(searches.get(self._facts, owner, search_id))

    def mark(
        self, owner: str, search_id: str, grades: Mapping[str, int], unmark: Sequence[str], access: Access = ALL
    ) -> dict[str, int]:
        """Say what films are worth; all marks as they stand then. Raises INVALID_ARGUMENT, NOT_FOUND."""
        if len(grades) + len(unmark) > _MOST_MARKS:
            raise invalid(f"at most {_MOST_MARKS} films are marked at once")
        if not all(0 <= grade <= MOST_GRADE for grade in grades.values()):
            raise invalid(f"a grade is 0 (not relevant), 1 (relevant), up to {MOST_GRADE}")
        wanted = {parse_image_id(image_id): grade for image_id, grade in grades.items()}
        if len(self._seen(wanted, access)) < len(wanted):
            raise HilumError(ErrorCode.NOT_FOUND, "a film that is marked is not in the archive")
        searches.mark(self._facts, owner, search_id, wanted, [parse_image_id(one) for one in unmark])
        return self.marks(owner, search_id, access)

    def marks(self, owner: str, search_id: str, access: Access = ALL) -> dict[str, int]:
        """image_id → grade, newest first. Raises NOT_FOUND."""
        found = searches.marked(self._facts, owner, search_id)
        seen = found if access == ALL else self._seen(found, access)
        return {image_id: grade for image_id, grade in found.items() if image_id in seen}

    def refined(
        self,
        owner: str,
        search_id: str,
        method: str,
        changes: query_pb2.SearchRequest | None,
        access: Access = ALL,
    ) -> SearchQuery:
        """The question moved by its marks, asked with the options that `changes` says and the saved ones else. Raises
        FAILED_PRECONDITION while no film is marked relevant."""
        query = convert.search_query(_changed(self.question(owner, search_id), changes))
        marks = self.marks(owner, search_id, access)
        liked = [(StoredFilm(image_id), float(grade)) for image_id, grade in marks.items() if grade > 0]
        disliked = [StoredFilm(image_id) for image_id, grade in marks.items() if grade == 0]
        if not liked:
            raise HilumError(ErrorCode.FAILED_PRECONDITION, "mark at least one answer as relevant first")
        by: By
        match method or "rocchio":
            case "rocchio":
                by = _newest(query.by, liked, disliked)
            case "recommend":
                by = Liked(tuple(film for film, _ in liked), tuple(disliked))
            case _:
                raise invalid("method is rocchio or recommend")
        return replace(query, by=by)

    def _seen(self, ids: Collection[str], access: Access) -> set[str]:
        """Those of `ids` that are films which may be known of."""
        return {image_id for image_id, record in images.get(self._facts, ids).items() if access.allows(record)}

    def _without_upload(self, leaf: query_pb2.Query, access: Access) -> None:
        if leaf.WhichOneof("by") == "image" or leaf.region.image:
            data = leaf.image or leaf.region.image
            known = [record for record in own.of(self._facts, UploadedFilm(data)) if access.allows(record)]
            if not known:
                raise HilumError(
                    ErrorCode.FAILED_PRECONDITION,
                    "the archive does not hold this film; ingest it, or save the search by a film of the archive",
                )
            if leaf.WhichOneof("by") == "image":
                leaf.image_id = known[0].image_id
            else:
                leaf.region.image_id = known[0].image_id


def request_of(kept: Kept) -> query_pb2.SearchRequest:
    """What was kept, as it was sent."""
    return json_format.ParseDict(kept.request, query_pb2.SearchRequest(), ignore_unknown_fields=True)


def _changed(saved: query_pb2.SearchRequest, changes: query_pb2.SearchRequest | None) -> query_pb2.SearchRequest:
    """Lists and maps that are said replace the saved ones whole. Raises INVALID_ARGUMENT."""
    if changes is None:
        return saved
    if changes.HasField("query") or changes.page_token:
        raise invalid("the question is the saved one, moved; leave query and page_token out")
    for field, _ in changes.ListFields():
        saved.ClearField(field.name)
    saved.MergeFrom(changes)
    return saved


def _newest(by: By | None, liked: Sequence[tuple[Single, float]], disliked: Sequence[Single]) -> Mixture:
    """The newest marks where there are more than a mixture holds."""
    room = max((MAX_PARTS - len(parts(by))) // 2, 1)
    return moved(by, liked[:room], disliked[:room])


def _leaves(query: query_pb2.Query) -> list[query_pb2.Query]:
    match query.WhichOneof("by"):
        case "examples":
            question = _leaves(query.examples.question) if query.examples.HasField("question") else []
            return [*question, *query.examples.positive, *query.examples.negative]
        case "mixture":
            return [part.query for part in query.mixture.parts]
        case _:
            return [query]
