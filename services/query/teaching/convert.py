"""Between the contract's messages and this package's values: documents by their JSON, for both name fields alike."""

from __future__ import annotations

from google.protobuf import json_format

from hilum.v1 import teaching_pb2
from services.core.facts.quizzes import Try
from services.core.facts.teaching import Version
from services.query.teaching import document as documents
from services.query.teaching import hiding
from services.query.teaching.document import Document
from services.query.teaching.quiz import Quiz, Results, Score
from services.query.teaching.rights import RIGHTS, UPDATE, Shown

_PICTURES = 4  # of a file in a list


def document(message: teaching_pb2.TeachingDocument) -> Document:
    """Raises what `documents.parse` raises."""
    return documents.parse(json_format.MessageToDict(message, preserving_proto_field_name=True))


def file(shown: Shown) -> teaching_pb2.TeachingFile:
    """Who works on a file, and on what, is told to those who may edit it alone."""
    edits = UPDATE in shown.may
    told = teaching_pb2.TeachingDocument()
    json_format.ParseDict(documents.to_json(shown.document), told)
    access = {right: shown.file.access.get(right, []) for right in RIGHTS} if edits else {}
    return teaching_pb2.TeachingFile(
        file_id=shown.file.file_id, owner=shown.file.owner, state=shown.state, version=shown.number,
        latest=shown.file.version if edits else shown.number, published=shown.file.published,
        access=teaching_pb2.TeachingAccess(**access), may=sorted(shown.may),
        events=[teaching_pb2.TeachingEvent(**event) for event in shown.file.events] if edits else [],  # type: ignore[arg-type]
        created_at=shown.file.created_at, updated_at=shown.file.updated_at, document=told, hidden_films=shown.hidden,
        remarks=hiding.remarks(shown.document) if edits else [],
    )  # fmt: skip


def summary(shown: Shown) -> teaching_pb2.TeachingSummary:
    edits = UPDATE in shown.may
    return teaching_pb2.TeachingSummary(
        file_id=shown.file.file_id, title=shown.document.title, state=shown.state, version=shown.number,
        latest=shown.file.version if edits else shown.number, published=shown.file.published, owner=shown.file.owner,
        films=len(shown.document.images), diagnosis=shown.document.diagnosis, updated_at=shown.file.updated_at,
        may=sorted(shown.may), pictures=[one.key for one in shown.document.images[:_PICTURES]],
    )  # fmt: skip


def version(kept: Version) -> teaching_pb2.TeachingVersion:
    return teaching_pb2.TeachingVersion(
        version=kept.version, made_from=kept.made_from, author=kept.author, note=kept.note,
        created_at=kept.created_at, refused=kept.refused,
    )  # fmt: skip


def quiz(shown: Quiz) -> teaching_pb2.Quiz:
    return teaching_pb2.Quiz(
        file_id=shown.file_id, version=shown.number, title=shown.title, history=shown.history,
        images=[teaching_pb2.QuizImage(key=key, view=view) for key, view in shown.films.items()],
        hidden_films=shown.hidden, choices=shown.choices, tries=shown.tries, next_file_id=shown.following,
    )  # fmt: skip


def tried(one: Try) -> teaching_pb2.QuizTry:
    return teaching_pb2.QuizTry(
        try_id=one.try_id, file_id=one.file_id, version=one.version, reader=one.reader, text=one.answer["text"],
        choice=one.answer["choice"], correct=one.correct, judged=one.answer["judged"], seconds=one.seconds or 0.0,
        created_at=one.created_at,
    )  # fmt: skip


def results(found: Results) -> teaching_pb2.QuizResultsResponse:
    def score(one: Score, **who: str) -> teaching_pb2.QuizScore:
        return teaching_pb2.QuizScore(
            tries=one.tries, judged=one.judged, correct=one.correct, median_seconds=one.seconds or 0.0, **who
        )

    return teaching_pb2.QuizResultsResponse(
        files=[score(one, file_id=file_id, title=title) for file_id, (title, one) in found.files.items()],
        readers=[score(one, reader=reader) for reader, one in found.readers.items()],
        tries=map(tried, found.tries),
    )
