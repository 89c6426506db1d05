"""Anki deck: in front the film and the history, behind them what it is and why.

One card for a case of one patient; of several, one for each of them. Decks and cards are named by ids that follow from
the file, so that another import of the same file updates what is there and keeps what was learnt.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from html import escape
from pathlib import Path

import genanki

from services.query.teaching.export import words
from services.query.teaching.export.case import NOTE, Case, Film
from services.query.teaching.export.words import line

_MODEL = 1_607_351_827  # of our kind of note, for ever
_CSS = """
.card { font: 18px/1.45 system-ui, sans-serif; color: #d3d8dc; background: #0a0c0e; text-align: left; }
img { max-width: 100%; height: auto; }
h3 { font-size: 14px; color: #929ba5; margin: 1em 0 .2em; }
.credit { font-size: 12px; color: #929ba5; }
"""


def anki(case: Case) -> bytes:
    """The .apkg."""
    model = genanki.Model(
        _MODEL, "Hilum teaching film", css=_CSS,
        fields=[{"name": "Front"}, {"name": "Back"}],
        templates=[{"name": "Unknown", "qfmt": "{{Front}}", "afmt": "{{Front}}<hr id=answer>{{Back}}"}],
    )  # fmt: skip
    deck = genanki.Deck(_number(case.file_id, "deck"), _deck(case))
    media: dict[str, bytes] = {}
    persons = case.persons or [()]
    for films in persons:
        alone = len(persons) == 1
        guid = hashlib.sha256(f"{case.file_id}\0{'' if alone else films[0].key}".encode()).hexdigest()[:20]
        deck.add_note(genanki.Note(
            model=model, guid=guid, fields=[_front(case, films, media), _back(case, films, media)],
        ))  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for name, data in media.items():
            path = Path(folder) / name
            path.write_bytes(data)
            paths.append(str(path))
        out = Path(folder) / "deck.apkg"
        genanki.Package(deck, media_files=paths).write_to_file(str(out))  # Anki takes what is newer
        return out.read_bytes()


def _front(case: Case, films: Sequence[Film], media: dict[str, bytes]) -> str:
    said = [_prose(case.document.history)] if case.document.history else []
    for film in films:
        said.append(_image(case, film, "plain", film.jpeg, media))
        said.append(f"<p class=credit>{_safe(' · '.join(x for x in (film.title, film.patient, film.credit) if x))}</p>")
    return "".join(said)


def _back(case: Case, films: Sequence[Film], media: dict[str, bytes]) -> str:
    said = [f"<h2>{_safe(case.document.title)}</h2>"]
    for film in films:
        if film.marked != film.jpeg:
            said.append(_image(case, film, "marked", film.marked, media))
        for heading, text in film.notes:
            said.append(f"<h3>{_safe(f'{film.title}: {heading}' if heading else film.title)}</h3>{_prose(text)}")
    for heading, text in case.answer:
        said.append(f"<h3>{_safe(heading)}</h3>{_prose(text)}")
    if case.document.references:
        listed = "".join(f"<li>{_safe(one)}</li>" for one in case.document.references)
        said.append(f"<h3>References</h3><ol>{listed}</ol>")
    left_out = [str(one) for one in case.left_out]
    rights = [f"Text: {case.document.rights}"] if case.document.rights else []
    said.append("".join(f"<p class=credit>{_safe(one)}</p>" for one in (*left_out, *rights, NOTE)))
    return "".join(said)


def _image(case: Case, film: Film, kind: str, jpeg: bytes, media: dict[str, bytes]) -> str:
    """Anki keeps the pictures of all decks in one folder: names must not be another's, nor change with nothing."""
    name = f"hilum-{_number(case.file_id, film.key, kind)}-{hashlib.sha256(jpeg).hexdigest()[:12]}.jpg"
    media[name] = jpeg
    return f'<p><img src="{name}"></p>'


def _prose(text: str) -> str:
    return _inert(words.html(text))


def _safe(text: str) -> str:
    return _inert(escape(line(text)))


def _inert(html: str) -> str:
    """Anki takes ``[sound:…]``, ``[latex]``, ``{{…}}`` and ``\\(…\\)`` in fields for commands."""
    for sign in "[]{}\\":
        html = html.replace(sign, f"&#{ord(sign)};")
    return html


def _deck(case: Case) -> str:
    """One deck for all files, and in it one for each, whose name tells nothing of the answer. Two colons part them."""
    name = line(case.document.alternative_title).replace("::", ": :") or f"Case {case.file_id[:8]}"
    return f"Teaching files::{name}"


def _number(*of: str) -> int:
    """Between 2³⁰ and 2³¹, as Anki's ids of decks."""
    digest = hashlib.sha256("\0".join(of).encode()).digest()
    return (1 << 30) + int.from_bytes(digest[:4], "big") % (1 << 30)
