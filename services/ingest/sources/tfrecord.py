"""TFRecord files of tf.Example without TensorFlow: frames with their checksums, and the few messages in them.

A frame is the length (uint64, little endian), its masked CRC-32C, the bytes, and theirs. A mask is the checksum turned
right by 15 bits plus 0xa282ead8 (tensorflow/core/lib/io/record_writer.h, lib/hash/crc32c.h). The messages are those of
tensorflow/core/example/{example,feature}.proto.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import IO, Any

import google_crc32c
import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from services.ingest.reasons import BadFilm, Reason
from services.ingest.sources.arrays import BATCH_ROWS, NAMES, Rows

_LONGEST = 64 * 2**20  # of one record


def read_tfrecord(path: Path, array: str = "", names: str = "") -> Iterator[Rows]:
    """Vectors with their names; a file without names holds one film's, and is named like it. array, names: features,
    where they have names of their own. Raises BadFilm."""
    example = _example()
    told, arrays, first = list[str | None](), list[NDArray[Any] | None](), 0
    try:
        with path.open("rb") as file:
            for data in _records(file):
                features = example.FromString(data).features.feature
                told.append(_name(features, names))
                arrays.append(_vector(features, array))
                if len(arrays) == BATCH_ROWS:
                    yield _rows(first, told, arrays)
                    first += len(arrays)
                    told, arrays = [], []
    except (OSError, DecodeError):
        raise BadFilm(Reason.BROKEN_VECTORS) from None
    if arrays:
        yield _rows(first, told, arrays)


def count_tfrecord(path: Path, _names: str = "") -> int:
    """How many records, by their stated lengths alone; at least 1."""
    count, at = 0, 0
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            while at + 16 <= size:
                file.seek(at)
                at += 16 + struct.unpack("<Q", file.read(8))[0]
                count += 1
    except (OSError, struct.error, OverflowError, ValueError):
        pass
    return max(count, 1)


def masked(data: bytes) -> int:
    """The checksum that frames carry."""
    crc = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _records(file: IO[bytes]) -> Iterator[bytes]:
    while head := file.read(12):
        if len(head) < 12 or masked(head[:8]) != struct.unpack_from("<I", head, 8)[0]:
            raise BadFilm(Reason.BROKEN_VECTORS)
        (length,) = struct.unpack_from("<Q", head)
        if length > _LONGEST:
            raise BadFilm(Reason.BROKEN_VECTORS)
        data, tail = file.read(length), file.read(4)
        if len(data) < length or len(tail) < 4 or masked(data) != struct.unpack("<I", tail)[0]:
            raise BadFilm(Reason.BROKEN_VECTORS)
        yield data


def _rows(first: int, told: list[str | None], arrays: list[NDArray[Any] | None]) -> Rows:
    if told == [None] and not first:
        return Rows(first, None, arrays)
    return Rows(first, [name or "" for name in told], arrays)


def _name(features: Any, asked: str) -> str | None:
    for name in [asked] if asked else ["image/id", *NAMES]:
        if name in features and (found := features[name].bytes_list.value):
            return str(found[0], "utf-8", "replace")
    return None


def _vector(features: Any, asked: str) -> NDArray[np.float32] | None:
    found = [name for name in ([asked] if asked else sorted(features)) if name in features]
    found = [name for name in found if features[name].float_list.value]
    if len(found) != 1:
        raise BadFilm(Reason.NO_VECTORS)
    return np.array(features[found[0]].float_list.value, dtype=np.float32)


@cache
def _example() -> Any:
    """The message class tensorflow.Example, made of its definition here."""
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="hilum/example.proto", package="tensorflow", syntax="proto3")

    def add(message: Any, number: int, name: str, kind: int, of: str = "", repeated: bool = False) -> Any:
        label = field.LABEL_REPEATED if repeated else field.LABEL_OPTIONAL
        whose = f".tensorflow.{of}" if of else None
        return message.field.add(name=name, number=number, type=kind, label=label, type_name=whose)

    for name, kind in (
        ("BytesList", field.TYPE_BYTES),
        ("FloatList", field.TYPE_FLOAT),
        ("Int64List", field.TYPE_INT64),
    ):
        add(file.message_type.add(name=name), 1, "value", kind, repeated=True)
    feature = file.message_type.add(name="Feature")
    feature.oneof_decl.add(name="kind")
    for number, (name, kind) in enumerate(
        (("bytes_list", "BytesList"), ("float_list", "FloatList"), ("int64_list", "Int64List")), 1
    ):
        add(feature, number, name, field.TYPE_MESSAGE, kind).oneof_index = 0
    features = file.message_type.add(name="Features")
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    add(entry, 1, "key", field.TYPE_STRING)
    add(entry, 2, "value", field.TYPE_MESSAGE, "Feature")
    add(features, 1, "feature", field.TYPE_MESSAGE, "Features.FeatureEntry", repeated=True)
    add(file.message_type.add(name="Example"), 1, "features", field.TYPE_MESSAGE, "Features")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("tensorflow.Example"))
