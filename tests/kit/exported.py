"""Cases to export, drawn and written for a test, and what is inside of exports."""

from __future__ import annotations

import base64
import io
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pypdf
from numpy.typing import NDArray

from services.core.ids import image_id
from services.query.teaching import document as documents
from services.query.teaching.document import Document, Picture
from services.query.teaching.export.case import Asked, Case, Film, LeftOut

FILE_ID = "0b7c5c5e-9a34-4c7e-8a55-3f1d2c4b5a69"
SECRET = bytes(range(32))
CLOSED = "PhysioNet Credentialed Health Data License 1.5.0"
ARROW = {"kind": "arrow", "points": [{"x": 0.9, "y": 0.4}, {"x": 0.7, "y": 0.6}], "text": "meniscus"}
MARKS = [
    ARROW, {"kind": "circle", "points": [{"x": 0.3, "y": 0.3}], "radius": 0.1},
    {"kind": "rectangle", "points": [{"x": 0.1, "y": 0.7}, {"x": 0.4, "y": 0.9}]},
    {"kind": "polygon", "points": [{"x": 0.5, "y": 0.5}, {"x": 0.6, "y": 0.5}, {"x": 0.5, "y": 0.7}]},
    {"kind": "text", "points": [{"x": 0.05, "y": 0.1}], "text": "R"},
]  # fmt: skip
TOLD: dict[str, Any] = {
    "title": "Large left pleural effusion", "alternative_title": "A breathless man",
    "history": "A man of 63, breathless for **two weeks**.\n\n- smoker\n- *asbestos* in 1980",
    "findings": "Opacity with a meniscus.", "diagnosis": "Pleural effusion",
    "differential": ["Lobar collapse", "Consolidation"], "discussion": "Above 200 ml it is seen on a frontal film.",
    "anatomy": "Pleura", "pathology": "Effusion", "organ_system": "Respiratory", "modality": "DX", "category": "Chest",
    "level": "Primary", "keywords": ["effusion", "pleura"], "references": ["Light RW. N Engl J Med 2002."],
    "authors": [{"name": "Ada Author", "affiliation": "A Hospital", "contact": "ada@example.org"}],
    "rights": "CC BY 4.0", "sections": [{"key": "follow", "heading": "Follow-up", "text": "Drained."}],
    "images": [
        {"key": "one", "image_id": image_id("demo", "one"), "caption": "Left lower zone.", "key_note": "Meniscus",
         "severity": "large", "annotations": MARKS},
        {"key": "two", "image_id": image_id("demo", "two"), "why": "After drainage", "section": "follow"},
    ],
}  # fmt: skip

# What has broken other writers of these formats: tags, entities, formulas, paths, commands of Anki, MIRC and DICOM,
# letters beyond the basic plane, the right-to-left override, signs that no XML may hold.
HOSTILE = (
    "<script>window.hacked=1</script>", "\"><img src=x onerror=window.hacked=1>", "]]><!--&amp;&lt;%2e%2e",
    "=HYPERLINK(\"http://x.example\",\"y\")", "@SUM(1+1)*cmd|' /C calc'!A0", "../../../../etc/passwd",
    "C:\\..\\x\0.exe",
    "{{Front}}[sound:x.mp3][latex]\\input{/etc/passwd}[/latex]", "mirc:authorization/owner=mallory", "a\\b^c=d",
    "javascript:window.hacked=1", "\u202eevil\u2066 \x07\x1b[31m\x0c", "😀 𝔘 Ω ж 肺 رئة", "{{7*7}}${7*7}<%=7*7%>",
    "'; DROP TABLE notes; --", "</style></title></svg><svg onload=window.hacked=1>", "](javascript:window.hacked=1)",
)  # fmt: skip

EVERYTHING = " ".join(HOSTILE)[:299]  # at once, for writers that take their time; one by one in slow tests


def case(told: dict[str, Any] | None = None, films: Sequence[dict[str, Any]] = (), **fields: Any) -> Case:
    """The case of `TOLD`, or another. films: fields of its films that differ."""
    document = documents.parse(told or TOLD)
    made = [
        film(place, picture, **(films[place - 1] if place <= len(films) else {}))
        for place, picture in enumerate(document.images, 1)
    ]
    defaults: dict[str, Any] = {
        "file_id": FILE_ID, "version": 3, "document": document, "films": tuple(made), "published": "2026-11-22",
        "left_out": (LeftOut(3, f"its licence ({CLOSED}) forbids handing it on"),),
        "owner": "ada", "read": ("*",), "update": ("grace", "alan"), "secret": SECRET,
    }  # fmt: skip
    return Case(**{**defaults, **fields})


def film(place: int, picture: Picture, **fields: Any) -> Film:
    defaults: dict[str, Any] = {
        "number": place, "key": picture.key, "pixels": drawn(place), "person": "p", "seed": picture.image_id,
        "view": "PA", "sex": "M", "age": 63.0, "modality": "DX", "section": picture.section,
        "why": picture.why,
        "caption": picture.caption, "key_note": picture.key_note, "severity": picture.severity,
        "marks": picture.annotations, "licence": "CC BY 4.0", "attribution": "A Hospital",
    }  # fmt: skip
    return Film(**{**defaults, **fields})


def drawn(seed: int, height: int = 160, width: int = 129) -> NDArray[np.uint8]:
    """(height, width) uint8, different for every seed; of an odd number of pixels where both are odd."""
    rows, columns = np.mgrid[0:height, 0:width]
    return ((rows * seed + columns) % 256).astype(np.uint8)


def quiz(**fields: Any) -> Case:
    return replace(case(**fields), asked=Asked(quiz=True))


def hostile(text: str) -> Case:
    """The case with `text` in every place where somebody can write, titles, names, labels and credits among them."""
    line = text or "x"
    told: dict[str, Any] = {
        **dict.fromkeys(
            ("title", "alternative_title", "history", "findings", "diagnosis", "discussion", "anatomy", "pathology",
             "organ_system", "modality", "category", "level", "rights", "origin"), line),
        "differential": [line, f"{line} 2"], "keywords": [line], "references": [line],
        "authors": [{"name": line, "affiliation": line, "contact": line}],
        "sections": [{"key": "s", "heading": line, "text": line}],
        "images": [{
            "key": "one", "image_id": image_id("demo", "one"), "caption": line, "key_note": line, "why": line,
            "severity": line, "section": "s", "annotations": [{**ARROW, "text": line}],
        }],
    }  # fmt: skip
    said = {"licence": f"CC BY {text}", "attribution": text, "right": text, "modality": text, "view": text}
    made = case(told, [{name: documents.clean(value) for name, value in said.items()}])
    people = {"owner": text, "read": (text,), "update": (text,), "export": (text,)}
    return replace(made, left_out=(LeftOut(2, documents.clean(text)),), **people)


def fields_of(document: Document) -> str:
    """All that can be read in it."""
    return documents.words(document)


def inside(data: bytes, name: str = "") -> Iterator[tuple[str, bytes]]:
    """The bytes, and everything that is packed in them: archives, streams of a PDF, pictures in a page."""
    yield name, data
    if data.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for entry in archive.infolist():
                yield f"{name}/{entry.filename}", entry.filename.encode() + entry.comment + entry.extra
                yield from inside(archive.read(entry), f"{name}/{entry.filename}")
    elif data.startswith(b"%PDF"):
        yield (
            f"{name}/text",
            "\n".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(data)).pages).encode(),
        )
        for number, stream in enumerate(re.findall(rb"stream\r?\n(.*?)\r?\nendstream", data, re.DOTALL)):
            if stream.startswith(b"x\x9c") or stream.startswith(b"x\xda"):
                yield f"{name}/stream-{number}", zlib.decompress(stream)
    else:
        for number, packed in enumerate(re.findall(rb"base64,([A-Za-z0-9+/=]+)", data)):
            yield from inside(base64.b64decode(packed), f"{name}/data-{number}")
