"""MIRCdocument: a zip that the submit service of RSNA's teaching file software (MIRC, TFS) takes.

One XML document whose root is MIRCdocument, and the pictures it names, all in one folder. The schema is that of the
article "The MIRCdocument Schema" (mircwiki.rsna.org); `mircdocument.rng` states the part of it that we write, and every
test export is checked against it. What receivers do with it was read in RSNA's own (MIRC2: SubmitService takes the zip
and sets the owner, IndexDocument.xsl reads who may read, MIRCdocument.xsl shows it).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from xml.etree import ElementTree as ET

from services.query.teaching.export import marks
from services.query.teaching.export.case import Case, Film, sex_word
from services.query.teaching.export.words import Block, Span, Style, blocks, clean, line, plain
from services.query.teaching.export.zipped import zipped

ICON = 64  # px wide, as the software's own
# Titles are also written into a script of the receiver's page, unescaped: what would end a string or the script there
# becomes a sign that looks alike.
_IN_SCRIPT = str.maketrans({'"': "”", "<": "‹", ">": "›", "\\": "∖"})


def mirc(case: Case) -> bytes:
    """The zip."""
    return zipped(_files(case))


def _files(case: Case) -> Iterable[tuple[str, bytes]]:
    root = _document(case)
    ET.indent(root, " ")
    yield "case.xml", ET.tostring(root, encoding="utf-8", xml_declaration=True)
    for film in case.films:
        yield f"{film.name}.jpg", film.jpeg
        yield f"{film.name}-icon.jpg", film.icon(ICON)
        if film.marks and film.changeable:
            yield f"{film.name}-marked.jpg", film.marked
        elif film.marks:
            yield f"{film.name}-marks.svg", _overlay(film)


def _document(case: Case) -> ET.Element:
    of = case.document
    root = ET.Element("MIRCdocument", {"display": "mstf"})
    _line(root, "title", _title(of.title))
    _line(root, "alternative-title", _title(case.unknown_title))
    for person in of.authors:
        author = ET.SubElement(root, "author")
        _line(author, "name", person.name)
        _line(author, "affiliation", person.affiliation)
        _line(author, "contact", person.contact)
    _prose(ET.SubElement(root, "abstract"), _first(of.diagnosis) + _first(of.findings))
    _prose(ET.SubElement(root, "alternative-abstract"), _first(of.history))
    _line(root, "keywords", ", ".join(of.keywords))
    for heading, text in (("History", of.history), *case.answer):
        if text:
            section = ET.SubElement(root, "section", {"heading": line(heading)})
            _prose(section, blocks(text))
            _shows(section, case, heading)
    if case.asked.quiz:
        _quiz(root, case)
    _pictures(root, case)
    credit = ET.SubElement(root, "section", {"heading": "Credits"})
    _prose(credit, [block for said in case.credits for block in _verbatim(said)])
    if of.references:
        listed = ET.SubElement(root, "references")
        for reference in of.references:
            _line(listed, "reference", plain(reference))
    _index(root, case)
    return root


def _pictures(root: ET.Element, case: Case) -> None:
    shown = ET.SubElement(root, "image-section", {"heading": "Images", "image-pane-width": "700"})
    for film in case.films:
        height, width = film.pixels.shape
        size = {"w": str(width), "h": str(height)}
        image = ET.SubElement(shown, "image", {"src": f"{film.name}.jpg", "width": str(width), **size})
        tall = max(1, round(ICON * height / width))
        icon = {"role": "icon", "src": f"{film.name}-icon.jpg", "w": str(ICON), "h": str(tall)}
        ET.SubElement(image, "alternative-image", icon)
        if film.marks:
            kind, name = ("image", "marked.jpg") if film.changeable else ("svg", "marks.svg")
            drawn = {"role": "annotation", "type": kind, "src": f"{film.name}-{name}"}
            ET.SubElement(image, "alternative-image", drawn)
        _line(image, "modality", film.modality)
        _line(image, "image-caption", " · ".join((film.title, film.credit))).set("display", "always")
        told = [f"{heading}: {plain(text)}" if heading else plain(text) for heading, text in film.notes]
        _line(image, "image-caption", " ".join([film.about, *told])).set("display", "click")


def _quiz(root: ET.Element, case: Case) -> None:
    """The case as a question with the diagnosis among its differentials, in the order of the alphabet."""
    of = case.document
    right = line(plain(of.diagnosis))
    if not right:
        return
    section = ET.SubElement(root, "section", {"heading": "Quiz"})
    quiz = ET.SubElement(section, "quiz")
    _prose(ET.SubElement(quiz, "quiz-context"), blocks(of.history))
    question = ET.SubElement(quiz, "question")
    _prose(ET.SubElement(question, "question-body"), _verbatim("What is your diagnosis?"))
    offered = {text.casefold(): text for text in (*(line(plain(one)) for one in of.differential), right)}
    for key in sorted(offered):
        answer = ET.SubElement(question, "answer")
        _prose(ET.SubElement(answer, "answer-body"), _verbatim(offered[key]))
        said = "Yes." if key == right.casefold() else f"No: {right}."
        _prose(ET.SubElement(answer, "response"), _verbatim(said))


def _index(root: ET.Element, case: Case) -> None:
    """What receivers file it under; shown nowhere."""
    of = case.document
    _line(root, "document-type", "Radiologic Teaching File")
    filed = {
        "history": of.history, "findings": of.findings, "diagnosis": of.diagnosis,
        "differential-diagnosis": "; ".join(of.differential), "discussion": of.discussion, "anatomy": of.anatomy,
        "pathology": of.pathology, "organ-system": of.organ_system, "modality": of.modality, "category": of.category,
        "level": of.level,
    }  # fmt: skip
    for name, text in filed.items():
        _line(root, name, plain(text))
    for films in case.persons:
        _patient(root, films[0])
    _line(root, "rights", of.rights)
    _line(root, "publication-date", case.published)
    who = ET.SubElement(root, "authorization")
    _line(who, "owner", _names([case.owner]), empty=True)
    for name, people in (("read", case.read), ("update", case.update), ("export", case.export)):
        _line(who, name, "*" if "*" in people else ",".join(f"[{one}]" for one in _users(people)), empty=True)


def _patient(root: ET.Element, film: Film) -> None:
    """Sex and age; no name and no number."""
    if not film.sex and film.age is None:
        return
    patient = ET.SubElement(root, "patient")
    if film.age is not None:
        age = ET.SubElement(patient, "pt-age")
        unit, count = ("months", film.age * 12) if film.age < 2 else ("years", film.age)
        _line(age, unit, f"{int(count)}")
    _line(patient, "pt-sex", sex_word(film.sex))


def _shows(section: ET.Element, case: Case, heading: str) -> None:
    """Buttons that show a section's own pictures."""
    keys = {one.key for one in case.document.sections if (one.heading or "More") == heading}
    if places := [place for place, film in enumerate(case.films, 1) if film.section and film.section in keys]:
        paragraph = ET.SubElement(section, "p")
        for place in places:
            ET.SubElement(paragraph, "show", {"image": str(place)})


def _overlay(film: Film) -> bytes:
    """The marks over the untouched picture, for licences that let nobody change it."""
    height, width = film.pixels.shape
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">'
    picture = f'<image href="{film.name}.jpg" width="{width}" height="{height}"/>'
    return (head + picture + marks.svg(film.marks, width, height) + "</svg>").encode()


def _prose(into: ET.Element, found: Sequence[Block]) -> None:
    """Paragraphs and lists as the schema's HTML."""
    for block in found:
        holder = ET.SubElement(into, block.kind)
        for words in block.lines:
            item = holder if block.kind == "p" else ET.SubElement(holder, "li")
            _spans(item, words)


def _spans(item: ET.Element, words: Sequence[Span]) -> None:
    last: ET.Element | None = None
    for span in words:
        text, style = span.text, span.style
        if style != Style.PLAIN:
            last = ET.SubElement(item, "b" if style == Style.STRONG else "i")
            last.text = text
        elif last is None:
            item.text = (item.text or "") + text
        else:
            last.tail = (last.tail or "") + text


def _verbatim(text: str) -> list[Block]:
    """One paragraph in which nothing is taken for a mark of style."""
    return [Block("p", ((Span(line(text)),),))]


def _first(text: str) -> list[Block]:
    return blocks(text)[:1]


def _title(text: str) -> str:
    return line(text).translate(_IN_SCRIPT)


def _line(into: ET.Element, name: str, text: str, empty: bool = False) -> ET.Element:
    """A child with this text; none where there is no text, unless it may be `empty`."""
    kept = clean(text)
    child = ET.SubElement(into, name) if kept or empty else ET.Element(name)
    child.text = kept
    return child


def _users(people: Iterable[str]) -> list[str]:
    """Names as the receiver's lists hold them, parted by commas and in brackets: without any of these."""
    return [name for one in people if (name := "".join(c for c in line(one) if c not in ",;[]* "))]


def _names(people: Iterable[str]) -> str:
    return ",".join(_users(people))
