"""Documents as YAML or JSON, for editors and scripts."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer
import yaml

from hilum import TeachingFile
from services.app import output

_ORDER = ("title", "alternative_title", "history", "findings", "diagnosis", "differential", "discussion")


def read(path: Path) -> dict[str, Any]:
    """A document; JSON is YAML, too. Ends the command when it is none."""
    try:
        text = typer.get_text_stream("stdin").read() if str(path) == "-" else path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        what = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        output.fail(f"the document cannot be read: {what}", output.USAGE)
    return parsed(text)


def parsed(text: str) -> dict[str, Any]:
    """The same from its text."""
    try:
        told = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError):
        output.fail("the document is no YAML or JSON", output.USAGE)
    if not isinstance(told, Mapping):
        output.fail("the document is an object with named fields: title, history, images…", output.USAGE)
    return dict(told)


def rescue(text: str) -> str:
    """Keep what somebody typed in a file of its own; its path."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml", prefix="hilum-case-", delete=False, encoding="utf-8") as file:
        file.write(text)
    return file.name


def write(document: Mapping[str, Any]) -> str:
    """YAML with long texts as they are, the fields that people write first."""
    first = {name: document[name] for name in _ORDER if name in document}
    return yaml.safe_dump({**first, **document}, sort_keys=False, allow_unicode=True, width=100)


def told(one: TeachingFile) -> dict[str, Any]:
    """A file for machines."""
    return {name: getattr(one, name) for name in TeachingFile.__slots__}


def plain(document: Mapping[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, indent=2)
