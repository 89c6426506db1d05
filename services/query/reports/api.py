"""hilum.v1.ReportService: convert, call the use case, convert.

api = ReportsApi(facts, store, encode, search.ordinary)
"""

from __future__ import annotations

from hilum.v1 import common_pb2, jobs_pb2, reports_pb2
from services.core.errors import ErrorCode, HilumError, invalid
from services.core.facts import Facts, jobs, reports
from services.core.store import VectorStore
from services.core.store.reports import meaning
from services.query import convert
from services.query.asked import Exclude
from services.query.by import StoredFilm, UploadedFilm, Words
from services.query.reports.asked import How, ReportAnswer, ReportHit, ReportQuery
from services.query.reports.search import SearchReports
from services.query.search.ordinary import Ordinary
from services.transport.edge import Call, Route
from services.transport.encode_client import EncodeClient
from services.transport.jobs import job_message

INDEX_JOB = "reports"  # the kind that an ingest worker takes


class ReportsApi:
    """Reports out; indexing them is a job that ingest's worker does."""

    service = reports_pb2.DESCRIPTOR.services_by_name["ReportService"]
    routes = (
        Route("POST", "/v1/reports:search", "SearchReports"),
        Route("POST", "/v1/reports:index", "IndexReports"),
    )

    def __init__(self, facts: Facts, store: VectorStore, encode: EncodeClient, ordinary: Ordinary) -> None:
        self._facts = facts
        self._search = SearchReports(facts, store, encode, ordinary.warnings)

    def search_reports(
        self, request: reports_pb2.SearchReportsRequest, call: Call
    ) -> reports_pb2.SearchReportsResponse:
        return _response(self._search(_query(request), call.cancelled, call.access.condition()))

    def index_reports(self, request: reports_pb2.IndexReportsRequest, call: Call) -> jobs_pb2.Job:
        known = filter(call.access.sees, reports.datasets(self._facts))
        if request.dataset and request.dataset not in known:
            raise HilumError(ErrorCode.NOT_FOUND, "this dataset has no reports; ingest them with its films first")
        return job_message(jobs.submit(self._facts, INDEX_JOB, {"dataset": request.dataset}))


def _query(request: reports_pb2.SearchReportsRequest) -> ReportQuery:
    exclude = request.exclude or Exclude.PATIENT.value
    if exclude not in set(Exclude):
        raise invalid(f"exclude is one of {', '.join(Exclude)}")
    how = request.how or How.FUSED.value
    if how not in set(How):
        raise invalid(f"how is one of {', '.join(How)}")
    return ReportQuery(
        _by(request), How(how), request.model, request.filter, request.section, request.limit, Exclude(exclude)
    )


def _by(request: reports_pb2.SearchReportsRequest) -> Words | StoredFilm | UploadedFilm:
    match request.WhichOneof("by"):
        case "text":
            return Words(request.text)
        case "image_id":
            return StoredFilm(request.image_id)
        case "image":
            return UploadedFilm(request.image)
        case _:
            raise invalid("say what to look for: one of text, image_id or image")


def _response(answer: ReportAnswer) -> reports_pb2.SearchReportsResponse:
    how = answer.provenance
    return reports_pb2.SearchReportsResponse(
        hits=map(_hit, answer.hits),
        indexed=answer.indexed,
        provenance=common_pb2.Provenance(
            models=[
                common_pb2.ModelUse(name=spec.name, fingerprint=spec.fingerprint, collection=meaning(spec))
                for spec in how.models
            ],
            filter=how.filter, exclude=how.exclude.value, exact=how.exact, versions=how.versions, time=how.time,
            elapsed_ms=how.elapsed_ms, notes=how.notes,
        ),
    )  # fmt: skip


def _hit(hit: ReportHit) -> reports_pb2.ReportHit:
    return reports_pb2.ReportHit(
        dataset=hit.key.dataset, study_id=hit.key.study_id, section=hit.key.section, text=hit.text, score=hit.score,
        lexical_rank=hit.lexical_rank, meaning_rank=hit.meaning_rank, sentences=hit.sentences,
        images=map(convert.image, hit.images),
    )  # fmt: skip
