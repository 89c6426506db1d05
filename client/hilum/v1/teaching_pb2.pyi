from hilum.v1 import common_pb2 as _common_pb2
from hilum.v1 import query_pb2 as _query_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TeachingPoint(_message.Message):
    __slots__ = ("x", "y")
    X_FIELD_NUMBER: _ClassVar[int]
    Y_FIELD_NUMBER: _ClassVar[int]
    x: float
    y: float
    def __init__(self, x: _Optional[float] = ..., y: _Optional[float] = ...) -> None: ...

class TeachingAnnotation(_message.Message):
    __slots__ = ("kind", "points", "radius", "text")
    KIND_FIELD_NUMBER: _ClassVar[int]
    POINTS_FIELD_NUMBER: _ClassVar[int]
    RADIUS_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    kind: str
    points: _containers.RepeatedCompositeFieldContainer[TeachingPoint]
    radius: float
    text: str
    def __init__(self, kind: _Optional[str] = ..., points: _Optional[_Iterable[_Union[TeachingPoint, _Mapping]]] = ..., radius: _Optional[float] = ..., text: _Optional[str] = ...) -> None: ...

class TeachingImage(_message.Message):
    __slots__ = ("key", "image_id", "blob", "caption", "key_note", "annotations", "section", "why", "severity", "licence", "attribution")
    KEY_FIELD_NUMBER: _ClassVar[int]
    IMAGE_ID_FIELD_NUMBER: _ClassVar[int]
    BLOB_FIELD_NUMBER: _ClassVar[int]
    CAPTION_FIELD_NUMBER: _ClassVar[int]
    KEY_NOTE_FIELD_NUMBER: _ClassVar[int]
    ANNOTATIONS_FIELD_NUMBER: _ClassVar[int]
    SECTION_FIELD_NUMBER: _ClassVar[int]
    WHY_FIELD_NUMBER: _ClassVar[int]
    SEVERITY_FIELD_NUMBER: _ClassVar[int]
    LICENCE_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTION_FIELD_NUMBER: _ClassVar[int]
    key: str
    image_id: str
    blob: str
    caption: str
    key_note: str
    annotations: _containers.RepeatedCompositeFieldContainer[TeachingAnnotation]
    section: str
    why: str
    severity: str
    licence: str
    attribution: str
    def __init__(self, key: _Optional[str] = ..., image_id: _Optional[str] = ..., blob: _Optional[str] = ..., caption: _Optional[str] = ..., key_note: _Optional[str] = ..., annotations: _Optional[_Iterable[_Union[TeachingAnnotation, _Mapping]]] = ..., section: _Optional[str] = ..., why: _Optional[str] = ..., severity: _Optional[str] = ..., licence: _Optional[str] = ..., attribution: _Optional[str] = ...) -> None: ...

class TeachingSection(_message.Message):
    __slots__ = ("key", "heading", "text")
    KEY_FIELD_NUMBER: _ClassVar[int]
    HEADING_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    key: str
    heading: str
    text: str
    def __init__(self, key: _Optional[str] = ..., heading: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...

class TeachingAuthor(_message.Message):
    __slots__ = ("name", "affiliation", "contact")
    NAME_FIELD_NUMBER: _ClassVar[int]
    AFFILIATION_FIELD_NUMBER: _ClassVar[int]
    CONTACT_FIELD_NUMBER: _ClassVar[int]
    name: str
    affiliation: str
    contact: str
    def __init__(self, name: _Optional[str] = ..., affiliation: _Optional[str] = ..., contact: _Optional[str] = ...) -> None: ...

class TeachingDocument(_message.Message):
    __slots__ = ("title", "alternative_title", "history", "images", "findings", "diagnosis", "differential", "discussion", "anatomy", "pathology", "organ_system", "modality", "category", "level", "keywords", "authors", "references", "rights", "sections", "origin")
    TITLE_FIELD_NUMBER: _ClassVar[int]
    ALTERNATIVE_TITLE_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    IMAGES_FIELD_NUMBER: _ClassVar[int]
    FINDINGS_FIELD_NUMBER: _ClassVar[int]
    DIAGNOSIS_FIELD_NUMBER: _ClassVar[int]
    DIFFERENTIAL_FIELD_NUMBER: _ClassVar[int]
    DISCUSSION_FIELD_NUMBER: _ClassVar[int]
    ANATOMY_FIELD_NUMBER: _ClassVar[int]
    PATHOLOGY_FIELD_NUMBER: _ClassVar[int]
    ORGAN_SYSTEM_FIELD_NUMBER: _ClassVar[int]
    MODALITY_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    KEYWORDS_FIELD_NUMBER: _ClassVar[int]
    AUTHORS_FIELD_NUMBER: _ClassVar[int]
    REFERENCES_FIELD_NUMBER: _ClassVar[int]
    RIGHTS_FIELD_NUMBER: _ClassVar[int]
    SECTIONS_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    title: str
    alternative_title: str
    history: str
    images: _containers.RepeatedCompositeFieldContainer[TeachingImage]
    findings: str
    diagnosis: str
    differential: _containers.RepeatedScalarFieldContainer[str]
    discussion: str
    anatomy: str
    pathology: str
    organ_system: str
    modality: str
    category: str
    level: str
    keywords: _containers.RepeatedScalarFieldContainer[str]
    authors: _containers.RepeatedCompositeFieldContainer[TeachingAuthor]
    references: _containers.RepeatedScalarFieldContainer[str]
    rights: str
    sections: _containers.RepeatedCompositeFieldContainer[TeachingSection]
    origin: str
    def __init__(self, title: _Optional[str] = ..., alternative_title: _Optional[str] = ..., history: _Optional[str] = ..., images: _Optional[_Iterable[_Union[TeachingImage, _Mapping]]] = ..., findings: _Optional[str] = ..., diagnosis: _Optional[str] = ..., differential: _Optional[_Iterable[str]] = ..., discussion: _Optional[str] = ..., anatomy: _Optional[str] = ..., pathology: _Optional[str] = ..., organ_system: _Optional[str] = ..., modality: _Optional[str] = ..., category: _Optional[str] = ..., level: _Optional[str] = ..., keywords: _Optional[_Iterable[str]] = ..., authors: _Optional[_Iterable[_Union[TeachingAuthor, _Mapping]]] = ..., references: _Optional[_Iterable[str]] = ..., rights: _Optional[str] = ..., sections: _Optional[_Iterable[_Union[TeachingSection, _Mapping]]] = ..., origin: _Optional[str] = ...) -> None: ...

class TeachingAccess(_message.Message):
    __slots__ = ("read", "update", "export")
    READ_FIELD_NUMBER: _ClassVar[int]
    UPDATE_FIELD_NUMBER: _ClassVar[int]
    EXPORT_FIELD_NUMBER: _ClassVar[int]
    read: _containers.RepeatedScalarFieldContainer[str]
    update: _containers.RepeatedScalarFieldContainer[str]
    export: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, read: _Optional[_Iterable[str]] = ..., update: _Optional[_Iterable[str]] = ..., export: _Optional[_Iterable[str]] = ...) -> None: ...

class TeachingEvent(_message.Message):
    __slots__ = ("state", "by", "at", "note", "version")
    STATE_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    state: str
    by: str
    at: str
    note: str
    version: int
    def __init__(self, state: _Optional[str] = ..., by: _Optional[str] = ..., at: _Optional[str] = ..., note: _Optional[str] = ..., version: _Optional[int] = ...) -> None: ...

class TeachingFile(_message.Message):
    __slots__ = ("file_id", "owner", "state", "version", "latest", "published", "access", "may", "events", "created_at", "updated_at", "document", "hidden_films", "remarks")
    FILE_ID_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    LATEST_FIELD_NUMBER: _ClassVar[int]
    PUBLISHED_FIELD_NUMBER: _ClassVar[int]
    ACCESS_FIELD_NUMBER: _ClassVar[int]
    MAY_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    UPDATED_AT_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    HIDDEN_FILMS_FIELD_NUMBER: _ClassVar[int]
    REMARKS_FIELD_NUMBER: _ClassVar[int]
    file_id: str
    owner: str
    state: str
    version: int
    latest: int
    published: int
    access: TeachingAccess
    may: _containers.RepeatedScalarFieldContainer[str]
    events: _containers.RepeatedCompositeFieldContainer[TeachingEvent]
    created_at: str
    updated_at: str
    document: TeachingDocument
    hidden_films: int
    remarks: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, file_id: _Optional[str] = ..., owner: _Optional[str] = ..., state: _Optional[str] = ..., version: _Optional[int] = ..., latest: _Optional[int] = ..., published: _Optional[int] = ..., access: _Optional[_Union[TeachingAccess, _Mapping]] = ..., may: _Optional[_Iterable[str]] = ..., events: _Optional[_Iterable[_Union[TeachingEvent, _Mapping]]] = ..., created_at: _Optional[str] = ..., updated_at: _Optional[str] = ..., document: _Optional[_Union[TeachingDocument, _Mapping]] = ..., hidden_films: _Optional[int] = ..., remarks: _Optional[_Iterable[str]] = ...) -> None: ...

class CreateTeachingFileRequest(_message.Message):
    __slots__ = ("document", "note", "request_id")
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    document: TeachingDocument
    note: str
    request_id: str
    def __init__(self, document: _Optional[_Union[TeachingDocument, _Mapping]] = ..., note: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class ListTeachingFilesRequest(_message.Message):
    __slots__ = ("words", "state", "page_size", "page_token")
    WORDS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    words: str
    state: str
    page_size: int
    page_token: str
    def __init__(self, words: _Optional[str] = ..., state: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class TeachingSummary(_message.Message):
    __slots__ = ("file_id", "title", "state", "version", "latest", "published", "owner", "films", "diagnosis", "updated_at", "may", "pictures")
    FILE_ID_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    LATEST_FIELD_NUMBER: _ClassVar[int]
    PUBLISHED_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    FILMS_FIELD_NUMBER: _ClassVar[int]
    DIAGNOSIS_FIELD_NUMBER: _ClassVar[int]
    UPDATED_AT_FIELD_NUMBER: _ClassVar[int]
    MAY_FIELD_NUMBER: _ClassVar[int]
    PICTURES_FIELD_NUMBER: _ClassVar[int]
    file_id: str
    title: str
    state: str
    version: int
    latest: int
    published: int
    owner: str
    films: int
    diagnosis: str
    updated_at: str
    may: _containers.RepeatedScalarFieldContainer[str]
    pictures: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, file_id: _Optional[str] = ..., title: _Optional[str] = ..., state: _Optional[str] = ..., version: _Optional[int] = ..., latest: _Optional[int] = ..., published: _Optional[int] = ..., owner: _Optional[str] = ..., films: _Optional[int] = ..., diagnosis: _Optional[str] = ..., updated_at: _Optional[str] = ..., may: _Optional[_Iterable[str]] = ..., pictures: _Optional[_Iterable[str]] = ...) -> None: ...

class ListTeachingFilesResponse(_message.Message):
    __slots__ = ("files", "next_page_token")
    FILES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    files: _containers.RepeatedCompositeFieldContainer[TeachingSummary]
    next_page_token: str
    def __init__(self, files: _Optional[_Iterable[_Union[TeachingSummary, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class TeachingFileRequest(_message.Message):
    __slots__ = ("file_id", "version")
    FILE_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    file_id: str
    version: int
    def __init__(self, file_id: _Optional[str] = ..., version: _Optional[int] = ...) -> None: ...

class UpdateTeachingFileRequest(_message.Message):
    __slots__ = ("file_id", "made_from", "document", "note")
    FILE_ID_FIELD_NUMBER: _ClassVar[int]
    MADE_FROM_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    file_id: str
    made_from: int
    document: TeachingDocument
    note: str
    def __init__(self, file_id: _Optional[str] = ..., made_from: _Optional[int] = ..., document: _Optional[_Union[TeachingDocument, _Mapping]] = ..., note: _Optional[str] = ...) -> None: ...

class TeachingStateRequest(_message.Message):
    __slots__ = ("file_id", "version", "note")
    FILE_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    file_id: str
    version: int
    note: str
    def __init__(self, file_id: _Optional[str] = ..., version: _Optional[int] = ..., note: _Optional[str] = ...) -> None: ...

class SetTeachingAccessRequest(_message.Message):
    __slots__ = ("file_id", "access")
    FILE_ID_FIELD_NUMBER: _ClassVar[int]
    ACCESS_FIELD_NUMBER: _ClassVar[int]
    file_id: str
    access: TeachingAccess
    def __init__(self, file_id: _Optional[str] = ..., access: _Optional[_Union[TeachingAccess, _Mapping]] = ...) -> None: ...

class TeachingVersion(_message.Message):
    __slots__ = ("version", "made_from", "author", "note", "created_at", "refused")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    MADE_FROM_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    version: int
    made_from: int
    author: str
    note: str
    created_at: str
    refused: bool
    def __init__(self, version: _Optional[int] = ..., made_from: _Optional[int] = ..., author: _Optional[str] = ..., note: _Optional[str] = ..., created_at: _Optional[str] = ..., refused: _Optional[bool] = ...) -> None: ...

class ListTeachingVersionsResponse(_message.Message):
    __slots__ = ("versions",)
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    versions: _containers.RepeatedCompositeFieldContainer[TeachingVersion]
    def __init__(self, versions: _Optional[_Iterable[_Union[TeachingVersion, _Mapping]]] = ...) -> None: ...

class RestoreTeachingVersionRequest(_message.Message):
    __slots__ = ("file_id", "version", "made_from")
    FILE_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    MADE_FROM_FIELD_NUMBER: _ClassVar[int]
    file_id: str
    version: int
    made_from: int
    def __init__(self, file_id: _Optional[str] = ..., version: _Optional[int] = ..., made_from: _Optional[int] = ...) -> None: ...

class DeleteTeachingFileResponse(_message.Message):
    __slots__ = ("versions", "tries")
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    TRIES_FIELD_NUMBER: _ClassVar[int]
    versions: int
    tries: int
    def __init__(self, versions: _Optional[int] = ..., tries: _Optional[int] = ...) -> None: ...

class TeachingPictureRequest(_message.Message):
    __slots__ = ("file_id", "key", "version")
    FILE_ID_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    file_id: str
    key: str
    version: int
    def __init__(self, file_id: _Optional[str] = ..., key: _Optional[str] = ..., version: _Optional[int] = ...) -> None: ...

class AssembleTeachingFilesRequest(_message.Message):
    __slots__ = ("finding", "query", "search_id", "models", "filter", "typical", "atypical", "lookalikes", "normals", "layout", "title", "allow_restricted", "request_id")
    FINDING_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    SEARCH_ID_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    TYPICAL_FIELD_NUMBER: _ClassVar[int]
    ATYPICAL_FIELD_NUMBER: _ClassVar[int]
    LOOKALIKES_FIELD_NUMBER: _ClassVar[int]
    NORMALS_FIELD_NUMBER: _ClassVar[int]
    LAYOUT_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    ALLOW_RESTRICTED_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    finding: str
    query: _query_pb2.Query
    search_id: str
    models: _containers.RepeatedScalarFieldContainer[str]
    filter: str
    typical: int
    atypical: int
    lookalikes: int
    normals: int
    layout: str
    title: str
    allow_restricted: bool
    request_id: str
    def __init__(self, finding: _Optional[str] = ..., query: _Optional[_Union[_query_pb2.Query, _Mapping]] = ..., search_id: _Optional[str] = ..., models: _Optional[_Iterable[str]] = ..., filter: _Optional[str] = ..., typical: _Optional[int] = ..., atypical: _Optional[int] = ..., lookalikes: _Optional[int] = ..., normals: _Optional[int] = ..., layout: _Optional[str] = ..., title: _Optional[str] = ..., allow_restricted: _Optional[bool] = ..., request_id: _Optional[str] = ...) -> None: ...

class AssembleTeachingFilesResponse(_message.Message):
    __slots__ = ("files", "notes", "seconds")
    FILES_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    files: _containers.RepeatedCompositeFieldContainer[TeachingFile]
    notes: _containers.RepeatedScalarFieldContainer[str]
    seconds: float
    def __init__(self, files: _Optional[_Iterable[_Union[TeachingFile, _Mapping]]] = ..., notes: _Optional[_Iterable[str]] = ..., seconds: _Optional[float] = ...) -> None: ...

class ImportTeachingFileRequest(_message.Message):
    __slots__ = ("archive", "request_id")
    ARCHIVE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    archive: bytes
    request_id: str
    def __init__(self, archive: _Optional[bytes] = ..., request_id: _Optional[str] = ...) -> None: ...

class ImportTeachingFileResponse(_message.Message):
    __slots__ = ("file", "notes")
    FILE_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    file: TeachingFile
    notes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, file: _Optional[_Union[TeachingFile, _Mapping]] = ..., notes: _Optional[_Iterable[str]] = ...) -> None: ...

class QuizRequest(_message.Message):
    __slots__ = ("file_id", "choices", "reader")
    FILE_ID_FIELD_NUMBER: _ClassVar[int]
    CHOICES_FIELD_NUMBER: _ClassVar[int]
    READER_FIELD_NUMBER: _ClassVar[int]
    file_id: str
    choices: bool
    reader: str
    def __init__(self, file_id: _Optional[str] = ..., choices: _Optional[bool] = ..., reader: _Optional[str] = ...) -> None: ...

class QuizImage(_message.Message):
    __slots__ = ("key", "view")
    KEY_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    key: str
    view: str
    def __init__(self, key: _Optional[str] = ..., view: _Optional[str] = ...) -> None: ...

class Quiz(_message.Message):
    __slots__ = ("file_id", "version", "title", "history", "images", "hidden_films", "choices", "tries", "next_file_id")
    FILE_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    IMAGES_FIELD_NUMBER: _ClassVar[int]
    HIDDEN_FILMS_FIELD_NUMBER: _ClassVar[int]
    CHOICES_FIELD_NUMBER: _ClassVar[int]
    TRIES_FIELD_NUMBER: _ClassVar[int]
    NEXT_FILE_ID_FIELD_NUMBER: _ClassVar[int]
    file_id: str
    version: int
    title: str
    history: str
    images: _containers.RepeatedCompositeFieldContainer[QuizImage]
    hidden_films: int
    choices: _containers.RepeatedScalarFieldContainer[str]
    tries: int
    next_file_id: str
    def __init__(self, file_id: _Optional[str] = ..., version: _Optional[int] = ..., title: _Optional[str] = ..., history: _Optional[str] = ..., images: _Optional[_Iterable[_Union[QuizImage, _Mapping]]] = ..., hidden_films: _Optional[int] = ..., choices: _Optional[_Iterable[str]] = ..., tries: _Optional[int] = ..., next_file_id: _Optional[str] = ...) -> None: ...

class AnswerQuizRequest(_message.Message):
    __slots__ = ("file_id", "version", "text", "choice", "seconds", "request_id", "reader")
    FILE_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    CHOICE_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    READER_FIELD_NUMBER: _ClassVar[int]
    file_id: str
    version: int
    text: str
    choice: str
    seconds: float
    request_id: str
    reader: str
    def __init__(self, file_id: _Optional[str] = ..., version: _Optional[int] = ..., text: _Optional[str] = ..., choice: _Optional[str] = ..., seconds: _Optional[float] = ..., request_id: _Optional[str] = ..., reader: _Optional[str] = ...) -> None: ...

class JudgeQuizRequest(_message.Message):
    __slots__ = ("try_id", "correct")
    TRY_ID_FIELD_NUMBER: _ClassVar[int]
    CORRECT_FIELD_NUMBER: _ClassVar[int]
    try_id: str
    correct: bool
    def __init__(self, try_id: _Optional[str] = ..., correct: _Optional[bool] = ...) -> None: ...

class QuizTry(_message.Message):
    __slots__ = ("try_id", "file_id", "version", "reader", "text", "choice", "correct", "judged", "seconds", "created_at")
    TRY_ID_FIELD_NUMBER: _ClassVar[int]
    FILE_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    READER_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    CHOICE_FIELD_NUMBER: _ClassVar[int]
    CORRECT_FIELD_NUMBER: _ClassVar[int]
    JUDGED_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    try_id: str
    file_id: str
    version: int
    reader: str
    text: str
    choice: str
    correct: bool
    judged: str
    seconds: float
    created_at: str
    def __init__(self, try_id: _Optional[str] = ..., file_id: _Optional[str] = ..., version: _Optional[int] = ..., reader: _Optional[str] = ..., text: _Optional[str] = ..., choice: _Optional[str] = ..., correct: _Optional[bool] = ..., judged: _Optional[str] = ..., seconds: _Optional[float] = ..., created_at: _Optional[str] = ...) -> None: ...

class AnswerQuizResponse(_message.Message):
    __slots__ = ("quiz_try", "answer")
    QUIZ_TRY_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    quiz_try: QuizTry
    answer: TeachingFile
    def __init__(self, quiz_try: _Optional[_Union[QuizTry, _Mapping]] = ..., answer: _Optional[_Union[TeachingFile, _Mapping]] = ...) -> None: ...

class QuizResultsRequest(_message.Message):
    __slots__ = ("file_id", "reader")
    FILE_ID_FIELD_NUMBER: _ClassVar[int]
    READER_FIELD_NUMBER: _ClassVar[int]
    file_id: str
    reader: str
    def __init__(self, file_id: _Optional[str] = ..., reader: _Optional[str] = ...) -> None: ...

class QuizScore(_message.Message):
    __slots__ = ("file_id", "title", "reader", "tries", "judged", "correct", "median_seconds")
    FILE_ID_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    READER_FIELD_NUMBER: _ClassVar[int]
    TRIES_FIELD_NUMBER: _ClassVar[int]
    JUDGED_FIELD_NUMBER: _ClassVar[int]
    CORRECT_FIELD_NUMBER: _ClassVar[int]
    MEDIAN_SECONDS_FIELD_NUMBER: _ClassVar[int]
    file_id: str
    title: str
    reader: str
    tries: int
    judged: int
    correct: int
    median_seconds: float
    def __init__(self, file_id: _Optional[str] = ..., title: _Optional[str] = ..., reader: _Optional[str] = ..., tries: _Optional[int] = ..., judged: _Optional[int] = ..., correct: _Optional[int] = ..., median_seconds: _Optional[float] = ...) -> None: ...

class QuizResultsResponse(_message.Message):
    __slots__ = ("files", "readers", "tries")
    FILES_FIELD_NUMBER: _ClassVar[int]
    READERS_FIELD_NUMBER: _ClassVar[int]
    TRIES_FIELD_NUMBER: _ClassVar[int]
    files: _containers.RepeatedCompositeFieldContainer[QuizScore]
    readers: _containers.RepeatedCompositeFieldContainer[QuizScore]
    tries: _containers.RepeatedCompositeFieldContainer[QuizTry]
    def __init__(self, files: _Optional[_Iterable[_Union[QuizScore, _Mapping]]] = ..., readers: _Optional[_Iterable[_Union[QuizScore, _Mapping]]] = ..., tries: _Optional[_Iterable[_Union[QuizTry, _Mapping]]] = ...) -> None: ...
