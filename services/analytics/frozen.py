"""Values of analyses as plain arrays and JSON, and back: what a finished stage leaves in a file.

Numbers, text, bytes, lists, tuples, dicts, NumPy arrays, SciPy's sparse rows, and dataclasses of this package by their
names. Nothing in a file is ever executed: a class is looked up among dataclasses of ``services``, and made from its
fields.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

_KIND = "~"  # of what is no plain JSON
_TREE = "tree"
_OURS = "services."
Arrays = list[NDArray[Any]]


def write(path: Path, value: object) -> None:
    """One file. Raises TypeError for what is none of the above."""
    arrays: Arrays = []
    tree = np.frombuffer(json.dumps(_plain(value, arrays)).encode(), np.uint8)
    named = {str(number): array for number, array in enumerate(arrays)}
    with open(path, "xb") as file:
        np.savez(file, allow_pickle=False, **{_TREE: tree, **named})


def read(path: Path) -> Any:
    """What `write` was given; a tuple comes back as a tuple, an array as an array. Raises OSError where there is no
    file, ValueError for a damaged one."""
    try:
        with np.load(path, allow_pickle=False) as file:
            tree = json.loads(file[_TREE].tobytes())
            return _value(tree, {name: file[name] for name in file.files})
    except (KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile, zlib.error):
        raise ValueError("this is no file of a finished stage") from None


def digest(value: object) -> str:
    """SHA-256 over all that a value is made of."""
    arrays: Arrays = []
    found = hashlib.sha256(json.dumps(_plain(value, arrays), sort_keys=True).encode())
    for array in arrays:
        found.update(f"{array.dtype.str}{array.shape}".encode())
        found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()


def _plain(value: object, arrays: Arrays) -> Any:
    match value:
        case None | bool() | int() | float() | str() if type(value) in (type(None), bool, int, float, str):
            return value
        case np.ndarray() if value.dtype != object:
            arrays.append(value)
            return {_KIND: "array", "at": len(arrays) - 1}
        case np.generic():
            arrays.append(np.asarray(value))
            return {_KIND: "number", "at": len(arrays) - 1}
        case bytes():
            arrays.append(np.frombuffer(value, np.uint8))
            return {_KIND: "bytes", "at": len(arrays) - 1}
        case list() | tuple() if value and all(one is None or type(one) is bytes for one in value) and any(value):
            return _pictures(value, arrays)
        case list():
            return [_plain(one, arrays) for one in value]
        case tuple():
            return {_KIND: "tuple", "of": [_plain(one, arrays) for one in value]}
        case Mapping():
            return {_KIND: "dict", "of": [[_plain(k, arrays), _plain(v, arrays)] for k, v in value.items()]}
        case sparse.csr_matrix():
            parts = _plain([value.data, value.indices, value.indptr, list(value.shape)], arrays)
            return {_KIND: "rows", "of": parts}
    kind = type(value)
    if is_dataclass(value) and kind.__module__.startswith(_OURS):
        made = {field.name: _plain(getattr(value, field.name), arrays) for field in fields(value) if field.init}
        return {_KIND: "class", "is": f"{kind.__module__}:{kind.__qualname__}", "of": made}
    raise TypeError(f"{kind.__module__}.{kind.__qualname__} has no plain form")


def _pictures(value: list[bytes | None] | tuple[bytes | None, ...], arrays: Arrays) -> dict[str, Any]:
    """Many bytes in two arrays: all of them in a row, and how long each is (−1: none)."""
    arrays.append(np.array([-1 if one is None else len(one) for one in value], np.int64))
    arrays.append(np.frombuffer(b"".join(one or b"" for one in value), np.uint8))
    return {_KIND: "pictures", "at": len(arrays) - 1, "tuple": isinstance(value, tuple)}


def _value(tree: Any, arrays: Mapping[str, NDArray[Any]]) -> Any:
    if isinstance(tree, list):
        return [_value(one, arrays) for one in tree]
    if not isinstance(tree, dict):
        return tree
    match tree[_KIND]:
        case "array":
            return arrays[str(tree["at"])]
        case "number":
            return arrays[str(tree["at"])][()]
        case "bytes":
            return arrays[str(tree["at"])].tobytes()
        case "pictures":
            lengths, joined = arrays[str(tree["at"] - 1)], arrays[str(tree["at"])].tobytes()
            ends = np.cumsum(np.maximum(lengths, 0))
            found = [
                None if n < 0 else joined[end - n : end] for n, end in zip(lengths.tolist(), ends.tolist(), strict=True)
            ]
            return tuple(found) if tree["tuple"] else found
        case "tuple":
            return tuple(_value(one, arrays) for one in tree["of"])
        case "dict":
            return {_value(k, arrays): _value(v, arrays) for k, v in tree["of"]}
        case "rows":
            data, indices, starts, shape = (_value(one, arrays) for one in tree["of"])
            return sparse.csr_matrix((data, indices, starts), shape=tuple(shape))
        case "class":
            return _class(tree["is"])(**{name: _value(one, arrays) for name, one in tree["of"].items()})
    raise ValueError("this is no file of a finished stage")


def _class(name: str) -> type:
    module, _, path = name.partition(":")
    if not module.startswith(_OURS) or "." in path:
        raise ValueError("this is no file of a finished stage")
    found = getattr(importlib.import_module(module), path, None)
    if not (isinstance(found, type) and is_dataclass(found)):
        raise ValueError("this is no file of a finished stage")
    return found
