from hilum.v1 import common_pb2 as _common_pb2
from hilum.v1 import jobs_pb2 as _jobs_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CreateIngestJobRequest(_message.Message):
    __slots__ = ("source", "dataset", "layout", "labels", "models", "keep_ids", "request_id", "reports", "map", "tables", "cache_pixels", "where", "recheck", "window")
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
    CACHE_PIXELS_FIELD_NUMBER: _ClassVar[int]
    WHERE_FIELD_NUMBER: _ClassVar[int]
    RECHECK_FIELD_NUMBER: _ClassVar[int]
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
    cache_pixels: bool
    where: str
    recheck: bool
    window: str
    def __init__(self, source: _Optional[str] = ..., dataset: _Optional[str] = ..., layout: _Optional[str] = ..., labels: _Optional[str] = ..., models: _Optional[_Iterable[str]] = ..., keep_ids: _Optional[bool] = ..., request_id: _Optional[str] = ..., reports: _Optional[str] = ..., map: _Optional[str] = ..., tables: _Optional[str] = ..., cache_pixels: _Optional[bool] = ..., where: _Optional[str] = ..., recheck: _Optional[bool] = ..., window: _Optional[str] = ...) -> None: ...

class FindDuplicatesRequest(_message.Message):
    __slots__ = ("dataset", "model", "bits", "likeness", "distance", "limit")
    DATASET_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    BITS_FIELD_NUMBER: _ClassVar[int]
    LIKENESS_FIELD_NUMBER: _ClassVar[int]
    DISTANCE_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    dataset: str
    model: str
    bits: int
    likeness: float
    distance: float
    limit: int
    def __init__(self, dataset: _Optional[str] = ..., model: _Optional[str] = ..., bits: _Optional[int] = ..., likeness: _Optional[float] = ..., distance: _Optional[float] = ..., limit: _Optional[int] = ...) -> None: ...

class DuplicateFilm(_message.Message):
    __slots__ = ("image_id", "dataset", "patient_id", "study_id", "rows", "columns", "kind", "distance")
    IMAGE_ID_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    PATIENT_ID_FIELD_NUMBER: _ClassVar[int]
    STUDY_ID_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    DISTANCE_FIELD_NUMBER: _ClassVar[int]
    image_id: str
    dataset: str
    patient_id: str
    study_id: str
    rows: int
    columns: int
    kind: str
    distance: float
    def __init__(self, image_id: _Optional[str] = ..., dataset: _Optional[str] = ..., patient_id: _Optional[str] = ..., study_id: _Optional[str] = ..., rows: _Optional[int] = ..., columns: _Optional[int] = ..., kind: _Optional[str] = ..., distance: _Optional[float] = ...) -> None: ...

class DuplicateGroup(_message.Message):
    __slots__ = ("kind", "distance", "patients", "films")
    KIND_FIELD_NUMBER: _ClassVar[int]
    DISTANCE_FIELD_NUMBER: _ClassVar[int]
    PATIENTS_FIELD_NUMBER: _ClassVar[int]
    FILMS_FIELD_NUMBER: _ClassVar[int]
    kind: str
    distance: float
    patients: str
    films: _containers.RepeatedCompositeFieldContainer[DuplicateFilm]
    def __init__(self, kind: _Optional[str] = ..., distance: _Optional[float] = ..., patients: _Optional[str] = ..., films: _Optional[_Iterable[_Union[DuplicateFilm, _Mapping]]] = ...) -> None: ...

class DuplicatesFound(_message.Message):
    __slots__ = ("films", "groups", "alarms", "unconfirmed", "models")
    class GroupsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    FILMS_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    ALARMS_FIELD_NUMBER: _ClassVar[int]
    UNCONFIRMED_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    films: int
    groups: _containers.ScalarMap[str, int]
    alarms: int
    unconfirmed: int
    models: _containers.RepeatedCompositeFieldContainer[_common_pb2.ModelUse]
    def __init__(self, films: _Optional[int] = ..., groups: _Optional[_Mapping[str, int]] = ..., alarms: _Optional[int] = ..., unconfirmed: _Optional[int] = ..., models: _Optional[_Iterable[_Union[_common_pb2.ModelUse, _Mapping]]] = ...) -> None: ...

class Duplicates(_message.Message):
    __slots__ = ("progress", "group", "found")
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    FOUND_FIELD_NUMBER: _ClassVar[int]
    progress: _jobs_pb2.JobProgress
    group: DuplicateGroup
    found: DuplicatesFound
    def __init__(self, progress: _Optional[_Union[_jobs_pb2.JobProgress, _Mapping]] = ..., group: _Optional[_Union[DuplicateGroup, _Mapping]] = ..., found: _Optional[_Union[DuplicatesFound, _Mapping]] = ...) -> None: ...

class ForgetPatientRequest(_message.Message):
    __slots__ = ("dataset", "patients")
    DATASET_FIELD_NUMBER: _ClassVar[int]
    PATIENTS_FIELD_NUMBER: _ClassVar[int]
    dataset: str
    patients: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, dataset: _Optional[str] = ..., patients: _Optional[_Iterable[str]] = ...) -> None: ...

class Trace(_message.Message):
    __slots__ = ("place", "removed", "left", "note")
    PLACE_FIELD_NUMBER: _ClassVar[int]
    REMOVED_FIELD_NUMBER: _ClassVar[int]
    LEFT_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    place: str
    removed: int
    left: int
    note: str
    def __init__(self, place: _Optional[str] = ..., removed: _Optional[int] = ..., left: _Optional[int] = ..., note: _Optional[str] = ...) -> None: ...

class Forgotten(_message.Message):
    __slots__ = ("complete", "films", "traces")
    COMPLETE_FIELD_NUMBER: _ClassVar[int]
    FILMS_FIELD_NUMBER: _ClassVar[int]
    TRACES_FIELD_NUMBER: _ClassVar[int]
    complete: bool
    films: int
    traces: _containers.RepeatedCompositeFieldContainer[Trace]
    def __init__(self, complete: _Optional[bool] = ..., films: _Optional[int] = ..., traces: _Optional[_Iterable[_Union[Trace, _Mapping]]] = ...) -> None: ...

class ForgetAnswer(_message.Message):
    __slots__ = ("progress", "forgotten")
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    FORGOTTEN_FIELD_NUMBER: _ClassVar[int]
    progress: _jobs_pb2.JobProgress
    forgotten: Forgotten
    def __init__(self, progress: _Optional[_Union[_jobs_pb2.JobProgress, _Mapping]] = ..., forgotten: _Optional[_Union[Forgotten, _Mapping]] = ...) -> None: ...

class ReconcileRequest(_message.Message):
    __slots__ = ("plan", "apply")
    PLAN_FIELD_NUMBER: _ClassVar[int]
    APPLY_FIELD_NUMBER: _ClassVar[int]
    plan: CreateIngestJobRequest
    apply: bool
    def __init__(self, plan: _Optional[_Union[CreateIngestJobRequest, _Mapping]] = ..., apply: _Optional[bool] = ...) -> None: ...

class Difference(_message.Message):
    __slots__ = ("kind", "ref", "image_id", "model")
    KIND_FIELD_NUMBER: _ClassVar[int]
    REF_FIELD_NUMBER: _ClassVar[int]
    IMAGE_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    kind: str
    ref: str
    image_id: str
    model: str
    def __init__(self, kind: _Optional[str] = ..., ref: _Optional[str] = ..., image_id: _Optional[str] = ..., model: _Optional[str] = ...) -> None: ...

class Reconciled(_message.Message):
    __slots__ = ("counts", "removed", "job_id")
    class CountsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    REMOVED_FIELD_NUMBER: _ClassVar[int]
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    counts: _containers.ScalarMap[str, int]
    removed: int
    job_id: str
    def __init__(self, counts: _Optional[_Mapping[str, int]] = ..., removed: _Optional[int] = ..., job_id: _Optional[str] = ...) -> None: ...

class ReconcileAnswer(_message.Message):
    __slots__ = ("progress", "difference", "reconciled")
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    DIFFERENCE_FIELD_NUMBER: _ClassVar[int]
    RECONCILED_FIELD_NUMBER: _ClassVar[int]
    progress: _jobs_pb2.JobProgress
    difference: Difference
    reconciled: Reconciled
    def __init__(self, progress: _Optional[_Union[_jobs_pb2.JobProgress, _Mapping]] = ..., difference: _Optional[_Union[Difference, _Mapping]] = ..., reconciled: _Optional[_Union[Reconciled, _Mapping]] = ...) -> None: ...
