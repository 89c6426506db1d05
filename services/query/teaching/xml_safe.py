"""XML from strangers: no document type, so no entities; nothing is ever fetched; bounded in size, number and depth."""

from __future__ import annotations

from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from services.core.errors import ErrorCode, HilumError, invalid

MOST_BYTES = 8 * 2**20
_MOST_ELEMENTS, _MOST_DEPTH = 50_000, 64


def read_xml(data: bytes) -> Element:
    """The root element; names of elements without their namespaces, in lower case but for the root's.

    Raises INVALID_ARGUMENT for what is no XML or has a DOCTYPE, PAYLOAD_TOO_LARGE.
    """
    if len(data) > MOST_BYTES:
        raise HilumError(ErrorCode.PAYLOAD_TOO_LARGE, f"the XML has at most {MOST_BYTES // 2**20} MiB")
    tree, counts = TreeBuilder(), [0, 0]

    def start(name: str, attributes: dict[str, str]) -> None:
        counts[0], counts[1] = counts[0] + 1, counts[1] + 1
        if counts[0] > _MOST_ELEMENTS or counts[1] > _MOST_DEPTH:
            raise HilumError(ErrorCode.PAYLOAD_TOO_LARGE, "the XML has too many elements, or too deep ones")
        tree.start(_local(name), {_local(key): value for key, value in attributes.items()})

    def end(name: str) -> None:
        counts[1] -= 1
        tree.end(_local(name))

    def refuse(*_: object) -> None:
        raise invalid("the XML has a DOCTYPE; take it out: documents from elsewhere are read without one")

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, tree.data
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
    try:
        parser.Parse(data, True)
        return tree.close()
    except (expat.ExpatError, LookupError, ValueError):
        raise invalid("this is no XML document that can be read; export it again") from None


def _local(name: str) -> str:
    return name.rsplit(" ", 1)[-1].lower()
