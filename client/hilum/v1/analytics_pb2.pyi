from google.protobuf import struct_pb2 as _struct_pb2
from hilum.v1 import cohort_pb2 as _cohort_pb2
from hilum.v1 import common_pb2 as _common_pb2
from hilum.v1 import jobs_pb2 as _jobs_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CreateRunRequest(_message.Message):
    __slots__ = ("models", "filter", "sample_size", "seed", "k", "resolutions", "labels", "request_id", "retrieval", "calibration", "hubs", "align", "structure", "eda", "sampling", "compare", "outliers", "probe", "label_quality", "shift", "cohort", "clinical")
    MODELS_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_SIZE_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    K_FIELD_NUMBER: _ClassVar[int]
    RESOLUTIONS_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    RETRIEVAL_FIELD_NUMBER: _ClassVar[int]
    CALIBRATION_FIELD_NUMBER: _ClassVar[int]
    HUBS_FIELD_NUMBER: _ClassVar[int]
    ALIGN_FIELD_NUMBER: _ClassVar[int]
    STRUCTURE_FIELD_NUMBER: _ClassVar[int]
    EDA_FIELD_NUMBER: _ClassVar[int]
    SAMPLING_FIELD_NUMBER: _ClassVar[int]
    COMPARE_FIELD_NUMBER: _ClassVar[int]
    OUTLIERS_FIELD_NUMBER: _ClassVar[int]
    PROBE_FIELD_NUMBER: _ClassVar[int]
    LABEL_QUALITY_FIELD_NUMBER: _ClassVar[int]
    SHIFT_FIELD_NUMBER: _ClassVar[int]
    COHORT_FIELD_NUMBER: _ClassVar[int]
    CLINICAL_FIELD_NUMBER: _ClassVar[int]
    models: _containers.RepeatedScalarFieldContainer[str]
    filter: str
    sample_size: int
    seed: int
    k: int
    resolutions: _containers.RepeatedScalarFieldContainer[float]
    labels: _containers.RepeatedScalarFieldContainer[str]
    request_id: str
    retrieval: RetrievalAnalysis
    calibration: CalibrationAnalysis
    hubs: HubAnalysis
    align: AlignAnalysis
    structure: StructureAnalysis
    eda: EdaAnalysis
    sampling: SamplingAnalysis
    compare: CompareAnalysis
    outliers: OutlierAnalysis
    probe: ProbeAnalysis
    label_quality: LabelQualityAnalysis
    shift: ShiftAnalysis
    cohort: _cohort_pb2.CohortSpec
    clinical: ClinicalAnalysis
    def __init__(self, models: _Optional[_Iterable[str]] = ..., filter: _Optional[str] = ..., sample_size: _Optional[int] = ..., seed: _Optional[int] = ..., k: _Optional[int] = ..., resolutions: _Optional[_Iterable[float]] = ..., labels: _Optional[_Iterable[str]] = ..., request_id: _Optional[str] = ..., retrieval: _Optional[_Union[RetrievalAnalysis, _Mapping]] = ..., calibration: _Optional[_Union[CalibrationAnalysis, _Mapping]] = ..., hubs: _Optional[_Union[HubAnalysis, _Mapping]] = ..., align: _Optional[_Union[AlignAnalysis, _Mapping]] = ..., structure: _Optional[_Union[StructureAnalysis, _Mapping]] = ..., eda: _Optional[_Union[EdaAnalysis, _Mapping]] = ..., sampling: _Optional[_Union[SamplingAnalysis, _Mapping]] = ..., compare: _Optional[_Union[CompareAnalysis, _Mapping]] = ..., outliers: _Optional[_Union[OutlierAnalysis, _Mapping]] = ..., probe: _Optional[_Union[ProbeAnalysis, _Mapping]] = ..., label_quality: _Optional[_Union[LabelQualityAnalysis, _Mapping]] = ..., shift: _Optional[_Union[ShiftAnalysis, _Mapping]] = ..., cohort: _Optional[_Union[_cohort_pb2.CohortSpec, _Mapping]] = ..., clinical: _Optional[_Union[ClinicalAnalysis, _Mapping]] = ...) -> None: ...

class RetrievalAnalysis(_message.Message):
    __slots__ = ("depths", "queries", "relevance", "fuse", "correct")
    DEPTHS_FIELD_NUMBER: _ClassVar[int]
    QUERIES_FIELD_NUMBER: _ClassVar[int]
    RELEVANCE_FIELD_NUMBER: _ClassVar[int]
    FUSE_FIELD_NUMBER: _ClassVar[int]
    CORRECT_FIELD_NUMBER: _ClassVar[int]
    depths: _containers.RepeatedScalarFieldContainer[int]
    queries: int
    relevance: str
    fuse: bool
    correct: bool
    def __init__(self, depths: _Optional[_Iterable[int]] = ..., queries: _Optional[int] = ..., relevance: _Optional[str] = ..., fuse: _Optional[bool] = ..., correct: _Optional[bool] = ...) -> None: ...

class CalibrationAnalysis(_message.Message):
    __slots__ = ("folds",)
    FOLDS_FIELD_NUMBER: _ClassVar[int]
    folds: int
    def __init__(self, folds: _Optional[int] = ...) -> None: ...

class HubAnalysis(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class AlignAnalysis(_message.Message):
    __slots__ = ("text_model", "methods", "sections", "pairs", "register", "name", "splits")
    TEXT_MODEL_FIELD_NUMBER: _ClassVar[int]
    METHODS_FIELD_NUMBER: _ClassVar[int]
    SECTIONS_FIELD_NUMBER: _ClassVar[int]
    PAIRS_FIELD_NUMBER: _ClassVar[int]
    REGISTER_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    SPLITS_FIELD_NUMBER: _ClassVar[int]
    text_model: str
    methods: _containers.RepeatedScalarFieldContainer[str]
    sections: _containers.RepeatedScalarFieldContainer[str]
    pairs: _containers.RepeatedScalarFieldContainer[int]
    register: bool
    name: str
    splits: int
    def __init__(self, text_model: _Optional[str] = ..., methods: _Optional[_Iterable[str]] = ..., sections: _Optional[_Iterable[str]] = ..., pairs: _Optional[_Iterable[int]] = ..., register: _Optional[bool] = ..., name: _Optional[str] = ..., splits: _Optional[int] = ...) -> None: ...

class StructureAnalysis(_message.Message):
    __slots__ = ("layouts", "perplexities", "seeds", "draws")
    LAYOUTS_FIELD_NUMBER: _ClassVar[int]
    PERPLEXITIES_FIELD_NUMBER: _ClassVar[int]
    SEEDS_FIELD_NUMBER: _ClassVar[int]
    DRAWS_FIELD_NUMBER: _ClassVar[int]
    layouts: _containers.RepeatedScalarFieldContainer[str]
    perplexities: _containers.RepeatedScalarFieldContainer[float]
    seeds: int
    draws: int
    def __init__(self, layouts: _Optional[_Iterable[str]] = ..., perplexities: _Optional[_Iterable[float]] = ..., seeds: _Optional[int] = ..., draws: _Optional[int] = ...) -> None: ...

class EdaAnalysis(_message.Message):
    __slots__ = ("no_sides",)
    NO_SIDES_FIELD_NUMBER: _ClassVar[int]
    no_sides: bool
    def __init__(self, no_sides: _Optional[bool] = ...) -> None: ...

class SamplingAnalysis(_message.Message):
    __slots__ = ("name", "by", "allocation", "quotas", "per_patient")
    NAME_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    ALLOCATION_FIELD_NUMBER: _ClassVar[int]
    QUOTAS_FIELD_NUMBER: _ClassVar[int]
    PER_PATIENT_FIELD_NUMBER: _ClassVar[int]
    name: str
    by: _containers.RepeatedScalarFieldContainer[str]
    allocation: str
    quotas: _containers.RepeatedScalarFieldContainer[str]
    per_patient: int
    def __init__(self, name: _Optional[str] = ..., by: _Optional[_Iterable[str]] = ..., allocation: _Optional[str] = ..., quotas: _Optional[_Iterable[str]] = ..., per_patient: _Optional[int] = ...) -> None: ...

class CompareAnalysis(_message.Message):
    __slots__ = ("apart", "shuffles", "shown")
    APART_FIELD_NUMBER: _ClassVar[int]
    SHUFFLES_FIELD_NUMBER: _ClassVar[int]
    SHOWN_FIELD_NUMBER: _ClassVar[int]
    apart: int
    shuffles: int
    shown: int
    def __init__(self, apart: _Optional[int] = ..., shuffles: _Optional[int] = ..., shown: _Optional[int] = ...) -> None: ...

class OutlierAnalysis(_message.Message):
    __slots__ = ("top", "region", "same", "trees")
    TOP_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    SAME_FIELD_NUMBER: _ClassVar[int]
    TREES_FIELD_NUMBER: _ClassVar[int]
    top: int
    region: str
    same: float
    trees: int
    def __init__(self, top: _Optional[int] = ..., region: _Optional[str] = ..., same: _Optional[float] = ..., trees: _Optional[int] = ...) -> None: ...

class ProbeAnalysis(_message.Message):
    __slots__ = ("per_side", "folds", "classifiers", "augment", "pooled", "save")
    PER_SIDE_FIELD_NUMBER: _ClassVar[int]
    FOLDS_FIELD_NUMBER: _ClassVar[int]
    CLASSIFIERS_FIELD_NUMBER: _ClassVar[int]
    AUGMENT_FIELD_NUMBER: _ClassVar[int]
    POOLED_FIELD_NUMBER: _ClassVar[int]
    SAVE_FIELD_NUMBER: _ClassVar[int]
    per_side: int
    folds: int
    classifiers: _containers.RepeatedScalarFieldContainer[str]
    augment: str
    pooled: bool
    save: bool
    def __init__(self, per_side: _Optional[int] = ..., folds: _Optional[int] = ..., classifiers: _Optional[_Iterable[str]] = ..., augment: _Optional[str] = ..., pooled: _Optional[bool] = ..., save: _Optional[bool] = ...) -> None: ...

class LabelQualityAnalysis(_message.Message):
    __slots__ = ("folds", "shown", "flip", "rates", "repeats")
    FOLDS_FIELD_NUMBER: _ClassVar[int]
    SHOWN_FIELD_NUMBER: _ClassVar[int]
    FLIP_FIELD_NUMBER: _ClassVar[int]
    RATES_FIELD_NUMBER: _ClassVar[int]
    REPEATS_FIELD_NUMBER: _ClassVar[int]
    folds: int
    shown: int
    flip: str
    rates: _containers.RepeatedScalarFieldContainer[float]
    repeats: int
    def __init__(self, folds: _Optional[int] = ..., shown: _Optional[int] = ..., flip: _Optional[str] = ..., rates: _Optional[_Iterable[float]] = ..., repeats: _Optional[int] = ...) -> None: ...

class ShiftAnalysis(_message.Message):
    __slots__ = ("axes", "a", "b", "remove", "permutations", "folds")
    AXES_FIELD_NUMBER: _ClassVar[int]
    A_FIELD_NUMBER: _ClassVar[int]
    B_FIELD_NUMBER: _ClassVar[int]
    REMOVE_FIELD_NUMBER: _ClassVar[int]
    PERMUTATIONS_FIELD_NUMBER: _ClassVar[int]
    FOLDS_FIELD_NUMBER: _ClassVar[int]
    axes: _containers.RepeatedScalarFieldContainer[str]
    a: str
    b: str
    remove: str
    permutations: int
    folds: int
    def __init__(self, axes: _Optional[_Iterable[str]] = ..., a: _Optional[str] = ..., b: _Optional[str] = ..., remove: _Optional[str] = ..., permutations: _Optional[int] = ..., folds: _Optional[int] = ...) -> None: ...

class ClinicalAnalysis(_message.Message):
    __slots__ = ("outcome", "time", "event", "variables", "film", "reductions", "methods", "components", "most_clusters", "draws", "folds", "repeats")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    VARIABLES_FIELD_NUMBER: _ClassVar[int]
    FILM_FIELD_NUMBER: _ClassVar[int]
    REDUCTIONS_FIELD_NUMBER: _ClassVar[int]
    METHODS_FIELD_NUMBER: _ClassVar[int]
    COMPONENTS_FIELD_NUMBER: _ClassVar[int]
    MOST_CLUSTERS_FIELD_NUMBER: _ClassVar[int]
    DRAWS_FIELD_NUMBER: _ClassVar[int]
    FOLDS_FIELD_NUMBER: _ClassVar[int]
    REPEATS_FIELD_NUMBER: _ClassVar[int]
    outcome: str
    time: str
    event: str
    variables: _containers.RepeatedScalarFieldContainer[str]
    film: str
    reductions: _containers.RepeatedScalarFieldContainer[str]
    methods: _containers.RepeatedScalarFieldContainer[str]
    components: int
    most_clusters: int
    draws: int
    folds: int
    repeats: int
    def __init__(self, outcome: _Optional[str] = ..., time: _Optional[str] = ..., event: _Optional[str] = ..., variables: _Optional[_Iterable[str]] = ..., film: _Optional[str] = ..., reductions: _Optional[_Iterable[str]] = ..., methods: _Optional[_Iterable[str]] = ..., components: _Optional[int] = ..., most_clusters: _Optional[int] = ..., draws: _Optional[int] = ..., folds: _Optional[int] = ..., repeats: _Optional[int] = ...) -> None: ...

class Run(_message.Message):
    __slots__ = ("run_id", "state", "created_at", "manifest", "metrics", "atlas", "kind", "report", "files")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    MANIFEST_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    ATLAS_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    FILES_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    state: str
    created_at: str
    manifest: _struct_pb2.Struct
    metrics: _struct_pb2.Struct
    atlas: str
    kind: str
    report: str
    files: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, run_id: _Optional[str] = ..., state: _Optional[str] = ..., created_at: _Optional[str] = ..., manifest: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., metrics: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., atlas: _Optional[str] = ..., kind: _Optional[str] = ..., report: _Optional[str] = ..., files: _Optional[_Iterable[str]] = ...) -> None: ...

class GetRunRequest(_message.Message):
    __slots__ = ("run_id",)
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    def __init__(self, run_id: _Optional[str] = ...) -> None: ...

class GetRunFileRequest(_message.Message):
    __slots__ = ("run_id", "name")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    name: str
    def __init__(self, run_id: _Optional[str] = ..., name: _Optional[str] = ...) -> None: ...

class ListRunsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListRunsResponse(_message.Message):
    __slots__ = ("runs", "next_page_token")
    RUNS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    runs: _containers.RepeatedCompositeFieldContainer[Run]
    next_page_token: str
    def __init__(self, runs: _Optional[_Iterable[_Union[Run, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...
