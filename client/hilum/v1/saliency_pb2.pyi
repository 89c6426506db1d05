from hilum.v1 import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SaliencyMap(_message.Message):
    __slots__ = ("height", "width", "values", "low", "high", "area", "overlay", "layer")
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    LOW_FIELD_NUMBER: _ClassVar[int]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    AREA_FIELD_NUMBER: _ClassVar[int]
    OVERLAY_FIELD_NUMBER: _ClassVar[int]
    LAYER_FIELD_NUMBER: _ClassVar[int]
    height: int
    width: int
    values: _containers.RepeatedScalarFieldContainer[float]
    low: float
    high: float
    area: Area
    overlay: _common_pb2.Blob
    layer: _common_pb2.Blob
    def __init__(self, height: _Optional[int] = ..., width: _Optional[int] = ..., values: _Optional[_Iterable[float]] = ..., low: _Optional[float] = ..., high: _Optional[float] = ..., area: _Optional[_Union[Area, _Mapping]] = ..., overlay: _Optional[_Union[_common_pb2.Blob, _Mapping]] = ..., layer: _Optional[_Union[_common_pb2.Blob, _Mapping]] = ...) -> None: ...

class Area(_message.Message):
    __slots__ = ("top", "left", "height", "width")
    TOP_FIELD_NUMBER: _ClassVar[int]
    LEFT_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    top: float
    left: float
    height: float
    width: float
    def __init__(self, top: _Optional[float] = ..., left: _Optional[float] = ..., height: _Optional[float] = ..., width: _Optional[float] = ...) -> None: ...

class Explanation(_message.Message):
    __slots__ = ("maps", "method", "unit", "similarity", "provenance")
    MAPS_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    SIMILARITY_FIELD_NUMBER: _ClassVar[int]
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    maps: _containers.RepeatedCompositeFieldContainer[SaliencyMap]
    method: str
    unit: str
    similarity: float
    provenance: _common_pb2.Provenance
    def __init__(self, maps: _Optional[_Iterable[_Union[SaliencyMap, _Mapping]]] = ..., method: _Optional[str] = ..., unit: _Optional[str] = ..., similarity: _Optional[float] = ..., provenance: _Optional[_Union[_common_pb2.Provenance, _Mapping]] = ...) -> None: ...
