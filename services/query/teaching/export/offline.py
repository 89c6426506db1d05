"""One HTML file that needs nothing else: films with window and level, marks, the answer hidden until it is asked for.

Its own policy forbids it the network and every script but the one that is named by its hash, so that text of a case can
be shown and never run.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from services.query.teaching.export import marks, words
from services.query.teaching.export.case import Case, Film

_PAGE = Path(__file__).parent / "page"


def offline(case: Case) -> bytes:
    """The file."""
    style, script = ((_PAGE / name).read_text("utf-8") for name in ("case.css", "case.js"))
    policy = (
        f"default-src 'none'; img-src data:; style-src {_hash(style)}; script-src {_hash(script)}; base-uri 'none'; "
        "form-action 'none'"
    )
    page = _template().get_template("case.html").render(
        case=case, document=case.document, quiz=case.asked.quiz, policy=policy, style=Markup(style),
        script=Markup(script),
    )  # fmt: skip
    return page.encode()


@cache
def _template() -> Environment:
    made = Environment(
        loader=FileSystemLoader(_PAGE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made.filters["data"] = lambda jpeg: f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"
    made.globals.update(prose=lambda text: Markup(words.html(text)), drawn=_drawn)
    return made


def _drawn(film: Film) -> Markup:
    height, width = film.pixels.shape
    return Markup(marks.svg(film.marks, width, height))


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
