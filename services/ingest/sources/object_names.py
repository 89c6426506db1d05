"""The names of an object array, which NumPy writes as a pickle, read without unpickling.

A pickle is a program, and unpickling runs it. An array of texts needs few of its words: lists, tuples, texts, numbers,
and the calls by which NumPy would build the array. Those are followed here as plain data; nothing is called, no class
is looked up, and whatever goes beyond them is refused. Opcodes: Python's pickletools.
"""

from __future__ import annotations

import pickletools
from dataclasses import dataclass
from typing import Any

_MAKERS = {"_reconstruct", "scalar"}
_KNOWN = {
    *((f"numpy.{core}.multiarray", name) for core in ("core", "_core") for name in _MAKERS),
    ("numpy", "ndarray"), ("numpy", "dtype"), ("numpy", "str_"), ("_codecs", "encode"),
}  # fmt: skip
_PUSHED = {
    "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "UNICODE", "BINBYTES", "SHORT_BINBYTES", "BINSTRING",
    "SHORT_BINSTRING", "BININT", "BININT1", "BININT2", "LONG1",
}  # fmt: skip
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_MARK = object()


@dataclass(slots=True)
class _Made:
    """What a call would have made: whom it calls, with what, and the state that it is then given."""

    maker: str
    given: tuple[Any, ...]
    state: Any = None


def texts(data: bytes, count: int) -> list[str]:
    """The `count` texts of a one-dimensional object array, as they stand behind its header.

    Raises ValueError for anything else.
    """
    try:
        array = _followed(data)
        _, shape, _, _, items = array.state
        if array.maker == "_reconstruct" and shape == (count,) and isinstance(items, list) and len(items) == count:
            return [_text(item) for item in items]
    except (IndexError, KeyError, TypeError, AttributeError) as error:
        raise ValueError("not a pickle that holds together") from error
    raise ValueError("not an array of its header's shape")


def _followed(data: bytes) -> Any:
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    for opcode, value, _ in pickletools.genops(data):
        if opcode.name == "STOP":
            [made] = stack
            return made
        _step(opcode.name, value, stack, memo)
    raise ValueError("cut off")


def _step(name: str, value: Any, stack: list[Any], memo: dict[int, Any]) -> None:  # noqa: PLR0912 - one line an opcode
    if name in _PUSHED:
        stack.append(value)
    elif name in _CONSTANTS:
        stack.append(_CONSTANTS[name])
    elif name in ("MEMOIZE", "BINPUT", "LONG_BINPUT"):
        memo[len(memo) if name == "MEMOIZE" else value] = stack[-1]
    elif name in ("BINGET", "LONG_BINGET"):
        stack.append(memo[value])
    elif name == "EMPTY_LIST":
        stack.append([])
    elif name == "APPEND":
        item = stack.pop()
        stack[-1].append(item)
    elif name == "MARK":
        stack.append(_MARK)
    elif name == "APPENDS":
        items = _since_mark(stack)
        stack[-1].extend(items)
    elif name == "TUPLE":
        stack.append(tuple(_since_mark(stack)))
    elif name in _TUPLES:
        stack.append(tuple(_taken(stack, _TUPLES[name])))
    elif name == "GLOBAL":
        stack.append(_maker(*value.split(" ")))
    elif name == "STACK_GLOBAL":
        stack.append(_maker(*_taken(stack, 2)))
    elif name == "REDUCE":
        maker, given = _taken(stack, 2)
        if not isinstance(maker, str) or not isinstance(given, tuple) or not given:
            raise ValueError("not a call")
        stack.append(_Made(maker, given))
    elif name == "BUILD":
        state = stack.pop()
        stack[-1].state = state
    elif name not in ("PROTO", "FRAME"):
        raise ValueError("more than an array of texts")


def _maker(module: str, name: str) -> str:
    if (module, name) not in _KNOWN:
        raise ValueError("more than an array of texts")
    return name


def _taken(stack: list[Any], count: int) -> list[Any]:
    return [stack.pop() for _ in range(count)][::-1]


def _since_mark(stack: list[Any]) -> list[Any]:
    items = []
    while (item := stack.pop()) is not _MARK:
        items.append(item)
    return items[::-1]


def _text(item: Any) -> str:
    """A text, bytes in UTF-8, or NumPy's own text: its dtype and the bytes of its characters."""
    item = _plain(item)
    if isinstance(item, _Made) and item.maker == "scalar":
        dtype, characters = item.given
        if isinstance(dtype, _Made) and isinstance(dtype.state, tuple) and str(dtype.given[0])[:1] == "U":
            return _bytes(characters).decode("utf-32-be" if ">" in dtype.state else "utf-32-le").rstrip("\0")
    if isinstance(item, bytes):
        return str(item, "utf-8", "replace")
    if not isinstance(item, str):
        raise ValueError("not a text")
    return item


def _bytes(item: Any) -> bytes:
    found = _plain(item)
    if not isinstance(found, bytes):
        raise ValueError("not a text's characters")
    return found


def _plain(item: Any) -> Any:
    """Bytes as protocol 2 writes them, which has none of its own: a text and its encoding."""
    if isinstance(item, _Made) and item.maker == "encode" and isinstance(item.given[0], str):
        return item.given[0].encode("latin-1")
    return item
