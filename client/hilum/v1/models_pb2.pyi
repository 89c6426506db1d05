from google.protobuf import struct_pb2 as _struct_pb2
from hilum.v1 import jobs_pb2 as _jobs_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CreateEmbeddingsJobRequest(_message.Message):
    __slots__ = ("source", "dataset", "spec", "layout", "labels", "tables", "map", "keep_ids", "request_id")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    LAYOUT_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    TABLES_FIELD_NUMBER: _ClassVar[int]
    MAP_FIELD_NUMBER: _ClassVar[int]
    KEEP_IDS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    source: str
    dataset: str
    spec: str
    layout: str
    labels: str
    tables: str
    map: str
    keep_ids: bool
    request_id: str
    def __init__(self, source: _Optional[str] = ..., dataset: _Optional[str] = ..., spec: _Optional[str] = ..., layout: _Optional[str] = ..., labels: _Optional[str] = ..., tables: _Optional[str] = ..., map: _Optional[str] = ..., keep_ids: _Optional[bool] = ..., request_id: _Optional[str] = ...) -> None: ...

class FillModelRequest(_message.Message):
    __slots__ = ("model", "dataset", "request_id")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    model: str
    dataset: str
    request_id: str
    def __init__(self, model: _Optional[str] = ..., dataset: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class PromoteModelRequest(_message.Message):
    __slots__ = ("model", "fingerprint", "check_only", "partial", "request_id")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    CHECK_ONLY_FIELD_NUMBER: _ClassVar[int]
    PARTIAL_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    model: str
    fingerprint: str
    check_only: bool
    partial: bool
    request_id: str
    def __init__(self, model: _Optional[str] = ..., fingerprint: _Optional[str] = ..., check_only: _Optional[bool] = ..., partial: _Optional[bool] = ..., request_id: _Optional[str] = ...) -> None: ...

class RollbackModelRequest(_message.Message):
    __slots__ = ("model",)
    MODEL_FIELD_NUMBER: _ClassVar[int]
    model: str
    def __init__(self, model: _Optional[str] = ...) -> None: ...

class ListPromotionsRequest(_message.Message):
    __slots__ = ("model",)
    MODEL_FIELD_NUMBER: _ClassVar[int]
    model: str
    def __init__(self, model: _Optional[str] = ...) -> None: ...

class Promotion(_message.Message):
    __slots__ = ("model", "fingerprint", "previous", "how", "time", "comparison")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_FIELD_NUMBER: _ClassVar[int]
    HOW_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    COMPARISON_FIELD_NUMBER: _ClassVar[int]
    model: str
    fingerprint: str
    previous: str
    how: str
    time: str
    comparison: _struct_pb2.Struct
    def __init__(self, model: _Optional[str] = ..., fingerprint: _Optional[str] = ..., previous: _Optional[str] = ..., how: _Optional[str] = ..., time: _Optional[str] = ..., comparison: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...

class ListPromotionsResponse(_message.Message):
    __slots__ = ("promotions",)
    PROMOTIONS_FIELD_NUMBER: _ClassVar[int]
    promotions: _containers.RepeatedCompositeFieldContainer[Promotion]
    def __init__(self, promotions: _Optional[_Iterable[_Union[Promotion, _Mapping]]] = ...) -> None: ...
