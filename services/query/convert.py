"""Messages of the contract to and from the use cases' own types."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TypeVar

from hilum.v1 import common_pb2, query_pb2
from services.core.errors import invalid
from services.core.labels import merge
from services.core.limits import MAX_PAGE_SIZE
from services.query import words
from services.query.asked import (
    Exclude,
    GroupBy,
    Hit,
    Hubs,
    Meaning,
    Mode,
    Ranking,
    Reading,
    SearchAnswer,
    SearchQuery,
    Showing,
)
from services.query.by import (
    By,
    FilmRegion,
    Mixture,
    RawVector,
    ReportWords,
    Single,
    StoredFilm,
    StudyFilms,
    UploadedFilm,
    Words,
    examples,
    moved,
)
from services.query.facets import Facets
from services.query.films import StoredImage
from services.query.fusion import Fusion
from services.query.images import Page
from services.query.search.why_not import Reason
from services.transport.vectors import from_message

E = TypeVar("E", bound=StrEnum)


def search_query(request: query_pb2.SearchRequest) -> SearchQuery:
    """Message → question. Raises INVALID_ARGUMENT for what cannot be asked."""
    return SearchQuery(
        by=by(request.query) if request.query.WhichOneof("by") else None,
        models=tuple(request.models),
        filter=request.filter,
        limit=request.limit,
        exclude=_one_of(Exclude, "exclude", request.exclude or Exclude.PATIENT.value),
        exact=request.exact,
        ranking=Ranking(
            mode=_one_of(Mode, "mode", request.mode or Mode.NEAREST.value),
            finding=request.finding,
            fusion=_one_of(Fusion, "fusion", request.fusion or Fusion.RRF.value),
            weights=dict(request.weights),
            hubs=_one_of(Hubs, "hubs", request.hubs or Hubs.KEEP.value),
            diversity=request.diversity,
            at_least=request.at_least,
            reading=_one_of(Reading, "reading", request.reading or Reading.UNDERSTOOD.value),
        ),
        showing=Showing(
            group_by=_one_of(GroupBy, "group_by", request.group_by),
            group_size=request.group_size or 3,
            per_patient=request.per_patient,
            fold=not request.keep_duplicates,
            priors=request.priors,
            page_size=request.page_size,
        ),
    )


def streamed(request: query_pb2.SearchRequest) -> SearchQuery:
    """The same for an answer in pieces: its limit is that of pages."""
    whole = query_pb2.SearchRequest()
    whole.CopyFrom(request)
    whole.page_size = whole.page_size or MAX_PAGE_SIZE
    return search_query(whole)


def by(query: query_pb2.Query) -> By:
    """Message → what to look for. Raises INVALID_ARGUMENT for what is none."""
    match query.WhichOneof("by"):
        case "examples":
            return _examples(query.examples)
        case "mixture":
            return Mixture(tuple((_single(part.query), part.weight or 1.0) for part in query.mixture.parts))
        case _:
            return _single(query)


def _examples(told: query_pb2.Examples) -> By:
    positive, negative = [_single(one) for one in told.positive], [_single(one) for one in told.negative]
    if not told.HasField("question"):
        return examples(positive, negative)
    if told.question.WhichOneof("by") == "examples":
        raise invalid("examples move a question that is none of examples itself")
    return moved(by(told.question), [(one, 1.0) for one in positive], negative)


def _single(query: query_pb2.Query) -> Single:
    match query.WhichOneof("by"):
        case "image_id":
            return StoredFilm(query.image_id)
        case "image":
            return UploadedFilm(query.image)
        case "text":
            return Words(query.text)
        case "vector":
            return RawVector(from_message(query.vector))
        case "study":
            return StudyFilms(query.study.dataset, query.study.study_id)
        case "report":
            return ReportWords(query.report.dataset, query.report.study_id, query.report.section)
        case "region":
            part = query.region
            if not part.WhichOneof("film"):
                raise invalid("say which film the region is of: image_id or image")
            film = StoredFilm(part.image_id) if part.WhichOneof("film") == "image_id" else UploadedFilm(part.image)
            return FilmRegion(film, part.x, part.y, part.width, part.height)
        case "examples" | "mixture":
            raise invalid("examples and mixtures are made of single things: films, words, vectors, studies, regions")
        case _:
            raise invalid(
                "say what to look for: query holds one of image_id, image, text, vector, study, region, examples "
                "or mixture"
            )


def _one_of(kind: type[E], name: str, value: str) -> E:
    try:
        return kind(value)
    except ValueError:
        raise invalid(f"{name} is one of {', '.join(one.value for one in kind if one.value)}") from None


def why_not_response(reasons: Sequence[Reason]) -> query_pb2.WhyNotResponse:
    """Reasons → message."""
    return query_pb2.WhyNotResponse(
        reasons=[
            query_pb2.Reason(
                code=one.code, message=one.message, model=one.model, rank=one.rank, score=one.score, clause=one.clause
            )
            for one in reasons
        ]
    )


def search_response(answer: SearchAnswer) -> query_pb2.SearchResponse:
    """Answer → message."""
    how = answer.provenance
    return query_pb2.SearchResponse(
        hits=[_hit(hit) for hit in answer.hits],
        priors=[_hit(hit) for hit in answer.priors],
        next_page_token=answer.next_token,
        nothing_comparable=answer.nothing_comparable,
        understood=map(words.message, answer.understood),
        models_asked=len(how.models),
        warnings=answer.warnings,
        provenance=common_pb2.Provenance(
            models=[
                common_pb2.ModelUse(name=spec.name, fingerprint=spec.fingerprint, collection=spec.collection)
                for spec in how.models
            ],
            filter=how.filter,
            exclude=how.exclude.value,
            exact=how.exact,
            versions=how.versions,
            time=how.time,
            elapsed_ms=how.elapsed_ms,
            notes=how.notes,
        ),
    )


def _hit(hit: Hit) -> query_pb2.Hit:
    shown = image(hit.image)
    return query_pb2.Hit(
        image_id=shown.image_id,
        score=hit.score,
        image=shown,
        agreement=[query_pb2.Agreement(model=p.model, rank=p.rank, score=p.score) for p in hit.places],
        thumbnail=shown.thumbnail,
        same_patient=hit.same_patient,
        calibrated=_calibrated(hit.meaning) if hit.meaning else None,
        copies=hit.copies,
        group=hit.group,
        hub=hit.hub,
        why=hit.why,
    )


def _calibrated(meaning: Meaning) -> query_pb2.Calibrated:
    return query_pb2.Calibrated(
        probability=meaning.probability, low=meaning.low, high=meaning.high, finding=meaning.finding,
        model=meaning.model,
    )  # fmt: skip


def image(film: StoredImage) -> common_pb2.Image:
    """Film → message; what is unknown stays empty."""
    record = film.record
    return common_pb2.Image(
        image_id=record.image_id,
        dataset=record.dataset,
        patient_id=record.patient_id or "",
        study_id=record.study_id or "",
        view=record.view or "",
        sex=record.sex or "",
        age=record.age,
        study_date=record.study_date or "",
        modality=record.modality or "",
        rows=record.rows,
        columns=record.columns,
        labels={name: state.value for name, state in merge(list(record.labels)).items()},
        licence=record.licence or "",
        attribution=record.attribution or "",
        thumbnail=f"/v1/images/{record.image_id}/thumbnail",
        models=film.models,
    )


def page_response(page: Page) -> query_pb2.QueryImagesResponse:
    """Page → message."""
    return query_pb2.QueryImagesResponse(
        images=[image(film) for film in page.films], next_page_token=page.next_token, total=page.total
    )


def facets_response(counted: Facets) -> query_pb2.FacetImagesResponse:
    """Facets → message."""
    return query_pb2.FacetImagesResponse(
        facets=[
            query_pb2.Facet(
                field=facet.field,
                counts=[query_pb2.FacetCount(value=value, count=films) for value, films in facet.counts.items()],
            )
            for facet in counted.facets
        ],
        total=counted.total,
    )
