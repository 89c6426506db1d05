"""hilum.v1.QueryService: convert, call the use case, convert.

api = QueryApi(facts, store, encode, blobs)
"""

from __future__ import annotations

from collections.abc import Iterator

from hilum.v1 import common_pb2, encode_pb2, query_pb2, saliency_pb2
from services.core.blobs import Blobs
from services.core.errors import HilumError
from services.core.facts import Facts
from services.core.store import VectorStore
from services.query import convert
from services.query.asked import SearchQuery
from services.query.batch import Outcome, SearchBatch
from services.query.explain import Explain
from services.query.facets import facets
from services.query.images import Images
from services.query.quality import quality
from services.query.search import Search
from services.query.search.pages import Pages
from services.query.search.why_not import WhyNot
from services.transport import errors
from services.transport.edge import Call, Route
from services.transport.encode_client import EncodeClient


class QueryApi:
    """Search, films and their counts."""

    service = query_pb2.DESCRIPTOR.services_by_name["QueryService"]
    routes = (
        Route("POST", "/v1/search", "Search"),
        Route("POST", "/v1/search:stream", "SearchStream"),
        Route("POST", "/v1/search:batch", "SearchBatch"),
        Route("POST", "/v1/search:whyNot", "WhyNot"),
        Route("GET", "/v1/quality", "GetQuality"),
        Route("GET", "/v1/images/{image_id}", "GetImage"),
        Route("GET", "/v1/images/{image_id}/thumbnail", "GetThumbnail"),
        Route("POST", "/v1/images:query", "QueryImages"),
        Route("POST", "/v1/images:facets", "FacetImages"),
        Route("POST", "/v1/images/{image_id}:explain", "ExplainMatch"),
    )

    def __init__(
        self, facts: Facts, store: VectorStore, encode: EncodeClient, blobs: Blobs, recall_sample: float = 0.0
    ) -> None:
        self._facts, self._encode = facts, encode
        self.images = Images(facts, blobs)
        self.searching = Search(facts, store, encode, self.images, recall_sample)
        self.pages = Pages(self.searching, facts)
        self._batch = SearchBatch(self.searching)
        self._why_not = WhyNot(facts, store, self.searching)
        self._explain = Explain(facts, store, encode, self.images)

    def search(self, request: query_pb2.SearchRequest, call: Call) -> query_pb2.SearchResponse:
        if request.page_token:
            return convert.search_response(self.pages.next(request.page_token, call.access.condition()))
        return convert.search_response(
            self.pages(convert.search_query(request), call.cancelled, call.access.condition())
        )

    def search_stream(self, request: query_pb2.SearchRequest, call: Call) -> Iterator[query_pb2.SearchResponse]:
        return map(
            convert.search_response,
            self.pages.stream(convert.streamed(request), call.cancelled, call.access.condition()),
        )

    def why_not(self, request: query_pb2.WhyNotRequest, call: Call) -> query_pb2.WhyNotResponse:
        query = convert.search_query(request.search)
        return convert.why_not_response(self._why_not(query, request.image_id, call.cancelled, call.access.condition()))

    def get_quality(self, request: query_pb2.GetQualityRequest, call: Call) -> query_pb2.Quality:
        return quality(self._facts)

    def search_batch(self, request: query_pb2.SearchBatchRequest, call: Call) -> query_pb2.SearchBatchResponse:
        outcomes = self._batch([_read(one) for one in request.requests], call.cancelled, call.access.condition())
        return query_pb2.SearchBatchResponse(outcomes=[_outcome(outcome, call) for outcome in outcomes])

    def get_image(self, request: query_pb2.GetImageRequest, call: Call) -> common_pb2.Image:
        return convert.image(self.images.get(request.image_id, call.access))

    def get_thumbnail(self, request: query_pb2.GetImageRequest, call: Call) -> common_pb2.Blob:
        picture = self.images.picture(request.image_id, call.access)
        return common_pb2.Blob(content_type=picture.content_type, data=picture.data)

    def query_images(self, request: query_pb2.QueryImagesRequest, call: Call) -> query_pb2.QueryImagesResponse:
        return convert.page_response(
            self.images.page(request.filter, request.page_size, request.page_token, call.access)
        )

    def facet_images(self, request: query_pb2.FacetImagesRequest, call: Call) -> query_pb2.FacetImagesResponse:
        return convert.facets_response(facets(self._facts, request.filter, request.fields, call.access))

    def explain_match(self, request: query_pb2.ExplainMatchRequest, call: Call) -> saliency_pb2.Explanation:
        by = convert.by(request.query)
        return self._explain(request.image_id, by, request.model, request.method, call.access)

    def models(self) -> list[encode_pb2.Model]:
        """The encoders at hand and those the archive knows, for the pages; clients ask EncodeService."""
        return self._encode.models()

    def close(self) -> None:
        self._batch.close()
        self.searching.close()


def _read(request: query_pb2.SearchRequest) -> SearchQuery | HilumError:
    try:
        return convert.search_query(request)
    except HilumError as error:
        return error


def _outcome(outcome: Outcome, call: Call) -> query_pb2.SearchOutcome:
    if isinstance(outcome, HilumError):
        return query_pb2.SearchOutcome(error=errors.message(outcome, call.request_id))
    return query_pb2.SearchOutcome(response=convert.search_response(outcome))
