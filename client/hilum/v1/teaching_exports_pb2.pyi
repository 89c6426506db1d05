from hilum.v1 import common_pb2 as _common_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class ExportTeachingFileRequest(_message.Message):
    __slots__ = ("file_id", "version", "format", "quiz", "right", "written", "purpose", "codes")
    FILE_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    QUIZ_FIELD_NUMBER: _ClassVar[int]
    RIGHT_FIELD_NUMBER: _ClassVar[int]
    WRITTEN_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    CODES_FIELD_NUMBER: _ClassVar[int]
    file_id: str
    version: int
    format: str
    quiz: bool
    right: str
    written: bool
    purpose: str
    codes: str
    def __init__(self, file_id: _Optional[str] = ..., version: _Optional[int] = ..., format: _Optional[str] = ..., quiz: _Optional[bool] = ..., right: _Optional[str] = ..., written: _Optional[bool] = ..., purpose: _Optional[str] = ..., codes: _Optional[str] = ...) -> None: ...
