"""Metadata that data catalogues and loaders read: Croissant 1.1, JSON-LD (docs.mlcommons.org/croissant/docs).

It describes the files of this export and nothing else. Where the data may be found on the web, nobody has said yet:
``url`` names the run; put the address of your publication in its place.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from services.analytics.cohort.export import handing_on
from services.analytics.cohort.export.part import Part, Spooled, text
from services.analytics.cohort.export.pictures import FOLDER
from services.analytics.cohort.export.table import Content

CONFORMS = "http://mlcommons.org/croissant/1.1"
TYPES = {
    ".csv": "text/csv", ".parquet": "application/x-parquet", ".json": "application/json",
    ".txt": "text/plain", ".md": "text/markdown", ".jpg": "image/jpeg",
}  # fmt: skip
_TERMS = (
    "citeAs", "column", "equivalentProperty", "extract", "field", "fileObject", "fileProperty", "fileSet", "format",
    "includes", "excludes", "isArray", "arrayShape", "isLiveDataset", "jsonPath", "key", "md5", "parentField", "path",
    "readLines", "recordSet", "references", "regex", "repeated", "replace", "samplingRate", "sdVersion", "separator",
    "source", "subField", "transform", "unArchive", "value", "annotation", "containedIn",
)  # fmt: skip
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    **{term: f"cr:{term}" for term in _TERMS},
}


def part(content: Content, made: Iterable[Spooled], pictures: bool) -> Part:
    """croissant.json. made: the files it may speak of."""
    files = [(one.part.name, one.part.about, one.sha256, one.size) for one in made]
    told = json.dumps(document(content, files, pictures), ensure_ascii=False, indent=1) + "\n"
    return Part("croissant.json", "Croissant metadata (JSON-LD)", text(told))


def document(content: Content, files: Iterable[tuple[str, str, str, int]], pictures: bool) -> dict[str, Any]:
    """files: name, about, sha256, bytes of each that is described."""
    frozen, known = content.frozen, list(files)
    names = {name for name, *_ in known}
    sets = [_file_set()] if pictures else []
    tables = {"films": content.films, "labels": content.labels}
    here = {name: next((f for f in (f"{name}.parquet", f"{name}.csv") if f in names), "") for name in tables}
    terms = handing_on.terms(content)
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS,
        "name": frozen.name,
        "description": _about(content),
        "url": f"urn:uuid:{frozen.run_id}",
        "version": "1.0.0",
        "license": sorted({one.licence or "not stated" for one in terms}),
        "creator": [
            {"@type": "sc:Organization", "name": name}
            for name in sorted({one.attribution or one.dataset for one in terms})
        ],
        "datePublished": frozen.created_at[:10],
        "dateCreated": frozen.created_at[:10],
        "isLiveDataset": False,
        "citeAs": (
            f"@misc{{{frozen.name}, title = {{Cohort {frozen.name}}}, year = {{{frozen.created_at[:4]}}}, "
            f"note = {{image ids SHA-256 {frozen.ids_sha256}}}}}"
        ),
        "keywords": ["chest radiography", "research use only"],
        "distribution": [*map(_file, known), *sets],
        "recordSet": [
            _records(name, file, tables[name], pictures and name == "films") for name, file in here.items() if file
        ],
    }


def _about(content: Content) -> str:
    title = f"{content.frozen.title}. " if content.frozen.title else ""
    return (
        f"{title}A cohort of {content.count} in this export, frozen on {content.frozen.created_at[:10]} as "
        f"{content.frozen.count}; sorted image ids have the SHA-256 {content.frozen.ids_sha256}. Ids of patients and "
        "studies are pseudonyms or the datasets' own. Research use only."
    )


def _file(known: tuple[str, str, str, int]) -> dict[str, Any]:
    name, about, sha256, size = known
    return {
        "@type": "cr:FileObject", "@id": name, "name": name, "description": about, "contentUrl": name,
        "contentSize": f"{size} B", "encodingFormat": TYPES[name[name.rindex(".") :]], "sha256": sha256,
    }  # fmt: skip


def _file_set() -> dict[str, Any]:
    return {
        "@type": "cr:FileSet", "@id": FOLDER, "name": FOLDER, "encodingFormat": "image/jpeg",
        "description": "one picture per film, at most 512 pixels on its longer side", "includes": f"{FOLDER}/*.jpg",
    }  # fmt: skip


def _records(name: str, file: str, table: pa.Table, pictures: bool) -> dict[str, Any]:
    fields = [_field(name, file, column) for column in table.schema]
    key = ["image_id"] if name == "films" else ["image_id", "finding", "source"]
    return {
        "@type": "cr:RecordSet", "@id": name, "name": name,
        "description": "one record per film" if name == "films" else "one record per statement on a finding",
        "key": [{"@id": f"{name}/{column}"} for column in key], "field": fields,
    }  # fmt: skip


def _field(records: str, file: str, column: pa.Field) -> dict[str, Any]:
    told = {
        "@type": "cr:Field", "@id": f"{records}/{column.name}", "name": f"{records}/{column.name}",
        "dataType": _type(column.type),
        "source": {"fileObject": {"@id": file}, "extract": {"column": column.name}},
    }  # fmt: skip
    if records == "labels" and column.name == "image_id":
        told["references"] = {"field": {"@id": "films/image_id"}}
    return told


def _type(kind: pa.DataType) -> str:
    if pa.types.is_boolean(kind):
        return "sc:Boolean"
    if pa.types.is_integer(kind):
        return "sc:Integer"
    return "sc:Float" if pa.types.is_floating(kind) else "sc:Text"
