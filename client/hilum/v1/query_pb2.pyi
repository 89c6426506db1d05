from hilum.v1 import common_pb2 as _common_pb2
from hilum.v1 import encode_pb2 as _encode_pb2
from hilum.v1 import saliency_pb2 as _saliency_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Query(_message.Message):
    __slots__ = ("image_id", "image", "text", "vector", "study", "region", "examples", "mixture", "report")
    IMAGE_ID_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    VECTOR_FIELD_NUMBER: _ClassVar[int]
    STUDY_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    EXAMPLES_FIELD_NUMBER: _ClassVar[int]
    MIXTURE_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    image_id: str
    image: bytes
    text: str
    vector: _encode_pb2.Vector
    study: Study
    region: Region
    examples: Examples
    mixture: Mixture
    report: Report
    def __init__(self, image_id: _Optional[str] = ..., image: _Optional[bytes] = ..., text: _Optional[str] = ..., vector: _Optional[_Union[_encode_pb2.Vector, _Mapping]] = ..., study: _Optional[_Union[Study, _Mapping]] = ..., region: _Optional[_Union[Region, _Mapping]] = ..., examples: _Optional[_Union[Examples, _Mapping]] = ..., mixture: _Optional[_Union[Mixture, _Mapping]] = ..., report: _Optional[_Union[Report, _Mapping]] = ...) -> None: ...

class Study(_message.Message):
    __slots__ = ("dataset", "study_id")
    DATASET_FIELD_NUMBER: _ClassVar[int]
    STUDY_ID_FIELD_NUMBER: _ClassVar[int]
    dataset: str
    study_id: str
    def __init__(self, dataset: _Optional[str] = ..., study_id: _Optional[str] = ...) -> None: ...

class Region(_message.Message):
    __slots__ = ("image_id", "image", "x", "y", "width", "height")
    IMAGE_ID_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    X_FIELD_NUMBER: _ClassVar[int]
    Y_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    image_id: str
    image: bytes
    x: float
    y: float
    width: float
    height: float
    def __init__(self, image_id: _Optional[str] = ..., image: _Optional[bytes] = ..., x: _Optional[float] = ..., y: _Optional[float] = ..., width: _Optional[float] = ..., height: _Optional[float] = ...) -> None: ...

class Report(_message.Message):
    __slots__ = ("dataset", "study_id", "section")
    DATASET_FIELD_NUMBER: _ClassVar[int]
    STUDY_ID_FIELD_NUMBER: _ClassVar[int]
    SECTION_FIELD_NUMBER: _ClassVar[int]
    dataset: str
    study_id: str
    section: str
    def __init__(self, dataset: _Optional[str] = ..., study_id: _Optional[str] = ..., section: _Optional[str] = ...) -> None: ...

class Examples(_message.Message):
    __slots__ = ("positive", "negative", "question")
    POSITIVE_FIELD_NUMBER: _ClassVar[int]
    NEGATIVE_FIELD_NUMBER: _ClassVar[int]
    QUESTION_FIELD_NUMBER: _ClassVar[int]
    positive: _containers.RepeatedCompositeFieldContainer[Query]
    negative: _containers.RepeatedCompositeFieldContainer[Query]
    question: Query
    def __init__(self, positive: _Optional[_Iterable[_Union[Query, _Mapping]]] = ..., negative: _Optional[_Iterable[_Union[Query, _Mapping]]] = ..., question: _Optional[_Union[Query, _Mapping]] = ...) -> None: ...

class Part(_message.Message):
    __slots__ = ("query", "weight")
    QUERY_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    query: Query
    weight: float
    def __init__(self, query: _Optional[_Union[Query, _Mapping]] = ..., weight: _Optional[float] = ...) -> None: ...

class Mixture(_message.Message):
    __slots__ = ("parts",)
    PARTS_FIELD_NUMBER: _ClassVar[int]
    parts: _containers.RepeatedCompositeFieldContainer[Part]
    def __init__(self, parts: _Optional[_Iterable[_Union[Part, _Mapping]]] = ...) -> None: ...

class SearchRequest(_message.Message):
    __slots__ = ("query", "models", "filter", "limit", "exclude", "exact", "request_id", "fusion", "weights", "group_by", "group_size", "per_patient", "keep_duplicates", "priors", "mode", "finding", "diversity", "hubs", "at_least", "reading", "page_size", "page_token")
    class WeightsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    QUERY_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    EXCLUDE_FIELD_NUMBER: _ClassVar[int]
    EXACT_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    FUSION_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    GROUP_BY_FIELD_NUMBER: _ClassVar[int]
    GROUP_SIZE_FIELD_NUMBER: _ClassVar[int]
    PER_PATIENT_FIELD_NUMBER: _ClassVar[int]
    KEEP_DUPLICATES_FIELD_NUMBER: _ClassVar[int]
    PRIORS_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    FINDING_FIELD_NUMBER: _ClassVar[int]
    DIVERSITY_FIELD_NUMBER: _ClassVar[int]
    HUBS_FIELD_NUMBER: _ClassVar[int]
    AT_LEAST_FIELD_NUMBER: _ClassVar[int]
    READING_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    query: Query
    models: _containers.RepeatedScalarFieldContainer[str]
    filter: str
    limit: int
    exclude: str
    exact: bool
    request_id: str
    fusion: str
    weights: _containers.ScalarMap[str, float]
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
    page_token: str
    def __init__(self, query: _Optional[_Union[Query, _Mapping]] = ..., models: _Optional[_Iterable[str]] = ..., filter: _Optional[str] = ..., limit: _Optional[int] = ..., exclude: _Optional[str] = ..., exact: _Optional[bool] = ..., request_id: _Optional[str] = ..., fusion: _Optional[str] = ..., weights: _Optional[_Mapping[str, float]] = ..., group_by: _Optional[str] = ..., group_size: _Optional[int] = ..., per_patient: _Optional[int] = ..., keep_duplicates: _Optional[bool] = ..., priors: _Optional[bool] = ..., mode: _Optional[str] = ..., finding: _Optional[str] = ..., diversity: _Optional[float] = ..., hubs: _Optional[str] = ..., at_least: _Optional[float] = ..., reading: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class Agreement(_message.Message):
    __slots__ = ("model", "rank", "score")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    RANK_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    model: str
    rank: int
    score: float
    def __init__(self, model: _Optional[str] = ..., rank: _Optional[int] = ..., score: _Optional[float] = ...) -> None: ...

class Calibrated(_message.Message):
    __slots__ = ("probability", "low", "high", "finding", "model")
    PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    LOW_FIELD_NUMBER: _ClassVar[int]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    FINDING_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    probability: float
    low: float
    high: float
    finding: str
    model: str
    def __init__(self, probability: _Optional[float] = ..., low: _Optional[float] = ..., high: _Optional[float] = ..., finding: _Optional[str] = ..., model: _Optional[str] = ...) -> None: ...

class Hit(_message.Message):
    __slots__ = ("image_id", "score", "image", "agreement", "thumbnail", "same_patient", "calibrated", "copies", "group", "hub", "why")
    IMAGE_ID_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    AGREEMENT_FIELD_NUMBER: _ClassVar[int]
    THUMBNAIL_FIELD_NUMBER: _ClassVar[int]
    SAME_PATIENT_FIELD_NUMBER: _ClassVar[int]
    CALIBRATED_FIELD_NUMBER: _ClassVar[int]
    COPIES_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    HUB_FIELD_NUMBER: _ClassVar[int]
    WHY_FIELD_NUMBER: _ClassVar[int]
    image_id: str
    score: float
    image: _common_pb2.Image
    agreement: _containers.RepeatedCompositeFieldContainer[Agreement]
    thumbnail: str
    same_patient: bool
    calibrated: Calibrated
    copies: _containers.RepeatedScalarFieldContainer[str]
    group: str
    hub: float
    why: str
    def __init__(self, image_id: _Optional[str] = ..., score: _Optional[float] = ..., image: _Optional[_Union[_common_pb2.Image, _Mapping]] = ..., agreement: _Optional[_Iterable[_Union[Agreement, _Mapping]]] = ..., thumbnail: _Optional[str] = ..., same_patient: _Optional[bool] = ..., calibrated: _Optional[_Union[Calibrated, _Mapping]] = ..., copies: _Optional[_Iterable[str]] = ..., group: _Optional[str] = ..., hub: _Optional[float] = ..., why: _Optional[str] = ...) -> None: ...

class Understood(_message.Message):
    __slots__ = ("finding", "words", "polarity", "side", "severity")
    FINDING_FIELD_NUMBER: _ClassVar[int]
    WORDS_FIELD_NUMBER: _ClassVar[int]
    POLARITY_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    SEVERITY_FIELD_NUMBER: _ClassVar[int]
    finding: str
    words: str
    polarity: str
    side: str
    severity: str
    def __init__(self, finding: _Optional[str] = ..., words: _Optional[str] = ..., polarity: _Optional[str] = ..., side: _Optional[str] = ..., severity: _Optional[str] = ...) -> None: ...

class SearchResponse(_message.Message):
    __slots__ = ("hits", "provenance", "priors", "next_page_token", "nothing_comparable", "understood", "models_asked", "warnings")
    HITS_FIELD_NUMBER: _ClassVar[int]
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    PRIORS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    NOTHING_COMPARABLE_FIELD_NUMBER: _ClassVar[int]
    UNDERSTOOD_FIELD_NUMBER: _ClassVar[int]
    MODELS_ASKED_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    hits: _containers.RepeatedCompositeFieldContainer[Hit]
    provenance: _common_pb2.Provenance
    priors: _containers.RepeatedCompositeFieldContainer[Hit]
    next_page_token: str
    nothing_comparable: bool
    understood: _containers.RepeatedCompositeFieldContainer[Understood]
    models_asked: int
    warnings: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, hits: _Optional[_Iterable[_Union[Hit, _Mapping]]] = ..., provenance: _Optional[_Union[_common_pb2.Provenance, _Mapping]] = ..., priors: _Optional[_Iterable[_Union[Hit, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., nothing_comparable: _Optional[bool] = ..., understood: _Optional[_Iterable[_Union[Understood, _Mapping]]] = ..., models_asked: _Optional[int] = ..., warnings: _Optional[_Iterable[str]] = ...) -> None: ...

class WhyNotRequest(_message.Message):
    __slots__ = ("search", "image_id")
    SEARCH_FIELD_NUMBER: _ClassVar[int]
    IMAGE_ID_FIELD_NUMBER: _ClassVar[int]
    search: SearchRequest
    image_id: str
    def __init__(self, search: _Optional[_Union[SearchRequest, _Mapping]] = ..., image_id: _Optional[str] = ...) -> None: ...

class Reason(_message.Message):
    __slots__ = ("code", "message", "model", "rank", "score", "clause")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    RANK_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    CLAUSE_FIELD_NUMBER: _ClassVar[int]
    code: str
    message: str
    model: str
    rank: int
    score: float
    clause: str
    def __init__(self, code: _Optional[str] = ..., message: _Optional[str] = ..., model: _Optional[str] = ..., rank: _Optional[int] = ..., score: _Optional[float] = ..., clause: _Optional[str] = ...) -> None: ...

class WhyNotResponse(_message.Message):
    __slots__ = ("reasons",)
    REASONS_FIELD_NUMBER: _ClassVar[int]
    reasons: _containers.RepeatedCompositeFieldContainer[Reason]
    def __init__(self, reasons: _Optional[_Iterable[_Union[Reason, _Mapping]]] = ...) -> None: ...

class SearchBatchRequest(_message.Message):
    __slots__ = ("requests",)
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    requests: _containers.RepeatedCompositeFieldContainer[SearchRequest]
    def __init__(self, requests: _Optional[_Iterable[_Union[SearchRequest, _Mapping]]] = ...) -> None: ...

class SearchOutcome(_message.Message):
    __slots__ = ("response", "error")
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    response: SearchResponse
    error: _common_pb2.Error
    def __init__(self, response: _Optional[_Union[SearchResponse, _Mapping]] = ..., error: _Optional[_Union[_common_pb2.Error, _Mapping]] = ...) -> None: ...

class SearchBatchResponse(_message.Message):
    __slots__ = ("outcomes",)
    OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    outcomes: _containers.RepeatedCompositeFieldContainer[SearchOutcome]
    def __init__(self, outcomes: _Optional[_Iterable[_Union[SearchOutcome, _Mapping]]] = ...) -> None: ...

class GetImageRequest(_message.Message):
    __slots__ = ("image_id",)
    IMAGE_ID_FIELD_NUMBER: _ClassVar[int]
    image_id: str
    def __init__(self, image_id: _Optional[str] = ...) -> None: ...

class QueryImagesRequest(_message.Message):
    __slots__ = ("filter", "page_size", "page_token")
    FILTER_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    filter: str
    page_size: int
    page_token: str
    def __init__(self, filter: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class QueryImagesResponse(_message.Message):
    __slots__ = ("images", "next_page_token", "total")
    IMAGES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    images: _containers.RepeatedCompositeFieldContainer[_common_pb2.Image]
    next_page_token: str
    total: int
    def __init__(self, images: _Optional[_Iterable[_Union[_common_pb2.Image, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., total: _Optional[int] = ...) -> None: ...

class FacetImagesRequest(_message.Message):
    __slots__ = ("filter", "fields")
    FILTER_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    filter: str
    fields: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, filter: _Optional[str] = ..., fields: _Optional[_Iterable[str]] = ...) -> None: ...

class FacetCount(_message.Message):
    __slots__ = ("value", "count")
    VALUE_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    value: str
    count: int
    def __init__(self, value: _Optional[str] = ..., count: _Optional[int] = ...) -> None: ...

class Facet(_message.Message):
    __slots__ = ("field", "counts")
    FIELD_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    field: str
    counts: _containers.RepeatedCompositeFieldContainer[FacetCount]
    def __init__(self, field: _Optional[str] = ..., counts: _Optional[_Iterable[_Union[FacetCount, _Mapping]]] = ...) -> None: ...

class FacetImagesResponse(_message.Message):
    __slots__ = ("facets", "total")
    FACETS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    facets: _containers.RepeatedCompositeFieldContainer[Facet]
    total: int
    def __init__(self, facets: _Optional[_Iterable[_Union[Facet, _Mapping]]] = ..., total: _Optional[int] = ...) -> None: ...

class ExplainMatchRequest(_message.Message):
    __slots__ = ("image_id", "query", "model", "method")
    IMAGE_ID_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    image_id: str
    query: Query
    model: str
    method: str
    def __init__(self, image_id: _Optional[str] = ..., query: _Optional[_Union[Query, _Mapping]] = ..., model: _Optional[str] = ..., method: _Optional[str] = ...) -> None: ...

class GetQualityRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ModelQuality(_message.Message):
    __slots__ = ("model", "fingerprint", "questions", "recall", "filtered_questions", "filtered_recall", "least_recall", "hubs_measured", "calibrated")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    QUESTIONS_FIELD_NUMBER: _ClassVar[int]
    RECALL_FIELD_NUMBER: _ClassVar[int]
    FILTERED_QUESTIONS_FIELD_NUMBER: _ClassVar[int]
    FILTERED_RECALL_FIELD_NUMBER: _ClassVar[int]
    LEAST_RECALL_FIELD_NUMBER: _ClassVar[int]
    HUBS_MEASURED_FIELD_NUMBER: _ClassVar[int]
    CALIBRATED_FIELD_NUMBER: _ClassVar[int]
    model: str
    fingerprint: str
    questions: int
    recall: float
    filtered_questions: int
    filtered_recall: float
    least_recall: float
    hubs_measured: int
    calibrated: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, model: _Optional[str] = ..., fingerprint: _Optional[str] = ..., questions: _Optional[int] = ..., recall: _Optional[float] = ..., filtered_questions: _Optional[int] = ..., filtered_recall: _Optional[float] = ..., least_recall: _Optional[float] = ..., hubs_measured: _Optional[int] = ..., calibrated: _Optional[_Iterable[str]] = ...) -> None: ...

class Quality(_message.Message):
    __slots__ = ("models",)
    MODELS_FIELD_NUMBER: _ClassVar[int]
    models: _containers.RepeatedCompositeFieldContainer[ModelQuality]
    def __init__(self, models: _Optional[_Iterable[_Union[ModelQuality, _Mapping]]] = ...) -> None: ...
