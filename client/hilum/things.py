"""Single things to look for: words, films, vectors, studies, parts of films."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias
from uuid import UUID

import numpy as np

from hilum.errors import HilumError
from hilum.requests import PathLike, read
from hilum.v1 import query_pb2

Values: TypeAlias = Sequence[float] | np.ndarray[Any, Any]


class HasImageId(Protocol):
    """A film that an answer gave: a `Film` or a `Hit`."""

    @property
    def image_id(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Words:
    """What a film should show, for models with a text tower."""

    text: str


@dataclass(frozen=True, slots=True)
class Stored:
    """A film of the archive."""

    image_id: str


@dataclass(frozen=True, slots=True)
class File:
    """A film in a file here, or its bytes: DICOM, PNG or JPEG."""

    film: PathLike | bytes


@dataclass(frozen=True, slots=True)
class Vector:
    """A vector of the one model named: ``(D,)``, or ``(T, D)`` of a model that compares several."""

    values: Values


@dataclass(frozen=True, slots=True)
class Study:
    """All films of a study together."""

    dataset: str
    study_id: str


@dataclass(frozen=True, slots=True)
class Report:
    """The words of a stored report: of one section, or of the one that concludes."""

    dataset: str
    study_id: str
    section: str = ""


@dataclass(frozen=True, slots=True)
class Region:
    """A part of a film: fractions of the film as shown, from its top left corner."""

    film: Stored | File | HasImageId | PathLike | bytes
    x: float
    y: float
    width: float
    height: float


# A bare string is the id of a stored film; a `Path` or bytes are a film; `Words` are words.
Thing: TypeAlias = (
    Words | Stored | File | Vector | Study | Report | Region | HasImageId | PathLike | bytes | np.ndarray[Any, Any]
)


def message(thing: Thing) -> query_pb2.Query:
    """As the contract says it. Raises INVALID_ARGUMENT for what is none, and for files that cannot be read."""
    match thing:
        case Words(text):
            return query_pb2.Query(text=text)
        case Stored(image_id):
            return query_pb2.Query(image_id=image_id)
        case File(film):
            return query_pb2.Query(image=film if isinstance(film, bytes) else read(film))
        case Vector(values):
            return _vector(np.asarray(values, dtype=np.float32))
        case Study(dataset, study_id):
            return query_pb2.Query(study=query_pb2.Study(dataset=dataset, study_id=study_id))
        case Report(dataset, study_id, section):
            report = query_pb2.Report(dataset=dataset, study_id=study_id, section=section)
            return query_pb2.Query(report=report)
        case Region():
            return _region(thing)
        case bytes() | os.PathLike():
            return message(File(thing))
        case np.ndarray():
            return message(Vector(thing))
        case str() if _is_id(thing):
            return message(Stored(thing))
    if not hasattr(thing, "image_id"):
        raise HilumError(
            "INVALID_ARGUMENT",
            "a string here is the id of a stored film; for words say hilum.Words(…), for a file hilum.File(…)",
        )
    return message(Stored(thing.image_id))


def _region(part: Region) -> query_pb2.Query:
    region = query_pb2.Region(x=part.x, y=part.y, width=part.width, height=part.height)
    film = message(part.film)
    if film.WhichOneof("by") not in ("image", "image_id"):
        raise HilumError("INVALID_ARGUMENT", "a region is a part of one film, stored or in a file")
    if film.image:
        region.image = film.image
    else:
        region.image_id = film.image_id
    return query_pb2.Query(region=region)


def _vector(values: np.ndarray[Any, Any]) -> query_pb2.Query:
    query = query_pb2.Query()
    query.vector.values.extend(values.ravel().tolist())
    query.vector.tokens = len(values) if values.ndim == 2 else 0
    return query


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
