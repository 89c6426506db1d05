"""Slides (PowerPoint): title, history, each film as a reader of the unknown sees it, then the answer.

Marks are shapes over the untouched picture: a teacher can move them or let them fly in. What belongs to a film stands
in the notes of its slide, whose it is on the slide itself.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from pptx import Presentation
from pptx.dml.color import RGBColor
from pptx.enum.shapes import MSO_CONNECTOR, MSO_SHAPE
from pptx.enum.text import MSO_ANCHOR
from pptx.util import Emu, Inches, Pt

from services.query.teaching.export import marks
from services.query.teaching.export.case import NOTE, Case, Film
from services.query.teaching.export.marks import Label, Ring, Stroke
from services.query.teaching.export.words import Block, Span, Style, blocks, line, plain

_WIDE, _TALL = 13.333, 7.5  # inches: 16 to 9
_ROOM, _TEXT, _DIM = RGBColor(0, 0, 0), RGBColor(0xD3, 0xD8, 0xDC), RGBColor(0x92, 0x9B, 0xA5)
_AMBER = RGBColor.from_string(marks.COLOUR[1:].upper())
_FULL, _ROW = 1_000, 100  # characters of text on one slide at 20 points; of one of its rows
_BLANK = 6  # the layout without any place for text


def slides(case: Case) -> bytes:
    """The presentation."""
    show, of = Presentation(), case.document
    show.slide_width, show.slide_height = Inches(_WIDE), Inches(_TALL)
    _about(show, case)
    first = _slide(show)
    _words(first, 1, 2.4, _WIDE - 2, 2, [_one(case.title)], 40, bold=True, anchor=MSO_ANCHOR.BOTTOM)
    under = [text for text in (case.authors, NOTE) if text]
    _words(first, 1, 4.6, _WIDE - 2, 1.4, [_one(text) for text in under], 18, colour=_DIM)
    _text(show, "History", of.history)
    for film in case.films:
        _film(show, film, told=False)
    if case.asked.quiz:
        _words(_slide(show), 1, 2.8, _WIDE - 2, 1.6, [_one("Your diagnosis?")], 44, bold=True)
    for film in case.films:
        if film.marks or film.notes:
            _film(show, film, told=True)
    told = [(heading, text) for heading, text in case.answer if text]
    _flow(show, "Answer", [block for heading, text in told for block in _noted(heading, text)])
    _text(show, "References", "\n".join(f"{n}. {one}" for n, one in enumerate(of.references, 1)))
    _text(show, "Credits", "\n".join(f"- {said}" for said in case.credits), 14)
    out = io.BytesIO()
    show.save(out)
    return out.getvalue()


def _about(show: Any, case: Case) -> None:
    made = datetime.fromisoformat(case.published).replace(tzinfo=UTC)
    about = show.core_properties
    about.title, about.author, about.last_modified_by = case.title[:255], case.authors[:255], ""
    about.created = about.modified = made
    about.revision = 1
    package = show.part.package
    for key in [key for key, rel in package._rels.items() if rel.reltype.endswith("/thumbnail")]:
        package.drop_rel(key)  # of the library's own template, with somebody's metadata


def _slide(show: Any) -> Any:
    slide = show.slides.add_slide(show.slide_layouts[_BLANK])
    fill = slide.background.fill
    fill.solid()
    fill.fore_color.rgb = _ROOM
    return slide


def _text(show: Any, heading: str, text: str, size: int = 20) -> None:
    _flow(show, heading, blocks(text), size)


def _flow(show: Any, heading: str, found: Sequence[Block], size: int = 20) -> None:
    """Blocks on as many slides as they need."""
    for number, some in enumerate(_pages(found, _FULL * 20 // size)):
        slide = _slide(show)
        title = line(heading) if number == 0 else f"{line(heading)} (continued)"
        _words(slide, 0.8, 0.5, _WIDE - 1.6, 0.9, [_one(title)], 30, bold=True)
        _words(slide, 0.8, 1.5, _WIDE - 1.6, _TALL - 2.1, some, size)


def _film(show: Any, film: Film, told: bool) -> None:
    """A film beside its words."""
    slide = _slide(show)
    high, wide = film.pixels.shape
    scale = min((_TALL - 1.1) / high, 8.2 / wide)
    height, width = high * scale, wide * scale
    left, top = 0.4, 0.35
    picture = slide.shapes.add_picture(io.BytesIO(film.jpeg), Inches(left), Inches(top), Inches(width), Inches(height))
    picture.name = film.name
    beside = [_one(film.title)]
    if film.patient:
        beside.append(_one(film.patient))
    _words(slide, left + width + 0.3, 0.4, _WIDE - width - left - 0.7, 1.1, beside, 20, bold=True)
    if told:
        _drawn(slide, film, left, top, width, height)
        said = [block for heading, text in film.notes for block in _noted(heading, text)]
        _words(slide, left + width + 0.3, 1.6, _WIDE - width - left - 0.7, _TALL - 2.4, _cut(said), 16)
    _words(slide, 0.4, _TALL - 0.6, _WIDE - 0.8, 0.45, [_one(film.credit)], 11, colour=_DIM)
    notes = [f"{heading}: {plain(text)}" if heading else plain(text) for heading, text in film.notes]
    slide.notes_slide.notes_text_frame.text = "\n".join([film.title, *notes, film.credit])


def _drawn(slide: Any, film: Film, left: float, top: float, width: float, height: float) -> None:
    def x(value: float) -> Emu:
        return Inches(left + value)

    def y(value: float) -> Emu:
        return Inches(top + value)

    for one in marks.strokes(film.marks, width, height):
        match one:
            case Stroke(points, closed, filled) if len(points) > 2 or closed:
                build = slide.shapes.build_freeform(x(points[0][0]), y(points[0][1]), scale=1.0)
                build.add_line_segments([(x(across), y(down)) for across, down in points[1:]], close=closed)
                _line(build.convert_to_shape(), filled)
            case Stroke(points):
                (ax, ay), (bx, by) = points
                _line(slide.shapes.add_connector(MSO_CONNECTOR.STRAIGHT, x(ax), y(ay), x(bx), y(by)))
            case Ring(across, down, radius):
                box = (x(across - radius), y(down - radius), Inches(2 * radius), Inches(2 * radius))
                _line(slide.shapes.add_shape(MSO_SHAPE.OVAL, *box), False)
            case Label(across, down, text, size):
                _words(slide, left + across, top + down - size * 1.3, width - across, size * 1.6, [_one(text)],
                       round(size * 72 * 0.9), bold=True, colour=_AMBER)  # fmt: skip


def _line(shape: Any, filled: bool | None = None) -> None:
    """filled: None for lines, which have no inside."""
    shape.line.color.rgb, shape.line.width = _AMBER, Pt(2.25)
    shape.shadow.inherit = False
    if filled:
        shape.fill.solid()
        shape.fill.fore_color.rgb = _AMBER
    elif filled is False:
        shape.fill.background()


def _words(
    slide: Any, left: float, top: float, width: float, height: float, said: Sequence[Block], size: int,
    bold: bool = False, colour: RGBColor = _TEXT, anchor: Any = MSO_ANCHOR.TOP,
) -> None:  # fmt: skip
    frame = slide.shapes.add_textbox(Inches(left), Inches(top), Inches(width), Inches(height)).text_frame
    frame.word_wrap, frame.vertical_anchor = True, anchor
    frame.margin_left = frame.margin_right = frame.margin_top = frame.margin_bottom = 0
    fresh = frame.paragraphs[0]
    for block in said:
        for number, words in enumerate(block.lines, 1):
            paragraph, fresh = fresh or frame.add_paragraph(), None
            paragraph.space_after = Pt(size * 0.35)
            begin = {"ul": "•  ", "ol": f"{number}.  "}.get(block.kind, "")
            for span in (Span(begin), *words):
                if span.text:
                    run = paragraph.add_run()
                    run.text, run.font.size, run.font.color.rgb = span.text, Pt(size), colour
                    run.font.bold, run.font.italic = bold or span.style == Style.STRONG, span.style == Style.EMPHASIS


def _pages(found: Sequence[Block], room: int) -> Iterator[list[Block]]:
    """Blocks in portions that a slide has room for; a longer one is parted between its sentences or words."""
    page, used = list[Block](), 0
    for block in _parted(found, room):
        long = [sum(len(span.text) for span in words) for words in block.lines]
        size = sum(_ROW * (1 + each // _ROW) for each in long)
        if page and used + size > room:
            yield page
            page, used = [], 0
        page.append(block)
        used += size
    if page:
        yield page


def _parted(found: Sequence[Block], room: int) -> Iterator[Block]:
    """Lists item by item; paragraphs in pieces of at most half a slide."""
    for block in found:
        for number, words in enumerate(block.lines):
            kind = block.kind if block.kind != "ol" else "p"
            begin = (Span(f"{number + 1}.  "),) if block.kind == "ol" else ()
            piece, used = list[Span](begin), 0
            for span in words:
                for word in re.findall(r"\S+\s*|\s+", span.text):
                    if used > room // 2:
                        yield Block(kind, (tuple(piece),))
                        piece, used = [], 0
                    piece.append(Span(word, span.style))
                    used += len(word)
            yield Block(kind, (tuple(piece),))


def _noted(heading: str, text: str) -> list[Block]:
    return [Block("p", ((Span(heading, Style.STRONG),),)), *blocks(text)] if heading else blocks(text)


def _cut(said: Sequence[Block]) -> list[Block]:
    """What a column beside a film holds; all of it is in the notes."""
    return next(_pages(said, _FULL * 3 // 5), [])


def _one(text: str) -> Block:
    return Block("p", ((Span(line(text)),),))
