"""The formats by name. Their libraries are loaded when they are first asked for."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from importlib import import_module

from services.core.errors import ErrorCode, HilumError, invalid
from services.core.limits import MAX_UPLOAD_BYTES
from services.query.teaching.export.case import Case, Exporter

_HERE = "services.query.teaching.export"


@dataclass(frozen=True, slots=True)
class Format:
    """module: whose function of the same name makes the file.  ending: of the file's name."""

    module: str
    ending: str
    content_type: str


FORMATS = {
    "mirc": Format("mirc", "mirc.zip", "application/zip"),
    "tce": Format("tce", "tce.zip", "application/zip"),
    "html": Format("offline", "html", "text/html"),
    "pptx": Format("slides", "pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
    "pdf": Format("pdf", "pdf", "application/pdf"),
    "anki": Format("anki", "apkg", "application/octet-stream"),
}


def known(name: str) -> Format:
    """Raises INVALID_ARGUMENT."""
    if name not in FORMATS:
        raise invalid(f"format is one of {', '.join(FORMATS)}")
    return FORMATS[name]


def made(name: str, case: Case) -> bytes:
    """The file. Raises INVALID_ARGUMENT, PAYLOAD_TOO_LARGE, FAILED_PRECONDITION where its library is not installed."""
    chosen = known(name)
    try:
        exporter: Exporter = getattr(import_module(f"{_HERE}.{chosen.module}"), chosen.module)
    except ImportError as error:
        raise HilumError(
            ErrorCode.FAILED_PRECONDITION, "exports need packages that are not installed: pip install 'hilum[teaching]'"
        ) from error
    data = exporter(case)
    if len(data) > MAX_UPLOAD_BYTES:
        raise HilumError(
            ErrorCode.PAYLOAD_TOO_LARGE, f"the export is over {MAX_UPLOAD_BYTES // 2**20} MiB; part the file"
        )
    return data


def file_name(name: str, case: Case) -> str:
    """``large-left-effusion-0b7c5c5e.pdf``: of the title letters and digits alone, so that no title leads out of a
    folder, and of the file's id what tells it from others of this title."""
    words = unicodedata.normalize("NFKD", case.title).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", words)[:60].strip("-") or "case"
    return f"{slug}-{case.file_id[:8]}.{known(name).ending}"
