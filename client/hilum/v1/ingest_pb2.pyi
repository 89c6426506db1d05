from hilum.v1 import jobs_pb2 as _jobs_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class CreateIngestJobRequest(_message.Message):
    __slots__ = ("source", "dataset", "layout", "labels", "models", "keep_ids", "request_id", "reports", "map", "tables", "window")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    LAYOUT_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    KEEP_IDS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    REPORTS_FIELD_NUMBER: _ClassVar[int]
    MAP_FIELD_NUMBER: _ClassVar[int]
    TABLES_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    source: str
    dataset: str
    layout: str
    labels: str
    models: _containers.RepeatedScalarFieldContainer[str]
    keep_ids: bool
    request_id: str
    reports: str
    map: str
    tables: str
    window: str
    def __init__(self, source: _Optional[str] = ..., dataset: _Optional[str] = ..., layout: _Optional[str] = ..., labels: _Optional[str] = ..., models: _Optional[_Iterable[str]] = ..., keep_ids: _Optional[bool] = ..., request_id: _Optional[str] = ..., reports: _Optional[str] = ..., map: _Optional[str] = ..., tables: _Optional[str] = ..., window: _Optional[str] = ...) -> None: ...
