from hilum.v1 import common_pb2 as _common_pb2
from hilum.v1 import jobs_pb2 as _jobs_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SearchReportsRequest(_message.Message):
    __slots__ = ("text", "image_id", "image", "how", "model", "filter", "section", "limit", "exclude")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    IMAGE_ID_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    HOW_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    SECTION_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    EXCLUDE_FIELD_NUMBER: _ClassVar[int]
    text: str
    image_id: str
    image: bytes
    how: str
    model: str
    filter: str
    section: str
    limit: int
    exclude: str
    def __init__(self, text: _Optional[str] = ..., image_id: _Optional[str] = ..., image: _Optional[bytes] = ..., how: _Optional[str] = ..., model: _Optional[str] = ..., filter: _Optional[str] = ..., section: _Optional[str] = ..., limit: _Optional[int] = ..., exclude: _Optional[str] = ...) -> None: ...

class ReportHit(_message.Message):
    __slots__ = ("dataset", "study_id", "section", "text", "score", "lexical_rank", "meaning_rank", "sentences", "images")
    DATASET_FIELD_NUMBER: _ClassVar[int]
    STUDY_ID_FIELD_NUMBER: _ClassVar[int]
    SECTION_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    LEXICAL_RANK_FIELD_NUMBER: _ClassVar[int]
    MEANING_RANK_FIELD_NUMBER: _ClassVar[int]
    SENTENCES_FIELD_NUMBER: _ClassVar[int]
    IMAGES_FIELD_NUMBER: _ClassVar[int]
    dataset: str
    study_id: str
    section: str
    text: str
    score: float
    lexical_rank: int
    meaning_rank: int
    sentences: _containers.RepeatedScalarFieldContainer[str]
    images: _containers.RepeatedCompositeFieldContainer[_common_pb2.Image]
    def __init__(self, dataset: _Optional[str] = ..., study_id: _Optional[str] = ..., section: _Optional[str] = ..., text: _Optional[str] = ..., score: _Optional[float] = ..., lexical_rank: _Optional[int] = ..., meaning_rank: _Optional[int] = ..., sentences: _Optional[_Iterable[str]] = ..., images: _Optional[_Iterable[_Union[_common_pb2.Image, _Mapping]]] = ...) -> None: ...

class SearchReportsResponse(_message.Message):
    __slots__ = ("hits", "provenance", "indexed")
    HITS_FIELD_NUMBER: _ClassVar[int]
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    INDEXED_FIELD_NUMBER: _ClassVar[int]
    hits: _containers.RepeatedCompositeFieldContainer[ReportHit]
    provenance: _common_pb2.Provenance
    indexed: int
    def __init__(self, hits: _Optional[_Iterable[_Union[ReportHit, _Mapping]]] = ..., provenance: _Optional[_Union[_common_pb2.Provenance, _Mapping]] = ..., indexed: _Optional[int] = ...) -> None: ...

class IndexReportsRequest(_message.Message):
    __slots__ = ("dataset",)
    DATASET_FIELD_NUMBER: _ClassVar[int]
    dataset: str
    def __init__(self, dataset: _Optional[str] = ...) -> None: ...
