"""PDF: the case on paper. Films and history first, as an unknown has them; marks are drawn over the pictures, which
stay as they are. No text is taken for markup. Letters are DejaVu's: Latin, Greek, Cyrillic and more, not Chinese,
Japanese or Korean."""

from __future__ import annotations

import io
import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import cast

from fpdf import FPDF

from services.query.teaching.export import marks
from services.query.teaching.export.case import NOTE, Case, Film
from services.query.teaching.export.marks import Label, Ring, Stroke
from services.query.teaching.export.words import Style, blocks, line

_MARGIN, _GAP = 18.0, 6.0  # mm
_BODY, _SMALL = 10.5, 8.0  # points
_DIM, _INK = (90, 90, 90), (0, 0, 0)

# They tell of every table that is cut from the letters, and of letters that there are none of: words of a case are
# nothing for a log.
logging.getLogger("fontTools").setLevel(logging.ERROR)
logging.getLogger("fpdf").setLevel(logging.ERROR)


class _Paper(FPDF):
    def __init__(self, case: Case) -> None:
        super().__init__(format="A4")
        self._foot = f"{case.title} · {NOTE}"
        folder = marks.FONT.parent
        self.add_font("dejavu", "", folder / "DejaVuSans.ttf")
        self.add_font("dejavu", "B", folder / "DejaVuSans-Bold.ttf")
        self.set_margin(_MARGIN)
        self.c_margin = 0
        self.set_auto_page_break(True, _MARGIN + 4)
        self.set_title(case.title)
        self.set_author(case.authors)
        self.set_creator("Hilum")
        self.set_creation_date(datetime.fromisoformat(case.published).replace(tzinfo=UTC))
        self.add_page()

    def footer(self) -> None:
        """Title, what it is for, page."""
        self.set_y(-_MARGIN + 2)
        self.face(_SMALL - 1, colour=_DIM)
        self.cell(self.epw - 12, 4, _cut(self._foot, 130))
        self.cell(12, 4, str(self.page_no()), align="R")

    def face(self, size: float = _BODY, bold: bool = False, colour: tuple[int, int, int] = _INK) -> None:
        self.set_font("dejavu", "B" if bold else "", size)
        self.set_text_color(*colour)

    def heading(self, text: str, size: float = 12) -> None:
        if self.will_page_break(24):
            self.add_page()
        self.ln(2)
        self.face(size, bold=True)
        self.multi_cell(0, size * 0.5, line(text), new_x="LMARGIN", new_y="NEXT", align="L")
        self.ln(1)

    def prose(self, text: str, size: float = _BODY, colour: tuple[int, int, int] = _INK) -> None:
        for block in blocks(text):
            for number, words in enumerate(block.lines, 1):
                self.face(size, colour=colour)
                begin = {"ul": "•  ", "ol": f"{number}.  "}.get(block.kind, "")
                self.set_x(self.l_margin + (3 if begin else 0))
                self.write(size * 0.48, begin)
                for span in words:
                    self.face(size, span.style == Style.STRONG, colour)
                    self.write(size * 0.48, span.text)
                self.ln(size * 0.48)
            self.ln(1.6)

    def said(self, text: str, width: float, size: float = _SMALL) -> None:
        """Words under a picture, from where the pen is."""
        self.face(size, colour=_DIM)
        self.multi_cell(width, size * 0.45, line(text), new_x="LEFT", new_y="NEXT", align="L")


def pdf(case: Case) -> bytes:
    """The file."""
    paper, of = _Paper(case), case.document
    paper.heading(case.title, 17)
    if case.authors:
        paper.prose(case.authors, colour=_DIM)
    if of.history:
        paper.heading("History")
        paper.prose(of.history)
    _films(paper, case.films, told=not case.asked.quiz)
    if case.asked.quiz:
        paper.add_page()
        paper.heading(f"Answer: {of.title}", 15)
        _films(paper, [film for film in case.films if film.marks or film.notes], told=True)
    for heading, text in case.answer:
        paper.heading(heading)
        paper.prose(text)
    if of.references:
        paper.heading("References")
        for number, reference in enumerate(of.references, 1):
            paper.prose(f"{number}. {reference}", _BODY - 1)
    if case.terms:
        paper.heading("Filed under")
        for name, value in case.terms:
            paper.prose(f"{name}: {value}", _BODY - 1)
    paper.heading("Credits")
    for said in case.credits:
        paper.face(_SMALL + 0.5, colour=_DIM)
        paper.multi_cell(0, 4.2, line(said), new_x="LMARGIN", new_y="NEXT", align="L")
        paper.ln(0.8)
    return bytes(cast(bytearray, paper.output()))


def _films(paper: _Paper, films: Sequence[Film], told: bool) -> None:
    """Films two to a row; one alone is larger."""
    across = 2 if len(films) > 1 else 1
    width = (paper.epw - _GAP) / 2 if across == 2 else 120.0
    for row in (films[at : at + across] for at in range(0, len(films), across)):
        tall = max(width * film.pixels.shape[0] / film.pixels.shape[1] for film in row)
        if paper.will_page_break(tall + 24):
            paper.add_page()
        top, ends, page = paper.get_y() + 2, [], paper.page
        for place, film in enumerate(row):
            left = paper.l_margin + place * (width + _GAP)
            height = width * film.pixels.shape[0] / film.pixels.shape[1]
            paper.page = page
            paper.image(io.BytesIO(film.jpeg), left, top, width, height)
            if told:
                _drawn(paper, film, left, top, width, height)
            paper.set_xy(left, top + height + 1)
            paper.said(" · ".join(part for part in (film.title, film.patient) if part), width, _SMALL + 1)
            for heading, text in film.notes if told else ():
                paper.said(f"{heading}: {text}" if heading else text, width)
            paper.said(film.credit, width, _SMALL - 1)
            ends.append((paper.page, paper.get_y()))
        paper.page, bottom = max(ends)
        paper.set_xy(paper.l_margin, bottom + 3)


def _drawn(paper: _Paper, film: Film, left: float, top: float, width: float, height: float) -> None:
    found = marks.strokes(film.marks, width, height)
    thin = max(0.3, width / 300)
    with paper.local_context():
        for colour, thick in ((marks.SHADE, thin * 2), (marks.COLOUR, thin)):
            paper.set_draw_color(colour)
            paper.set_fill_color(colour)
            paper.set_line_width(thick)
            for one in found:
                match one:
                    case Stroke(points, closed, filled):
                        moved = [(left + x, top + y) for x, y in points]
                        if closed:
                            paper.polygon(moved, style="DF" if filled else "D")
                        else:
                            paper.polyline(moved)
                    case Ring(x, y, radius):
                        paper.ellipse(left + x - radius, top + y - radius, 2 * radius, 2 * radius)
        for one in found:
            if isinstance(one, Label):
                paper.set_font("dejavu", "B", one.height * 2.6)
                paper.set_text_color(marks.COLOUR)
                paper.text(left + one.x, top + one.y, one.text)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
