from hilum.v1 import common_pb2 as _common_pb2
from hilum.v1 import jobs_pb2 as _jobs_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ReaderDesign(_message.Message):
    __slots__ = ("kind", "model", "sets", "nearest", "others", "against", "filter", "candidates", "strata", "stratify", "repeats", "seed", "instructions")
    KIND_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    SETS_FIELD_NUMBER: _ClassVar[int]
    NEAREST_FIELD_NUMBER: _ClassVar[int]
    OTHERS_FIELD_NUMBER: _ClassVar[int]
    AGAINST_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    STRATA_FIELD_NUMBER: _ClassVar[int]
    STRATIFY_FIELD_NUMBER: _ClassVar[int]
    REPEATS_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    INSTRUCTIONS_FIELD_NUMBER: _ClassVar[int]
    kind: str
    model: str
    sets: int
    nearest: int
    others: int
    against: str
    filter: str
    candidates: str
    strata: _containers.RepeatedScalarFieldContainer[str]
    stratify: str
    repeats: int
    seed: int
    instructions: str
    def __init__(self, kind: _Optional[str] = ..., model: _Optional[str] = ..., sets: _Optional[int] = ..., nearest: _Optional[int] = ..., others: _Optional[int] = ..., against: _Optional[str] = ..., filter: _Optional[str] = ..., candidates: _Optional[str] = ..., strata: _Optional[_Iterable[str]] = ..., stratify: _Optional[str] = ..., repeats: _Optional[int] = ..., seed: _Optional[int] = ..., instructions: _Optional[str] = ...) -> None: ...

class Reader(_message.Message):
    __slots__ = ("reader_id", "name", "answered", "created_at")
    READER_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ANSWERED_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    reader_id: str
    name: str
    answered: int
    created_at: str
    def __init__(self, reader_id: _Optional[str] = ..., name: _Optional[str] = ..., answered: _Optional[int] = ..., created_at: _Optional[str] = ...) -> None: ...

class ReaderStudy(_message.Message):
    __slots__ = ("study_id", "title", "state", "design", "fingerprint", "sets", "withdrawn", "readers", "created_at", "strata", "versions")
    class StrataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class VersionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    STUDY_ID_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    DESIGN_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    SETS_FIELD_NUMBER: _ClassVar[int]
    WITHDRAWN_FIELD_NUMBER: _ClassVar[int]
    READERS_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    STRATA_FIELD_NUMBER: _ClassVar[int]
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    study_id: str
    title: str
    state: str
    design: ReaderDesign
    fingerprint: str
    sets: int
    withdrawn: int
    readers: _containers.RepeatedCompositeFieldContainer[Reader]
    created_at: str
    strata: _containers.ScalarMap[str, int]
    versions: _containers.ScalarMap[str, str]
    def __init__(self, study_id: _Optional[str] = ..., title: _Optional[str] = ..., state: _Optional[str] = ..., design: _Optional[_Union[ReaderDesign, _Mapping]] = ..., fingerprint: _Optional[str] = ..., sets: _Optional[int] = ..., withdrawn: _Optional[int] = ..., readers: _Optional[_Iterable[_Union[Reader, _Mapping]]] = ..., created_at: _Optional[str] = ..., strata: _Optional[_Mapping[str, int]] = ..., versions: _Optional[_Mapping[str, str]] = ...) -> None: ...

class CreateReaderStudyRequest(_message.Message):
    __slots__ = ("title", "design", "image_ids")
    TITLE_FIELD_NUMBER: _ClassVar[int]
    DESIGN_FIELD_NUMBER: _ClassVar[int]
    IMAGE_IDS_FIELD_NUMBER: _ClassVar[int]
    title: str
    design: ReaderDesign
    image_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, title: _Optional[str] = ..., design: _Optional[_Union[ReaderDesign, _Mapping]] = ..., image_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class CreateReaderStudyAnswer(_message.Message):
    __slots__ = ("progress", "study")
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    STUDY_FIELD_NUMBER: _ClassVar[int]
    progress: _jobs_pb2.JobProgress
    study: ReaderStudy
    def __init__(self, progress: _Optional[_Union[_jobs_pb2.JobProgress, _Mapping]] = ..., study: _Optional[_Union[ReaderStudy, _Mapping]] = ...) -> None: ...

class ReaderStudyIdRequest(_message.Message):
    __slots__ = ("study_id",)
    STUDY_ID_FIELD_NUMBER: _ClassVar[int]
    study_id: str
    def __init__(self, study_id: _Optional[str] = ...) -> None: ...

class ListReaderStudiesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListReaderStudiesResponse(_message.Message):
    __slots__ = ("studies",)
    STUDIES_FIELD_NUMBER: _ClassVar[int]
    studies: _containers.RepeatedCompositeFieldContainer[ReaderStudy]
    def __init__(self, studies: _Optional[_Iterable[_Union[ReaderStudy, _Mapping]]] = ...) -> None: ...

class InviteReaderRequest(_message.Message):
    __slots__ = ("study_id", "name", "renew")
    STUDY_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    RENEW_FIELD_NUMBER: _ClassVar[int]
    study_id: str
    name: str
    renew: bool
    def __init__(self, study_id: _Optional[str] = ..., name: _Optional[str] = ..., renew: _Optional[bool] = ...) -> None: ...

class ReaderInvitation(_message.Message):
    __slots__ = ("reader", "token", "path")
    READER_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    reader: Reader
    token: str
    path: str
    def __init__(self, reader: _Optional[_Union[Reader, _Mapping]] = ..., token: _Optional[str] = ..., path: _Optional[str] = ...) -> None: ...

class CloseReaderStudyRequest(_message.Message):
    __slots__ = ("study_id", "open")
    STUDY_ID_FIELD_NUMBER: _ClassVar[int]
    OPEN_FIELD_NUMBER: _ClassVar[int]
    study_id: str
    open: bool
    def __init__(self, study_id: _Optional[str] = ..., open: _Optional[bool] = ...) -> None: ...

class DeleteReaderStudyResponse(_message.Message):
    __slots__ = ("answers",)
    ANSWERS_FIELD_NUMBER: _ClassVar[int]
    answers: int
    def __init__(self, answers: _Optional[int] = ...) -> None: ...

class ReaderFigure(_message.Message):
    __slots__ = ("value", "low", "high")
    VALUE_FIELD_NUMBER: _ClassVar[int]
    LOW_FIELD_NUMBER: _ClassVar[int]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    value: float
    low: float
    high: float
    def __init__(self, value: _Optional[float] = ..., low: _Optional[float] = ..., high: _Optional[float] = ...) -> None: ...

class ReaderResult(_message.Message):
    __slots__ = ("name", "sets", "model", "model_kappa", "others", "repeats", "itself", "itself_kappa", "ndcg", "seconds")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SETS_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    MODEL_KAPPA_FIELD_NUMBER: _ClassVar[int]
    OTHERS_FIELD_NUMBER: _ClassVar[int]
    REPEATS_FIELD_NUMBER: _ClassVar[int]
    ITSELF_FIELD_NUMBER: _ClassVar[int]
    ITSELF_KAPPA_FIELD_NUMBER: _ClassVar[int]
    NDCG_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    name: str
    sets: int
    model: ReaderFigure
    model_kappa: ReaderFigure
    others: ReaderFigure
    repeats: int
    itself: ReaderFigure
    itself_kappa: ReaderFigure
    ndcg: ReaderFigure
    seconds: float
    def __init__(self, name: _Optional[str] = ..., sets: _Optional[int] = ..., model: _Optional[_Union[ReaderFigure, _Mapping]] = ..., model_kappa: _Optional[_Union[ReaderFigure, _Mapping]] = ..., others: _Optional[_Union[ReaderFigure, _Mapping]] = ..., repeats: _Optional[int] = ..., itself: _Optional[_Union[ReaderFigure, _Mapping]] = ..., itself_kappa: _Optional[_Union[ReaderFigure, _Mapping]] = ..., ndcg: _Optional[_Union[ReaderFigure, _Mapping]] = ..., seconds: _Optional[float] = ...) -> None: ...

class ReaderPair(_message.Message):
    __slots__ = ("one", "other", "sets", "agreement", "kappa")
    ONE_FIELD_NUMBER: _ClassVar[int]
    OTHER_FIELD_NUMBER: _ClassVar[int]
    SETS_FIELD_NUMBER: _ClassVar[int]
    AGREEMENT_FIELD_NUMBER: _ClassVar[int]
    KAPPA_FIELD_NUMBER: _ClassVar[int]
    one: str
    other: str
    sets: int
    agreement: ReaderFigure
    kappa: ReaderFigure
    def __init__(self, one: _Optional[str] = ..., other: _Optional[str] = ..., sets: _Optional[int] = ..., agreement: _Optional[_Union[ReaderFigure, _Mapping]] = ..., kappa: _Optional[_Union[ReaderFigure, _Mapping]] = ...) -> None: ...

class ReaderGroup(_message.Message):
    __slots__ = ("name", "stratum", "sets", "consensus", "readers", "fleiss", "ndcg")
    NAME_FIELD_NUMBER: _ClassVar[int]
    STRATUM_FIELD_NUMBER: _ClassVar[int]
    SETS_FIELD_NUMBER: _ClassVar[int]
    CONSENSUS_FIELD_NUMBER: _ClassVar[int]
    READERS_FIELD_NUMBER: _ClassVar[int]
    FLEISS_FIELD_NUMBER: _ClassVar[int]
    NDCG_FIELD_NUMBER: _ClassVar[int]
    name: str
    stratum: bool
    sets: int
    consensus: ReaderFigure
    readers: ReaderFigure
    fleiss: ReaderFigure
    ndcg: ReaderFigure
    def __init__(self, name: _Optional[str] = ..., stratum: _Optional[bool] = ..., sets: _Optional[int] = ..., consensus: _Optional[_Union[ReaderFigure, _Mapping]] = ..., readers: _Optional[_Union[ReaderFigure, _Mapping]] = ..., fleiss: _Optional[_Union[ReaderFigure, _Mapping]] = ..., ndcg: _Optional[_Union[ReaderFigure, _Mapping]] = ...) -> None: ...

class ReaderDepth(_message.Message):
    __slots__ = ("k", "ndcg", "chance")
    K_FIELD_NUMBER: _ClassVar[int]
    NDCG_FIELD_NUMBER: _ClassVar[int]
    CHANCE_FIELD_NUMBER: _ClassVar[int]
    k: int
    ndcg: ReaderFigure
    chance: float
    def __init__(self, k: _Optional[int] = ..., ndcg: _Optional[_Union[ReaderFigure, _Mapping]] = ..., chance: _Optional[float] = ...) -> None: ...

class ReaderStudyResults(_message.Message):
    __slots__ = ("study", "sets", "chance", "consensus", "consensus_least", "consensus_most", "consensus_kappa", "readers", "between", "fleiss", "each", "pairs", "groups", "depths", "sets_for_five_points", "said", "caveats", "beyond")
    STUDY_FIELD_NUMBER: _ClassVar[int]
    SETS_FIELD_NUMBER: _ClassVar[int]
    CHANCE_FIELD_NUMBER: _ClassVar[int]
    CONSENSUS_FIELD_NUMBER: _ClassVar[int]
    CONSENSUS_LEAST_FIELD_NUMBER: _ClassVar[int]
    CONSENSUS_MOST_FIELD_NUMBER: _ClassVar[int]
    CONSENSUS_KAPPA_FIELD_NUMBER: _ClassVar[int]
    READERS_FIELD_NUMBER: _ClassVar[int]
    BETWEEN_FIELD_NUMBER: _ClassVar[int]
    FLEISS_FIELD_NUMBER: _ClassVar[int]
    EACH_FIELD_NUMBER: _ClassVar[int]
    PAIRS_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    DEPTHS_FIELD_NUMBER: _ClassVar[int]
    SETS_FOR_FIVE_POINTS_FIELD_NUMBER: _ClassVar[int]
    SAID_FIELD_NUMBER: _ClassVar[int]
    CAVEATS_FIELD_NUMBER: _ClassVar[int]
    BEYOND_FIELD_NUMBER: _ClassVar[int]
    study: ReaderStudy
    sets: int
    chance: float
    consensus: ReaderFigure
    consensus_least: float
    consensus_most: float
    consensus_kappa: ReaderFigure
    readers: ReaderFigure
    between: ReaderFigure
    fleiss: ReaderFigure
    each: _containers.RepeatedCompositeFieldContainer[ReaderResult]
    pairs: _containers.RepeatedCompositeFieldContainer[ReaderPair]
    groups: _containers.RepeatedCompositeFieldContainer[ReaderGroup]
    depths: _containers.RepeatedCompositeFieldContainer[ReaderDepth]
    sets_for_five_points: int
    said: _containers.RepeatedScalarFieldContainer[str]
    caveats: _containers.RepeatedScalarFieldContainer[str]
    beyond: ReaderFigure
    def __init__(self, study: _Optional[_Union[ReaderStudy, _Mapping]] = ..., sets: _Optional[int] = ..., chance: _Optional[float] = ..., consensus: _Optional[_Union[ReaderFigure, _Mapping]] = ..., consensus_least: _Optional[float] = ..., consensus_most: _Optional[float] = ..., consensus_kappa: _Optional[_Union[ReaderFigure, _Mapping]] = ..., readers: _Optional[_Union[ReaderFigure, _Mapping]] = ..., between: _Optional[_Union[ReaderFigure, _Mapping]] = ..., fleiss: _Optional[_Union[ReaderFigure, _Mapping]] = ..., each: _Optional[_Iterable[_Union[ReaderResult, _Mapping]]] = ..., pairs: _Optional[_Iterable[_Union[ReaderPair, _Mapping]]] = ..., groups: _Optional[_Iterable[_Union[ReaderGroup, _Mapping]]] = ..., depths: _Optional[_Iterable[_Union[ReaderDepth, _Mapping]]] = ..., sets_for_five_points: _Optional[int] = ..., said: _Optional[_Iterable[str]] = ..., caveats: _Optional[_Iterable[str]] = ..., beyond: _Optional[_Union[ReaderFigure, _Mapping]] = ...) -> None: ...

class ReaderStudyResultsRequest(_message.Message):
    __slots__ = ("study_id", "readers")
    STUDY_ID_FIELD_NUMBER: _ClassVar[int]
    READERS_FIELD_NUMBER: _ClassVar[int]
    study_id: str
    readers: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, study_id: _Optional[str] = ..., readers: _Optional[_Iterable[str]] = ...) -> None: ...

class ExportReaderStudyRequest(_message.Message):
    __slots__ = ("study_id", "format")
    STUDY_ID_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    study_id: str
    format: str
    def __init__(self, study_id: _Optional[str] = ..., format: _Optional[str] = ...) -> None: ...

class ReaderStudyFile(_message.Message):
    __slots__ = ("name", "content_type", "data")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CONTENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    name: str
    content_type: str
    data: bytes
    def __init__(self, name: _Optional[str] = ..., content_type: _Optional[str] = ..., data: _Optional[bytes] = ...) -> None: ...

class KeepReaderGradesResponse(_message.Message):
    __slots__ = ("search_ids",)
    SEARCH_IDS_FIELD_NUMBER: _ClassVar[int]
    search_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, search_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class ReadingSet(_message.Message):
    __slots__ = ("number", "films", "answered", "chosen", "grades", "seconds", "withdrawn")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    FILMS_FIELD_NUMBER: _ClassVar[int]
    ANSWERED_FIELD_NUMBER: _ClassVar[int]
    CHOSEN_FIELD_NUMBER: _ClassVar[int]
    GRADES_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    WITHDRAWN_FIELD_NUMBER: _ClassVar[int]
    number: int
    films: int
    answered: bool
    chosen: _containers.RepeatedScalarFieldContainer[int]
    grades: _containers.RepeatedScalarFieldContainer[int]
    seconds: float
    withdrawn: bool
    def __init__(self, number: _Optional[int] = ..., films: _Optional[int] = ..., answered: _Optional[bool] = ..., chosen: _Optional[_Iterable[int]] = ..., grades: _Optional[_Iterable[int]] = ..., seconds: _Optional[float] = ..., withdrawn: _Optional[bool] = ...) -> None: ...

class Reading(_message.Message):
    __slots__ = ("kind", "choose", "instructions", "open", "name", "sets")
    KIND_FIELD_NUMBER: _ClassVar[int]
    CHOOSE_FIELD_NUMBER: _ClassVar[int]
    INSTRUCTIONS_FIELD_NUMBER: _ClassVar[int]
    OPEN_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    SETS_FIELD_NUMBER: _ClassVar[int]
    kind: str
    choose: int
    instructions: str
    open: bool
    name: str
    sets: _containers.RepeatedCompositeFieldContainer[ReadingSet]
    def __init__(self, kind: _Optional[str] = ..., choose: _Optional[int] = ..., instructions: _Optional[str] = ..., open: _Optional[bool] = ..., name: _Optional[str] = ..., sets: _Optional[_Iterable[_Union[ReadingSet, _Mapping]]] = ...) -> None: ...

class OpenReadingRequest(_message.Message):
    __slots__ = ("token",)
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    token: str
    def __init__(self, token: _Optional[str] = ...) -> None: ...

class ReadingPictureRequest(_message.Message):
    __slots__ = ("token", "number", "place")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    PLACE_FIELD_NUMBER: _ClassVar[int]
    token: str
    number: int
    place: int
    def __init__(self, token: _Optional[str] = ..., number: _Optional[int] = ..., place: _Optional[int] = ...) -> None: ...

class AnswerReadingRequest(_message.Message):
    __slots__ = ("token", "number", "chosen", "grades", "seconds")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    CHOSEN_FIELD_NUMBER: _ClassVar[int]
    GRADES_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    token: str
    number: int
    chosen: _containers.RepeatedScalarFieldContainer[int]
    grades: _containers.RepeatedScalarFieldContainer[int]
    seconds: float
    def __init__(self, token: _Optional[str] = ..., number: _Optional[int] = ..., chosen: _Optional[_Iterable[int]] = ..., grades: _Optional[_Iterable[int]] = ..., seconds: _Optional[float] = ...) -> None: ...
