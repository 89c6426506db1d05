from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ErrorCode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ERROR_CODE_UNSPECIFIED: _ClassVar[ErrorCode]
    INVALID_ARGUMENT: _ClassVar[ErrorCode]
    INVALID_FILTER: _ClassVar[ErrorCode]
    UNREADABLE_IMAGE: _ClassVar[ErrorCode]
    NOT_FOUND: _ClassVar[ErrorCode]
    UNKNOWN_MODEL: _ClassVar[ErrorCode]
    ALREADY_EXISTS: _ClassVar[ErrorCode]
    FAILED_PRECONDITION: _ClassVar[ErrorCode]
    PAYLOAD_TOO_LARGE: _ClassVar[ErrorCode]
    RESOURCE_EXHAUSTED: _ClassVar[ErrorCode]
    UNAUTHENTICATED: _ClassVar[ErrorCode]
    PERMISSION_DENIED: _ClassVar[ErrorCode]
    UNAVAILABLE: _ClassVar[ErrorCode]
    DEADLINE_EXCEEDED: _ClassVar[ErrorCode]
    CANCELLED: _ClassVar[ErrorCode]
    UNIMPLEMENTED: _ClassVar[ErrorCode]
    INTERNAL: _ClassVar[ErrorCode]
ERROR_CODE_UNSPECIFIED: ErrorCode
INVALID_ARGUMENT: ErrorCode
INVALID_FILTER: ErrorCode
UNREADABLE_IMAGE: ErrorCode
NOT_FOUND: ErrorCode
UNKNOWN_MODEL: ErrorCode
ALREADY_EXISTS: ErrorCode
FAILED_PRECONDITION: ErrorCode
PAYLOAD_TOO_LARGE: ErrorCode
RESOURCE_EXHAUSTED: ErrorCode
UNAUTHENTICATED: ErrorCode
PERMISSION_DENIED: ErrorCode
UNAVAILABLE: ErrorCode
DEADLINE_EXCEEDED: ErrorCode
CANCELLED: ErrorCode
UNIMPLEMENTED: ErrorCode
INTERNAL: ErrorCode

class Error(_message.Message):
    __slots__ = ("code", "message", "request_id")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    code: ErrorCode
    message: str
    request_id: str
    def __init__(self, code: _Optional[_Union[ErrorCode, str]] = ..., message: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class Image(_message.Message):
    __slots__ = ("image_id", "dataset", "patient_id", "study_id", "view", "sex", "age", "study_date", "modality", "rows", "columns", "labels", "licence", "attribution", "thumbnail", "models")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    IMAGE_ID_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    PATIENT_ID_FIELD_NUMBER: _ClassVar[int]
    STUDY_ID_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    SEX_FIELD_NUMBER: _ClassVar[int]
    AGE_FIELD_NUMBER: _ClassVar[int]
    STUDY_DATE_FIELD_NUMBER: _ClassVar[int]
    MODALITY_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    LICENCE_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTION_FIELD_NUMBER: _ClassVar[int]
    THUMBNAIL_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    image_id: str
    dataset: str
    patient_id: str
    study_id: str
    view: str
    sex: str
    age: float
    study_date: str
    modality: str
    rows: int
    columns: int
    labels: _containers.ScalarMap[str, str]
    licence: str
    attribution: str
    thumbnail: str
    models: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, image_id: _Optional[str] = ..., dataset: _Optional[str] = ..., patient_id: _Optional[str] = ..., study_id: _Optional[str] = ..., view: _Optional[str] = ..., sex: _Optional[str] = ..., age: _Optional[float] = ..., study_date: _Optional[str] = ..., modality: _Optional[str] = ..., rows: _Optional[int] = ..., columns: _Optional[int] = ..., labels: _Optional[_Mapping[str, str]] = ..., licence: _Optional[str] = ..., attribution: _Optional[str] = ..., thumbnail: _Optional[str] = ..., models: _Optional[_Iterable[str]] = ...) -> None: ...

class ModelUse(_message.Message):
    __slots__ = ("name", "fingerprint", "collection")
    NAME_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    name: str
    fingerprint: str
    collection: str
    def __init__(self, name: _Optional[str] = ..., fingerprint: _Optional[str] = ..., collection: _Optional[str] = ...) -> None: ...

class Provenance(_message.Message):
    __slots__ = ("models", "filter", "exclude", "exact", "versions", "time", "elapsed_ms", "notes")
    class VersionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    MODELS_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    EXCLUDE_FIELD_NUMBER: _ClassVar[int]
    EXACT_FIELD_NUMBER: _ClassVar[int]
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    ELAPSED_MS_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    models: _containers.RepeatedCompositeFieldContainer[ModelUse]
    filter: str
    exclude: str
    exact: bool
    versions: _containers.ScalarMap[str, str]
    time: str
    elapsed_ms: float
    notes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, models: _Optional[_Iterable[_Union[ModelUse, _Mapping]]] = ..., filter: _Optional[str] = ..., exclude: _Optional[str] = ..., exact: _Optional[bool] = ..., versions: _Optional[_Mapping[str, str]] = ..., time: _Optional[str] = ..., elapsed_ms: _Optional[float] = ..., notes: _Optional[_Iterable[str]] = ...) -> None: ...

class Blob(_message.Message):
    __slots__ = ("content_type", "data", "filename", "notes")
    CONTENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    FILENAME_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    content_type: str
    data: bytes
    filename: str
    notes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, content_type: _Optional[str] = ..., data: _Optional[bytes] = ..., filename: _Optional[str] = ..., notes: _Optional[_Iterable[str]] = ...) -> None: ...
