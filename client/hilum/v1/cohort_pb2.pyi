from google.protobuf import struct_pb2 as _struct_pb2
from hilum.v1 import jobs_pb2 as _jobs_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CohortSpec(_message.Message):
    __slots__ = ("title", "name", "unit", "criteria", "caps", "match", "sample", "split", "table1", "seed", "rerun_of")
    TITLE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    CRITERIA_FIELD_NUMBER: _ClassVar[int]
    CAPS_FIELD_NUMBER: _ClassVar[int]
    MATCH_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_FIELD_NUMBER: _ClassVar[int]
    SPLIT_FIELD_NUMBER: _ClassVar[int]
    TABLE1_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    RERUN_OF_FIELD_NUMBER: _ClassVar[int]
    title: str
    name: str
    unit: str
    criteria: _containers.RepeatedCompositeFieldContainer[CohortCriterion]
    caps: _containers.RepeatedCompositeFieldContainer[CohortCap]
    match: CohortMatch
    sample: CohortSample
    split: CohortSplit
    table1: CohortTable
    seed: int
    rerun_of: str
    def __init__(self, title: _Optional[str] = ..., name: _Optional[str] = ..., unit: _Optional[str] = ..., criteria: _Optional[_Iterable[_Union[CohortCriterion, _Mapping]]] = ..., caps: _Optional[_Iterable[_Union[CohortCap, _Mapping]]] = ..., match: _Optional[_Union[CohortMatch, _Mapping]] = ..., sample: _Optional[_Union[CohortSample, _Mapping]] = ..., split: _Optional[_Union[CohortSplit, _Mapping]] = ..., table1: _Optional[_Union[CohortTable, _Mapping]] = ..., seed: _Optional[int] = ..., rerun_of: _Optional[str] = ...) -> None: ...

class CohortCriterion(_message.Message):
    __slots__ = ("name", "exclude", "level", "films", "among", "filter", "time", "similar", "cluster", "ids")
    NAME_FIELD_NUMBER: _ClassVar[int]
    EXCLUDE_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    FILMS_FIELD_NUMBER: _ClassVar[int]
    AMONG_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    SIMILAR_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    IDS_FIELD_NUMBER: _ClassVar[int]
    name: str
    exclude: bool
    level: str
    films: str
    among: str
    filter: str
    time: CohortTime
    similar: CohortLikeness
    cluster: CohortCluster
    ids: CohortIds
    def __init__(self, name: _Optional[str] = ..., exclude: _Optional[bool] = ..., level: _Optional[str] = ..., films: _Optional[str] = ..., among: _Optional[str] = ..., filter: _Optional[str] = ..., time: _Optional[_Union[CohortTime, _Mapping]] = ..., similar: _Optional[_Union[CohortLikeness, _Mapping]] = ..., cluster: _Optional[_Union[CohortCluster, _Mapping]] = ..., ids: _Optional[_Union[CohortIds, _Mapping]] = ...) -> None: ...

class CohortTime(_message.Message):
    __slots__ = ("anchor", "which", "from_day", "to_day", "at_least_studies")
    ANCHOR_FIELD_NUMBER: _ClassVar[int]
    WHICH_FIELD_NUMBER: _ClassVar[int]
    FROM_DAY_FIELD_NUMBER: _ClassVar[int]
    TO_DAY_FIELD_NUMBER: _ClassVar[int]
    AT_LEAST_STUDIES_FIELD_NUMBER: _ClassVar[int]
    anchor: str
    which: str
    from_day: int
    to_day: int
    at_least_studies: int
    def __init__(self, anchor: _Optional[str] = ..., which: _Optional[str] = ..., from_day: _Optional[int] = ..., to_day: _Optional[int] = ..., at_least_studies: _Optional[int] = ...) -> None: ...

class CohortLikeness(_message.Message):
    __slots__ = ("image_ids", "text", "search_id", "model", "top", "at_least", "finding")
    IMAGE_IDS_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    SEARCH_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    TOP_FIELD_NUMBER: _ClassVar[int]
    AT_LEAST_FIELD_NUMBER: _ClassVar[int]
    FINDING_FIELD_NUMBER: _ClassVar[int]
    image_ids: _containers.RepeatedScalarFieldContainer[str]
    text: str
    search_id: str
    model: str
    top: int
    at_least: float
    finding: str
    def __init__(self, image_ids: _Optional[_Iterable[str]] = ..., text: _Optional[str] = ..., search_id: _Optional[str] = ..., model: _Optional[str] = ..., top: _Optional[int] = ..., at_least: _Optional[float] = ..., finding: _Optional[str] = ...) -> None: ...

class CohortCluster(_message.Message):
    __slots__ = ("run_id", "model", "resolution", "numbers")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    RESOLUTION_FIELD_NUMBER: _ClassVar[int]
    NUMBERS_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    model: str
    resolution: float
    numbers: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, run_id: _Optional[str] = ..., model: _Optional[str] = ..., resolution: _Optional[float] = ..., numbers: _Optional[_Iterable[int]] = ...) -> None: ...

class CohortIds(_message.Message):
    __slots__ = ("image_ids",)
    IMAGE_IDS_FIELD_NUMBER: _ClassVar[int]
    image_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, image_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class CohortCap(_message.Message):
    __slots__ = ("per", "most", "which", "studies")
    PER_FIELD_NUMBER: _ClassVar[int]
    MOST_FIELD_NUMBER: _ClassVar[int]
    WHICH_FIELD_NUMBER: _ClassVar[int]
    STUDIES_FIELD_NUMBER: _ClassVar[int]
    per: str
    most: int
    which: str
    studies: bool
    def __init__(self, per: _Optional[str] = ..., most: _Optional[int] = ..., which: _Optional[str] = ..., studies: _Optional[bool] = ...) -> None: ...

class CohortQuota(_message.Message):
    __slots__ = ("filter", "size")
    FILTER_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    filter: str
    size: int
    def __init__(self, filter: _Optional[str] = ..., size: _Optional[int] = ...) -> None: ...

class CohortTarget(_message.Message):
    __slots__ = ("variable", "shares")
    class SharesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    VARIABLE_FIELD_NUMBER: _ClassVar[int]
    SHARES_FIELD_NUMBER: _ClassVar[int]
    variable: str
    shares: _containers.ScalarMap[str, float]
    def __init__(self, variable: _Optional[str] = ..., shares: _Optional[_Mapping[str, float]] = ...) -> None: ...

class CohortSample(_message.Message):
    __slots__ = ("how", "size", "by", "allocation", "quotas", "targets", "like")
    HOW_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    ALLOCATION_FIELD_NUMBER: _ClassVar[int]
    QUOTAS_FIELD_NUMBER: _ClassVar[int]
    TARGETS_FIELD_NUMBER: _ClassVar[int]
    LIKE_FIELD_NUMBER: _ClassVar[int]
    how: str
    size: int
    by: _containers.RepeatedScalarFieldContainer[str]
    allocation: str
    quotas: _containers.RepeatedCompositeFieldContainer[CohortQuota]
    targets: _containers.RepeatedCompositeFieldContainer[CohortTarget]
    like: str
    def __init__(self, how: _Optional[str] = ..., size: _Optional[int] = ..., by: _Optional[_Iterable[str]] = ..., allocation: _Optional[str] = ..., quotas: _Optional[_Iterable[_Union[CohortQuota, _Mapping]]] = ..., targets: _Optional[_Iterable[_Union[CohortTarget, _Mapping]]] = ..., like: _Optional[str] = ...) -> None: ...

class CohortMatch(_message.Message):
    __slots__ = ("cases", "controls", "exact", "nearest", "propensity", "caliper", "within", "ratio")
    class WithinEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    CASES_FIELD_NUMBER: _ClassVar[int]
    CONTROLS_FIELD_NUMBER: _ClassVar[int]
    EXACT_FIELD_NUMBER: _ClassVar[int]
    NEAREST_FIELD_NUMBER: _ClassVar[int]
    PROPENSITY_FIELD_NUMBER: _ClassVar[int]
    CALIPER_FIELD_NUMBER: _ClassVar[int]
    WITHIN_FIELD_NUMBER: _ClassVar[int]
    RATIO_FIELD_NUMBER: _ClassVar[int]
    cases: str
    controls: str
    exact: _containers.RepeatedScalarFieldContainer[str]
    nearest: _containers.RepeatedScalarFieldContainer[str]
    propensity: _containers.RepeatedScalarFieldContainer[str]
    caliper: float
    within: _containers.ScalarMap[str, float]
    ratio: str
    def __init__(self, cases: _Optional[str] = ..., controls: _Optional[str] = ..., exact: _Optional[_Iterable[str]] = ..., nearest: _Optional[_Iterable[str]] = ..., propensity: _Optional[_Iterable[str]] = ..., caliper: _Optional[float] = ..., within: _Optional[_Mapping[str, float]] = ..., ratio: _Optional[str] = ...) -> None: ...

class CohortSplit(_message.Message):
    __slots__ = ("fractions", "stratify", "near_duplicates", "model", "same")
    class FractionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    FRACTIONS_FIELD_NUMBER: _ClassVar[int]
    STRATIFY_FIELD_NUMBER: _ClassVar[int]
    NEAR_DUPLICATES_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    SAME_FIELD_NUMBER: _ClassVar[int]
    fractions: _containers.ScalarMap[str, float]
    stratify: _containers.RepeatedScalarFieldContainer[str]
    near_duplicates: bool
    model: str
    same: float
    def __init__(self, fractions: _Optional[_Mapping[str, float]] = ..., stratify: _Optional[_Iterable[str]] = ..., near_duplicates: _Optional[bool] = ..., model: _Optional[str] = ..., same: _Optional[float] = ...) -> None: ...

class CohortTable(_message.Message):
    __slots__ = ("variables", "by")
    VARIABLES_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    variables: _containers.RepeatedScalarFieldContainer[str]
    by: str
    def __init__(self, variables: _Optional[_Iterable[str]] = ..., by: _Optional[str] = ...) -> None: ...

class CohortCount(_message.Message):
    __slots__ = ("images", "studies", "patients")
    IMAGES_FIELD_NUMBER: _ClassVar[int]
    STUDIES_FIELD_NUMBER: _ClassVar[int]
    PATIENTS_FIELD_NUMBER: _ClassVar[int]
    images: int
    studies: int
    patients: int
    def __init__(self, images: _Optional[int] = ..., studies: _Optional[int] = ..., patients: _Optional[int] = ...) -> None: ...

class CohortStep(_message.Message):
    __slots__ = ("name", "kind", "test", "left", "removed", "alone")
    NAME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    TEST_FIELD_NUMBER: _ClassVar[int]
    LEFT_FIELD_NUMBER: _ClassVar[int]
    REMOVED_FIELD_NUMBER: _ClassVar[int]
    ALONE_FIELD_NUMBER: _ClassVar[int]
    name: str
    kind: str
    test: str
    left: CohortCount
    removed: CohortCount
    alone: CohortCount
    def __init__(self, name: _Optional[str] = ..., kind: _Optional[str] = ..., test: _Optional[str] = ..., left: _Optional[_Union[CohortCount, _Mapping]] = ..., removed: _Optional[_Union[CohortCount, _Mapping]] = ..., alone: _Optional[_Union[CohortCount, _Mapping]] = ...) -> None: ...

class Cohort(_message.Message):
    __slots__ = ("name", "title", "created_at", "run_id", "films", "frozen", "ids_sha256", "spec", "steps", "manifest", "report", "files")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    FILMS_FIELD_NUMBER: _ClassVar[int]
    FROZEN_FIELD_NUMBER: _ClassVar[int]
    IDS_SHA256_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    MANIFEST_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    FILES_FIELD_NUMBER: _ClassVar[int]
    name: str
    title: str
    created_at: str
    run_id: str
    films: CohortCount
    frozen: CohortCount
    ids_sha256: str
    spec: CohortSpec
    steps: _containers.RepeatedCompositeFieldContainer[CohortStep]
    manifest: _struct_pb2.Struct
    report: str
    files: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., title: _Optional[str] = ..., created_at: _Optional[str] = ..., run_id: _Optional[str] = ..., films: _Optional[_Union[CohortCount, _Mapping]] = ..., frozen: _Optional[_Union[CohortCount, _Mapping]] = ..., ids_sha256: _Optional[str] = ..., spec: _Optional[_Union[CohortSpec, _Mapping]] = ..., steps: _Optional[_Iterable[_Union[CohortStep, _Mapping]]] = ..., manifest: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., report: _Optional[str] = ..., files: _Optional[_Iterable[str]] = ...) -> None: ...

class CreateCohortRequest(_message.Message):
    __slots__ = ("spec", "request_id")
    SPEC_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    spec: CohortSpec
    request_id: str
    def __init__(self, spec: _Optional[_Union[CohortSpec, _Mapping]] = ..., request_id: _Optional[str] = ...) -> None: ...

class PreviewCohortRequest(_message.Message):
    __slots__ = ("spec",)
    SPEC_FIELD_NUMBER: _ClassVar[int]
    spec: CohortSpec
    def __init__(self, spec: _Optional[_Union[CohortSpec, _Mapping]] = ...) -> None: ...

class CohortPreview(_message.Message):
    __slots__ = ("steps", "data_version", "seconds")
    STEPS_FIELD_NUMBER: _ClassVar[int]
    DATA_VERSION_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    steps: _containers.RepeatedCompositeFieldContainer[CohortStep]
    data_version: str
    seconds: float
    def __init__(self, steps: _Optional[_Iterable[_Union[CohortStep, _Mapping]]] = ..., data_version: _Optional[str] = ..., seconds: _Optional[float] = ...) -> None: ...

class GetCohortRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class ListCohortsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListCohortsResponse(_message.Message):
    __slots__ = ("cohorts", "next_page_token")
    COHORTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    cohorts: _containers.RepeatedCompositeFieldContainer[Cohort]
    next_page_token: str
    def __init__(self, cohorts: _Optional[_Iterable[_Union[Cohort, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class RerunCohortRequest(_message.Message):
    __slots__ = ("name", "as_name", "request_id")
    NAME_FIELD_NUMBER: _ClassVar[int]
    AS_NAME_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    name: str
    as_name: str
    request_id: str
    def __init__(self, name: _Optional[str] = ..., as_name: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class DiffCohortRequest(_message.Message):
    __slots__ = ("name", "against", "most")
    NAME_FIELD_NUMBER: _ClassVar[int]
    AGAINST_FIELD_NUMBER: _ClassVar[int]
    MOST_FIELD_NUMBER: _ClassVar[int]
    name: str
    against: str
    most: int
    def __init__(self, name: _Optional[str] = ..., against: _Optional[str] = ..., most: _Optional[int] = ...) -> None: ...

class CohortChange(_message.Message):
    __slots__ = ("image_id", "how", "why", "step", "before", "after")
    IMAGE_ID_FIELD_NUMBER: _ClassVar[int]
    HOW_FIELD_NUMBER: _ClassVar[int]
    WHY_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    image_id: str
    how: str
    why: str
    step: str
    before: float
    after: float
    def __init__(self, image_id: _Optional[str] = ..., how: _Optional[str] = ..., why: _Optional[str] = ..., step: _Optional[str] = ..., before: _Optional[float] = ..., after: _Optional[float] = ...) -> None: ...

class CohortReason(_message.Message):
    __slots__ = ("how", "why", "step", "films")
    HOW_FIELD_NUMBER: _ClassVar[int]
    WHY_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    FILMS_FIELD_NUMBER: _ClassVar[int]
    how: str
    why: str
    step: str
    films: int
    def __init__(self, how: _Optional[str] = ..., why: _Optional[str] = ..., step: _Optional[str] = ..., films: _Optional[int] = ...) -> None: ...

class CohortDiff(_message.Message):
    __slots__ = ("name", "against", "same", "before", "after", "both", "reasons", "changes", "notes")
    NAME_FIELD_NUMBER: _ClassVar[int]
    AGAINST_FIELD_NUMBER: _ClassVar[int]
    SAME_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    BOTH_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    name: str
    against: str
    same: bool
    before: CohortCount
    after: CohortCount
    both: int
    reasons: _containers.RepeatedCompositeFieldContainer[CohortReason]
    changes: _containers.RepeatedCompositeFieldContainer[CohortChange]
    notes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., against: _Optional[str] = ..., same: _Optional[bool] = ..., before: _Optional[_Union[CohortCount, _Mapping]] = ..., after: _Optional[_Union[CohortCount, _Mapping]] = ..., both: _Optional[int] = ..., reasons: _Optional[_Iterable[_Union[CohortReason, _Mapping]]] = ..., changes: _Optional[_Iterable[_Union[CohortChange, _Mapping]]] = ..., notes: _Optional[_Iterable[str]] = ...) -> None: ...

class DeleteCohortResponse(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...
