from hilum.v1 import jobs_pb2 as _jobs_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ExportCohortRequest(_message.Message):
    __slots__ = ("name", "formats", "right", "have", "after")
    class HaveEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    FORMATS_FIELD_NUMBER: _ClassVar[int]
    RIGHT_FIELD_NUMBER: _ClassVar[int]
    HAVE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    name: str
    formats: _containers.RepeatedScalarFieldContainer[str]
    right: str
    have: _containers.ScalarMap[str, str]
    after: str
    def __init__(self, name: _Optional[str] = ..., formats: _Optional[_Iterable[str]] = ..., right: _Optional[str] = ..., have: _Optional[_Mapping[str, str]] = ..., after: _Optional[str] = ...) -> None: ...

class ExportedFile(_message.Message):
    __slots__ = ("name", "sha256", "bytes", "unchanged")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    UNCHANGED_FIELD_NUMBER: _ClassVar[int]
    name: str
    sha256: str
    bytes: int
    unchanged: bool
    def __init__(self, name: _Optional[str] = ..., sha256: _Optional[str] = ..., bytes: _Optional[int] = ..., unchanged: _Optional[bool] = ...) -> None: ...

class CohortExported(_message.Message):
    __slots__ = ("files", "left_out", "gone")
    class LeftOutEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    FILES_FIELD_NUMBER: _ClassVar[int]
    LEFT_OUT_FIELD_NUMBER: _ClassVar[int]
    GONE_FIELD_NUMBER: _ClassVar[int]
    files: int
    left_out: _containers.ScalarMap[str, int]
    gone: int
    def __init__(self, files: _Optional[int] = ..., left_out: _Optional[_Mapping[str, int]] = ..., gone: _Optional[int] = ...) -> None: ...

class ExportCohortAnswer(_message.Message):
    __slots__ = ("progress", "file", "data", "done")
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    FILE_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    progress: _jobs_pb2.JobProgress
    file: ExportedFile
    data: bytes
    done: CohortExported
    def __init__(self, progress: _Optional[_Union[_jobs_pb2.JobProgress, _Mapping]] = ..., file: _Optional[_Union[ExportedFile, _Mapping]] = ..., data: _Optional[bytes] = ..., done: _Optional[_Union[CohortExported, _Mapping]] = ...) -> None: ...
