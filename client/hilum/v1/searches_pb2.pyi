from hilum.v1 import query_pb2 as _query_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SavedSearch(_message.Message):
    __slots__ = ("search_id", "title", "request", "created_at", "updated_at", "marked")
    SEARCH_ID_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    UPDATED_AT_FIELD_NUMBER: _ClassVar[int]
    MARKED_FIELD_NUMBER: _ClassVar[int]
    search_id: str
    title: str
    request: _query_pb2.SearchRequest
    created_at: str
    updated_at: str
    marked: int
    def __init__(self, search_id: _Optional[str] = ..., title: _Optional[str] = ..., request: _Optional[_Union[_query_pb2.SearchRequest, _Mapping]] = ..., created_at: _Optional[str] = ..., updated_at: _Optional[str] = ..., marked: _Optional[int] = ...) -> None: ...

class SaveSearchRequest(_message.Message):
    __slots__ = ("search_id", "title", "request")
    SEARCH_ID_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    search_id: str
    title: str
    request: _query_pb2.SearchRequest
    def __init__(self, search_id: _Optional[str] = ..., title: _Optional[str] = ..., request: _Optional[_Union[_query_pb2.SearchRequest, _Mapping]] = ...) -> None: ...

class SearchIdRequest(_message.Message):
    __slots__ = ("search_id",)
    SEARCH_ID_FIELD_NUMBER: _ClassVar[int]
    search_id: str
    def __init__(self, search_id: _Optional[str] = ...) -> None: ...

class ListSearchesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListSearchesResponse(_message.Message):
    __slots__ = ("searches",)
    SEARCHES_FIELD_NUMBER: _ClassVar[int]
    searches: _containers.RepeatedCompositeFieldContainer[SavedSearch]
    def __init__(self, searches: _Optional[_Iterable[_Union[SavedSearch, _Mapping]]] = ...) -> None: ...

class Mark(_message.Message):
    __slots__ = ("image_id", "grade")
    IMAGE_ID_FIELD_NUMBER: _ClassVar[int]
    GRADE_FIELD_NUMBER: _ClassVar[int]
    image_id: str
    grade: int
    def __init__(self, image_id: _Optional[str] = ..., grade: _Optional[int] = ...) -> None: ...

class MarkRequest(_message.Message):
    __slots__ = ("search_id", "marks", "unmark")
    SEARCH_ID_FIELD_NUMBER: _ClassVar[int]
    MARKS_FIELD_NUMBER: _ClassVar[int]
    UNMARK_FIELD_NUMBER: _ClassVar[int]
    search_id: str
    marks: _containers.RepeatedCompositeFieldContainer[Mark]
    unmark: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, search_id: _Optional[str] = ..., marks: _Optional[_Iterable[_Union[Mark, _Mapping]]] = ..., unmark: _Optional[_Iterable[str]] = ...) -> None: ...

class Marks(_message.Message):
    __slots__ = ("marks",)
    MARKS_FIELD_NUMBER: _ClassVar[int]
    marks: _containers.RepeatedCompositeFieldContainer[Mark]
    def __init__(self, marks: _Optional[_Iterable[_Union[Mark, _Mapping]]] = ...) -> None: ...

class RefineRequest(_message.Message):
    __slots__ = ("search_id", "method", "request")
    SEARCH_ID_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    search_id: str
    method: str
    request: _query_pb2.SearchRequest
    def __init__(self, search_id: _Optional[str] = ..., method: _Optional[str] = ..., request: _Optional[_Union[_query_pb2.SearchRequest, _Mapping]] = ...) -> None: ...
