"""hilum.v1.ReaderStudyService, for whoever runs studies, and hilum.v1.ReadingService, for readers.

Until there are users, everybody who may ask is the one owner. Readers are known by the word in their link alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain

from hilum.v1 import common_pb2, jobs_pb2, query_pb2
from hilum.v1 import reader_study_pb2 as wire
from services.core.access import ALL
from services.core.errors import ErrorCode, HilumError, invalid
from services.core.facts import Facts, reader_studies, searches
from services.core.facts.reader_studies import CLOSED, OPEN, Study
from services.core.filters import to_sql
from services.core.filters.sql import Condition
from services.core.store import VectorStore
from services.core.types import JobProgress
from services.query.images import Images
from services.query.readerstudy import convert, export
from services.query.readerstudy.design import MOST_READERS, MOST_SETS
from services.query.readerstudy.reading import Readings, new_token
from services.query.readerstudy.results import Judged, Results, judged, results
from services.query.readerstudy.sets import Ask, Drawing, Drawn
from services.query.saved import Saved
from services.transport.edge import Call, Route

OWNER = "local"
_MOST_TITLE, _MOST_NAME = 200, 64


class ReaderStudyApi:
    """Make, invite, close, and what came out."""

    service = wire.DESCRIPTOR.services_by_name["ReaderStudyService"]
    routes = (
        Route("POST", "/v1/studies", "CreateReaderStudy"),
        Route("GET", "/v1/studies", "ListReaderStudies"),
        Route("GET", "/v1/studies/{study_id}", "GetReaderStudy"),
        Route("DELETE", "/v1/studies/{study_id}", "DeleteReaderStudy"),
        Route("POST", "/v1/studies/{study_id}:invite", "InviteReader"),
        Route("POST", "/v1/studies/{study_id}:close", "CloseReaderStudy"),
        Route("GET", "/v1/studies/{study_id}/results", "GetReaderStudyResults"),
        Route("GET", "/v1/studies/{study_id}/export", "ExportReaderStudy"),
        Route("POST", "/v1/studies/{study_id}:keepGrades", "KeepReaderGrades"),
    )

    def __init__(self, facts: Facts, store: VectorStore, ask: Ask) -> None:
        """ask: how films are searched."""
        self._facts, self._store, self._ask = facts, store, ask

    def create_reader_study(
        self, request: wire.CreateReaderStudyRequest, call: Call, user: str = OWNER
    ) -> Iterator[wire.CreateReaderStudyAnswer]:
        """What is wrong with the request is said at once, not in the stream."""
        title = request.title.strip()
        if not title or len(title) > _MOST_TITLE:
            raise invalid(f"give the study a title of at most {_MOST_TITLE} characters")
        if len(request.image_ids) > MOST_SETS:
            raise invalid(f"at most {MOST_SETS} queries")
        design = convert.design(request.design)
        access = call.access.condition()
        drawing = Drawing(self._facts, self._store, self._ask, access, call.cancelled)(design, request.image_ids)
        first = next(drawing)  # the model is there

        def tell() -> Iterator[wire.CreateReaderStudyAnswer]:
            for one in chain([first], drawing):
                if isinstance(one, JobProgress):
                    at = jobs_pb2.JobProgress(stage=one.stage, done=one.done, total=one.total)
                    yield wire.CreateReaderStudyAnswer(progress=at)
                else:
                    yield wire.CreateReaderStudyAnswer(study=self._keep(user, title, one))

        return tell()

    def list_reader_studies(
        self, request: wire.ListReaderStudiesRequest, call: Call, user: str = OWNER
    ) -> wire.ListReaderStudiesResponse:
        found = reader_studies.listed(self._facts, user, _seen(call))
        return wire.ListReaderStudiesResponse(studies=[convert.study(self._facts, one) for one in found])

    def get_reader_study(self, request: wire.ReaderStudyIdRequest, call: Call, user: str = OWNER) -> wire.ReaderStudy:
        return convert.study(self._facts, self._mine(request.study_id, call, user))

    def delete_reader_study(
        self, request: wire.ReaderStudyIdRequest, call: Call, user: str = OWNER
    ) -> wire.DeleteReaderStudyResponse:
        study = self._mine(request.study_id, call, user)
        return wire.DeleteReaderStudyResponse(answers=reader_studies.remove(self._facts, study.study_id))

    def invite_reader(self, request: wire.InviteReaderRequest, call: Call, user: str = OWNER) -> wire.ReaderInvitation:
        study = self._mine(request.study_id, call, user)
        name = request.name.strip()
        if not name or len(name) > _MOST_NAME or not name.isprintable():
            raise invalid(f"give the reader a name of at most {_MOST_NAME} letters")
        if study.state != OPEN:
            raise HilumError(ErrorCode.FAILED_PRECONDITION, "the study is closed; open it again to invite readers")
        if not request.renew and len(reader_studies.invited(self._facts, study.study_id)) >= MOST_READERS:
            raise HilumError(ErrorCode.FAILED_PRECONDITION, f"a study has at most {MOST_READERS} readers")
        token, digest = new_token()
        who = reader_studies.invite(self._facts, study.study_id, name, digest, request.renew)
        return wire.ReaderInvitation(reader=convert.reader(who), token=token, path=f"/read/{token}")

    def close_reader_study(
        self, request: wire.CloseReaderStudyRequest, call: Call, user: str = OWNER
    ) -> wire.ReaderStudy:
        study = self._mine(request.study_id, call, user)
        reader_studies.move(self._facts, study.study_id, OPEN if request.open else CLOSED)
        return convert.study(self._facts, self._mine(request.study_id, call, user))

    def get_reader_study_results(
        self, request: wire.ReaderStudyResultsRequest, call: Call, user: str = OWNER
    ) -> wire.ReaderStudyResults:
        study = self._mine(request.study_id, call, user)
        found, answers = self._results(study, tuple(request.readers))
        return convert.results(convert.study(self._facts, study), study, found, answers)

    def export_reader_study(
        self, request: wire.ExportReaderStudyRequest, call: Call, user: str = OWNER
    ) -> wire.ReaderStudyFile:
        study, kind = self._mine(request.study_id, call, user), export.known(request.format)
        if kind == "csv":
            data = export.as_csv(self._facts, study)
        else:
            found, answers = self._results(study)
            if kind == "qrels":
                data = export.as_qrels(found, answers)
            else:
                told = convert.results(convert.study(self._facts, study), study, found, answers)
                data = export.as_json(self._facts, study, told)
        name = re.sub(r"[^A-Za-z0-9]+", "-", study.title).strip("-")[:40] or "study"
        types = {"csv": "text/csv", "json": "application/json", "qrels": "text/plain"}
        return wire.ReaderStudyFile(name=f"{name}.{kind}", content_type=types[kind], data=data)

    def keep_reader_grades(
        self, request: wire.ReaderStudyIdRequest, call: Call, user: str = OWNER
    ) -> wire.KeepReaderGradesResponse:
        """Saved searches, one for each query, with what readers made of the films as marks."""
        study = self._mine(request.study_id, call, user)
        found, answers = self._results(study)
        if not found.sets:
            raise HilumError(ErrorCode.FAILED_PRECONDITION, "nobody has answered yet")
        saved, made = Saved(self._facts), []
        for number, content, grades in zip(answers.numbers, answers.contents, export.consensus(found), strict=True):
            query = query_pb2.Query(image_id=str(content["query"]))
            asked = query_pb2.SearchRequest(query=query, models=[answers.design.model], exact=True)
            kept = saved.save(user, f"{study.title[:180]}, set {number + 1}", asked)
            films = list(content["films"])  # type: ignore[call-overload]
            searches.mark(self._facts, user, kept.search_id, dict(zip(films, grades, strict=True)))
            made.append(kept.search_id)
        return wire.KeepReaderGradesResponse(search_ids=made)

    def _keep(self, user: str, title: str, drawn: Drawn) -> wire.ReaderStudy:
        about: dict[str, object] = {
            "model": drawn.spec.name, "fingerprint": drawn.spec.fingerprint, "strata": drawn.strata,
            "repeats": drawn.repeats, "versions": drawn.versions,
        }  # fmt: skip
        made = reader_studies.create(self._facts, user, title, drawn.design.as_json(), about, drawn.contents)
        return convert.study(self._facts, reader_studies.get(self._facts, user, made))

    def _results(self, study: Study, names: tuple[str, ...] = ()) -> tuple[Results, Judged]:
        answers = judged(self._facts, study, names)
        return results(self._facts, answers), answers

    def _mine(self, study_id: str, call: Call, user: str) -> Study:
        return reader_studies.get(self._facts, user, study_id, _seen(call))


class ReadingApi:
    """What a reader sees and says."""

    service = wire.DESCRIPTOR.services_by_name["ReadingService"]
    routes = (
        Route("GET", "/v1/reading/{token}", "OpenReading"),
        Route("GET", "/v1/reading/{token}/sets/{number}/pictures/{place}", "GetReadingPicture"),
        Route("POST", "/v1/reading/{token}/sets/{number}:answer", "AnswerReading"),
    )

    def __init__(self, facts: Facts, images: Images) -> None:
        self._readings = Readings(facts, images)

    def open_reading(self, request: wire.OpenReadingRequest, call: Call) -> wire.Reading:
        return convert.reading(self._readings.open(request.token, call.access))

    def get_reading_picture(self, request: wire.ReadingPictureRequest, call: Call) -> common_pb2.Blob:
        picture = self._readings.picture(request.token, request.number, request.place, call.access)
        return common_pb2.Blob(content_type=picture.content_type, data=picture.data)

    def answer_reading(self, request: wire.AnswerReadingRequest, call: Call) -> wire.ReadingSet:
        kept = self._readings.answer(
            request.token, request.number, request.chosen, request.grades, request.seconds, call.access
        )
        return convert.shown(kept)


def _seen(call: Call) -> Condition | None:
    return None if call.access == ALL else to_sql(call.access.condition())
