from hilum.v1 import jobs_pb2 as _jobs_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class StoreSideTableRequest(_message.Message):
    __slots__ = ("source", "dataset", "name", "columns", "level", "key", "text")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    source: str
    dataset: str
    name: str
    columns: _containers.RepeatedScalarFieldContainer[str]
    level: str
    key: str
    text: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, source: _Optional[str] = ..., dataset: _Optional[str] = ..., name: _Optional[str] = ..., columns: _Optional[_Iterable[str]] = ..., level: _Optional[str] = ..., key: _Optional[str] = ..., text: _Optional[_Iterable[str]] = ...) -> None: ...

class SideColumn(_message.Message):
    __slots__ = ("name", "title", "kind")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    name: str
    title: str
    kind: str
    def __init__(self, name: _Optional[str] = ..., title: _Optional[str] = ..., kind: _Optional[str] = ...) -> None: ...

class SideTable(_message.Message):
    __slots__ = ("dataset", "name", "level", "rows", "columns")
    DATASET_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    dataset: str
    name: str
    level: str
    rows: int
    columns: _containers.RepeatedCompositeFieldContainer[SideColumn]
    def __init__(self, dataset: _Optional[str] = ..., name: _Optional[str] = ..., level: _Optional[str] = ..., rows: _Optional[int] = ..., columns: _Optional[_Iterable[_Union[SideColumn, _Mapping]]] = ...) -> None: ...

class SideTableStored(_message.Message):
    __slots__ = ("table", "strangers", "refused")
    TABLE_FIELD_NUMBER: _ClassVar[int]
    STRANGERS_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    table: SideTable
    strangers: int
    refused: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, table: _Optional[_Union[SideTable, _Mapping]] = ..., strangers: _Optional[int] = ..., refused: _Optional[_Iterable[str]] = ...) -> None: ...

class StoreSideTableAnswer(_message.Message):
    __slots__ = ("progress", "stored")
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    STORED_FIELD_NUMBER: _ClassVar[int]
    progress: _jobs_pb2.JobProgress
    stored: SideTableStored
    def __init__(self, progress: _Optional[_Union[_jobs_pb2.JobProgress, _Mapping]] = ..., stored: _Optional[_Union[SideTableStored, _Mapping]] = ...) -> None: ...

class ListSideTablesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListSideTablesResponse(_message.Message):
    __slots__ = ("tables",)
    TABLES_FIELD_NUMBER: _ClassVar[int]
    tables: _containers.RepeatedCompositeFieldContainer[SideTable]
    def __init__(self, tables: _Optional[_Iterable[_Union[SideTable, _Mapping]]] = ...) -> None: ...

class DeleteSideTableRequest(_message.Message):
    __slots__ = ("dataset", "name")
    DATASET_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    dataset: str
    name: str
    def __init__(self, dataset: _Optional[str] = ..., name: _Optional[str] = ...) -> None: ...

class DeleteSideTableResponse(_message.Message):
    __slots__ = ("rows",)
    ROWS_FIELD_NUMBER: _ClassVar[int]
    rows: int
    def __init__(self, rows: _Optional[int] = ...) -> None: ...
