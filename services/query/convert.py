"""Messages of the contract to and from the use cases' own types."""

from __future__ import annotations

from hilum.v1 import common_pb2, query_pb2
from services.core.errors import invalid
from services.core.labels import merge
from services.query.asked import (
    By,
    Exclude,
    Hit,
    RawVector,
    SearchAnswer,
    SearchQuery,
    StoredFilm,
    UploadedFilm,
    Words,
)
from services.query.facets import Facets
from services.query.films import StoredImage
from services.query.images import Page
from services.transport.vectors import from_message


def search_query(request: query_pb2.SearchRequest) -> SearchQuery:
    """Message → question. Raises INVALID_ARGUMENT for what cannot be asked."""
    exclude = request.exclude or Exclude.PATIENT.value
    if exclude not in set(Exclude):
        raise invalid(f"exclude is one of {', '.join(Exclude)}")
    return SearchQuery(
        by=by(request.query),
        models=tuple(request.models),
        filter=request.filter,
        limit=request.limit,
        exclude=Exclude(exclude),
        exact=request.exact,
    )


def by(query: query_pb2.Query) -> By:
    """Message → what to look for. Raises INVALID_ARGUMENT for what is none."""
    match query.WhichOneof("by"):
        case "image_id":
            return StoredFilm(query.image_id)
        case "image":
            return UploadedFilm(query.image)
        case "text":
            return Words(query.text)
        case "vector":
            return RawVector(from_message(query.vector))
        case _:
            raise invalid("say what to look for: query holds one of image_id, image, text or vector")


def search_response(answer: SearchAnswer) -> query_pb2.SearchResponse:
    """Answer → message."""
    how = answer.provenance
    return query_pb2.SearchResponse(
        hits=[_hit(hit) for hit in answer.hits],
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
    )


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
