from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FilmSet(_message.Message):
    __slots__ = ("set_id", "kind", "title", "films", "created_at", "state", "filter", "run_id")
    SET_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    FILMS_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    set_id: str
    kind: str
    title: str
    films: int
    created_at: str
    state: str
    filter: str
    run_id: str
    def __init__(self, set_id: _Optional[str] = ..., kind: _Optional[str] = ..., title: _Optional[str] = ..., films: _Optional[int] = ..., created_at: _Optional[str] = ..., state: _Optional[str] = ..., filter: _Optional[str] = ..., run_id: _Optional[str] = ...) -> None: ...

class FilmIds(_message.Message):
    __slots__ = ("image_ids",)
    IMAGE_IDS_FIELD_NUMBER: _ClassVar[int]
    image_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, image_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class RunClusters(_message.Message):
    __slots__ = ("run_id", "model", "resolution")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    RESOLUTION_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    model: str
    resolution: float
    def __init__(self, run_id: _Optional[str] = ..., model: _Optional[str] = ..., resolution: _Optional[float] = ...) -> None: ...

class CreateSetRequest(_message.Message):
    __slots__ = ("set_id", "title", "filter", "films", "clusters")
    SET_ID_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    FILMS_FIELD_NUMBER: _ClassVar[int]
    CLUSTERS_FIELD_NUMBER: _ClassVar[int]
    set_id: str
    title: str
    filter: str
    films: FilmIds
    clusters: RunClusters
    def __init__(self, set_id: _Optional[str] = ..., title: _Optional[str] = ..., filter: _Optional[str] = ..., films: _Optional[_Union[FilmIds, _Mapping]] = ..., clusters: _Optional[_Union[RunClusters, _Mapping]] = ...) -> None: ...

class CreateSetResponse(_message.Message):
    __slots__ = ("sets", "unknown")
    SETS_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_FIELD_NUMBER: _ClassVar[int]
    sets: _containers.RepeatedCompositeFieldContainer[FilmSet]
    unknown: int
    def __init__(self, sets: _Optional[_Iterable[_Union[FilmSet, _Mapping]]] = ..., unknown: _Optional[int] = ...) -> None: ...

class ListSetsRequest(_message.Message):
    __slots__ = ("kind", "begins", "page_size", "page_token")
    KIND_FIELD_NUMBER: _ClassVar[int]
    BEGINS_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    kind: str
    begins: str
    page_size: int
    page_token: str
    def __init__(self, kind: _Optional[str] = ..., begins: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListSetsResponse(_message.Message):
    __slots__ = ("sets", "next_page_token")
    SETS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    sets: _containers.RepeatedCompositeFieldContainer[FilmSet]
    next_page_token: str
    def __init__(self, sets: _Optional[_Iterable[_Union[FilmSet, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class DeleteSetRequest(_message.Message):
    __slots__ = ("set_id",)
    SET_ID_FIELD_NUMBER: _ClassVar[int]
    set_id: str
    def __init__(self, set_id: _Optional[str] = ...) -> None: ...

class DeleteSetResponse(_message.Message):
    __slots__ = ("sets",)
    SETS_FIELD_NUMBER: _ClassVar[int]
    sets: int
    def __init__(self, sets: _Optional[int] = ...) -> None: ...
