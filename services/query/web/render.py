"""Templates and static files with the headers that keep a page to itself."""

from __future__ import annotations

import hashlib
import mimetypes
from datetime import date
from pathlib import Path

from fastapi import Request, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from services.core.errors import ErrorCode, HilumError

# Scripts and styles are files of ours: text that came with a film can be shown here, and never run.
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": CSP,
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "private, no-cache",
}
_STATIC = Path(__file__).parent / "static"
_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


class Pages:
    """Renders templates and answers with static files, all read once."""

    def __init__(self) -> None:
        self._templates = Environment(
            loader=PackageLoader("services.query.web"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
            lstrip_blocks=True,
        )  # fmt: skip
        self._templates.filters.update(words=words, years=years, apart=apart, sentence=sentence)
        self._files = {path.name: _File(path) for path in _STATIC.iterdir() if path.suffix in _TYPES}

    def page(self, name: str, status: int = 200, **values: object) -> Response:
        """A page. Every value is escaped."""
        return HTMLResponse(self._templates.get_template(name).render(**values), status, headers=HEADERS)

    def file(self, name: str, request: Request) -> Response:
        """A static file, or 304 when the browser has this very one. Raises NOT_FOUND."""
        file = self._files.get(name)
        if file is None:
            raise HilumError(ErrorCode.NOT_FOUND, "no such file")
        headers = {"etag": file.etag, "cache-control": "no-cache", "x-content-type-options": "nosniff"}
        if request.headers.get("if-none-match") == file.etag:
            return Response(status_code=304, headers=headers)
        return Response(file.data, media_type=file.kind, headers=headers)


class _File:
    def __init__(self, path: Path) -> None:
        self.data = path.read_bytes()
        self.kind = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0]
        self.etag = f'"{hashlib.sha256(self.data).hexdigest()[:16]}"'


def words(key: str) -> str:
    """``pleural_effusion`` → pleural effusion."""
    return key.replace("_", " ")


def sentence(message: str) -> str:
    """A message of the services as a person reads it: from a capital to a full stop."""
    return message[:1].upper() + message[1:].rstrip(".") + "."


def years(age: float | None) -> str:
    """63.0 → 63 y; infants in months; empty when unknown."""
    if age is None:
        return ""
    return f"{round(age * 12)} mo" if age < 2 else f"{int(age)} y"


def apart(when: str | None, reference: str | None) -> str:
    """How far a film lies before or after another one: ``3 days before``; empty when a date is unknown."""
    try:
        days = (date.fromisoformat(when or "") - date.fromisoformat(reference or "")).days
    except ValueError:
        return ""
    if days == 0:
        return "same day"
    size, unit = (abs(days), "day") if abs(days) < 60 else (round(abs(days) / 30.44), "month")
    if unit == "month" and size >= 24:
        size, unit = round(abs(days) / 365.25), "year"
    return f"{size} {unit}{'s' if size > 1 else ''} {'before' if days < 0 else 'after'}"
