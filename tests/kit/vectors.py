"""Files of vectors as publishers write them."""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SPEC = """
name: ready-made
revision: "1.0"
dim: {dim}
preprocessing: as its authors published it
"""


def crc32c(data: bytes) -> int:
    """CRC-32C bit by bit, from its definition (RFC 3720, appendix B.4): polynomial 0x1EDC6F41, reflected."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def record(data: bytes) -> bytes:
    """A frame of a TFRecord file."""
    return _framed(struct.pack("<Q", len(data))) + _framed(data)


def example(
    floats: Mapping[str, Sequence[float]], texts: Mapping[str, str] | None = None, packed: bool = True
) -> bytes:
    """A serialised tf.Example, written field by field."""
    features = b""
    for name, values in floats.items():
        body = struct.pack(f"<{len(values)}f", *values)
        numbers = _field(1, body) if packed else b"".join(b"\x0d" + struct.pack("<f", value) for value in values)
        features += _field(1, _field(1, name.encode()) + _field(2, _field(2, numbers)))
    for name, text in (texts or {}).items():
        features += _field(1, _field(1, name.encode()) + _field(2, _field(1, _field(1, text.encode()))))
    return _field(1, features)


def write_npz(path: Path, names: Sequence[str] | None, **arrays: NDArray[np.generic]) -> Path:
    """A part as MIT-LCP publishes them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    told = {"filenames": np.array(names, dtype=str)} if names is not None else {}
    np.savez(path, **told, **arrays)
    return path


def write_npy(path: Path, array: NDArray[np.generic]) -> Path:
    """One film's vector."""
    path.parent.mkdir(parents=True, exist_ok=True)
    held = io.BytesIO()
    np.save(held, array, allow_pickle=array.dtype.hasobject)
    path.write_bytes(held.getvalue())
    return path


def _framed(data: bytes) -> bytes:
    crc = crc32c(data)
    return data + struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def _field(number: int, body: bytes) -> bytes:
    length, size = len(body), b""
    while length > 127:
        size, length = size + bytes([length & 127 | 128]), length >> 7
    return bytes([number << 3 | 2]) + size + bytes([length]) + body
