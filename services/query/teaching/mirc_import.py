"""MIRCdocument → draft: RSNA's XML for teaching files, alone or zipped with its pictures.

    found = read_mirc(data, encode.pictures)
    files.create(user, access, found.document, pictures=found.pictures)

The schema is that of "The MIRCdocument Schema" (mircwiki.rsna.org). Texts are kept as they came, so whatever they say
of a patient stands in the draft, and a note says so; elements that are made for naming patients (patient, phi) are
left out. Pictures are decoded as uploads are; an address on the network is never followed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

from services.core.errors import ErrorCode, HilumError, invalid
from services.core.limits import MAX_UPLOAD_BYTES
from services.query.teaching import document as documents
from services.query.teaching.document import LINE, MOST_IMAGES, MOST_LINES, NOTE, TEXT, Document
from services.query.teaching.unpack import Unpacked, within
from services.query.teaching.xml_safe import read_xml

AS_IT_CAME = (
    "texts and pictures are as they came: read them for names, dates and numbers of patients before anybody else sees "
    "the file"
)
_TEXTS = {"history": TEXT, "findings": TEXT, "diagnosis": NOTE, "discussion": TEXT, "rights": NOTE}
_LINES = ("anatomy", "pathology", "organ-system", "modality", "category", "level")
_HEADINGS = {
    "history": "history", "clinicalhistory": "history", "findings": "findings", "imagingfindings": "findings",
    "diagnosis": "diagnosis", "finaldiagnosis": "diagnosis", "discussion": "discussion",
    "differentialdiagnosis": "differential", "differential": "differential", "ddx": "differential",
}  # fmt: skip
_NAMING = ("patient", "phi")
_UNREAD = (*_NAMING, "quiz", "image", "alternative-image", "show", "metadata-refs", "image-caption", "insert-image")
_BLOCKS = ("p", "div", "center", "tr", "h1", "h2", "h3", "h4", "ul", "ol", "blockquote", "text-caption", "block")

Read = Callable[[Sequence[bytes]], Sequence[bytes | HilumError]]


@dataclass(frozen=True, slots=True)
class Imported:
    """pictures: what the document names by sha256.  notes: what was left out, and what to look at."""

    document: Document
    pictures: tuple[bytes, ...]
    notes: tuple[str, ...]


def read_mirc(data: bytes, read: Read) -> Imported:
    """A MIRCdocument as a draft. read: files → pictures to keep, or why not, as uploads are read.

    Raises INVALID_ARGUMENT for what is none, PAYLOAD_TOO_LARGE.
    """
    archive = Unpacked(data)
    name, root = _root(archive)
    reading = _Reading(archive, name.rpartition("/")[0], read)
    return reading.imported(root)


def _root(archive: Unpacked) -> tuple[str, Element]:
    """The one MIRCdocument: that nearest to the top."""
    names = [name for name in archive.names if not name or name.lower().endswith(".xml")]
    found = []
    for name in sorted(names, key=lambda name: (name.count("/"), name)):
        text = archive.read(name)
        if text is not None and (not name or b"MIRCdocument" in text or b"\0M\0I\0R\0C" in text):
            root = read_xml(text)
            if root.tag == "mircdocument":
                found.append((name, root))
    if not found:
        raise invalid("there is no MIRCdocument in it; send its XML, or a zip with it and its pictures")
    if len(found) > 1:
        raise invalid("there is more than one MIRCdocument in it; import one at a time")
    return found[0]


@dataclass(slots=True)
class _Reading:
    archive: Unpacked
    folder: str
    read: Read
    notes: list[str] = field(default_factory=list)

    def imported(self, root: Element) -> Imported:
        told: dict[str, object] = {
            "title": self._cut("title", _line(root.find("title")), LINE) or "Imported case",
            "alternative_title": self._cut("alternative title", _line(root.find("alternative-title")), LINE),
            "keywords": [one.strip() for one in re.split(r"[,;\n]", _line(root.find("keywords")))][:MOST_LINES],
            "authors": list(map(self._author, root.findall("author")))[:50],
            "references": [
                self._cut("a reference", _line(one), NOTE) for one in root.findall("references/reference")
            ][:MOST_LINES],
            "origin": "Imported from a MIRCdocument.",
        }  # fmt: skip
        images, shown = self._images(root)
        told["sections"] = self._sections(root, told, images, shown)
        for name, most in _TEXTS.items():
            told.setdefault(name, self._cut(name, _text(root.find(name)), most))
        for name in _LINES:
            told[name.replace("-", "_")] = self._cut(name, _line(root.find(name)), LINE)
        self._abstract(root, told)
        if "differential" not in told:
            told["differential"] = re.split(r"[;\n]", _text(root.find("differential-diagnosis")))[:MOST_LINES]
        pictures, told["images"] = self._decoded(images)
        if any(True for name in _NAMING for _ in root.iter(name)):
            self.notes.append("what the document says of its patient was left out")
        if next(root.iter("quiz"), None) is not None:
            self.notes.append("its quiz was left out: every case can be shown as an unknown")
        if any(one.get("role") == "annotation" for one in root.iter("alternative-image")):
            self.notes.append("pictures with marks drawn into them were left out; those without were taken")
        return Imported(documents.parse(told), pictures, (AS_IT_CAME, *dict.fromkeys(self.notes)))

    def _sections(
        self, root: Element, told: dict[str, object], images: list[dict[str, str]], shown: dict[int, int]
    ) -> list[dict[str, str]]:
        """Sections under known headings become the fields of that name; others stay sections."""
        found: list[dict[str, str]] = []
        for section in root.findall("section"):
            heading, text = _plain(section.get("heading", "")), _text(section)
            name = _HEADINGS.get(re.sub(r"[^a-z]", "", heading.lower()), "")
            if name == "differential" and name not in told and text:
                lines = [line.removeprefix("- ").strip() for line in text.split("\n")]
                told[name] = [self._cut(name, line, NOTE) for line in lines][:MOST_LINES]
            elif name and name not in told and name != "differential" and text:
                told[name] = self._cut(name, text, _TEXTS[name])
            elif text or self._own(section, images, shown):
                key = f"s{len(found) + 1}"
                found.append({
                    "key": key, "heading": self._cut("a heading", heading, LINE), "text": self._cut(heading, text, TEXT)
                })  # fmt: skip
                for number in self._own(section, images, shown):
                    images[number]["section"] = key
        return found[:99]  # and one for the abstract

    def _abstract(self, root: Element, told: dict[str, object]) -> None:
        """As a section, where it says more than the rest."""
        text, rest = _text(root.find("abstract")), _line(root)
        lines = [line.removeprefix("- ").strip("* ") for line in text.split("\n")]
        if text and any(rest.count(" ".join(line.split())) < 2 for line in lines if line):
            sections: list[dict[str, str]] = told["sections"]  # type: ignore[assignment]
            sections.insert(0, {"key": "abstract", "heading": "Abstract", "text": self._cut("abstract", text, TEXT)})

    @staticmethod
    def _own(section: Element, images: list[dict[str, str]], shown: dict[int, int]) -> list[int]:
        """Which pictures a section shows: those within it, and those of the image section that it calls by number."""
        called = [one.get("image", "") for one in section.iter("show")]
        numbers = {shown[int(number)] for number in called if number.isdigit() and int(number) in shown}
        inside = {_plain(one.get("src", "")) for one in section.iter("image")} - {""}
        return sorted(numbers | {number for number, one in enumerate(images) if one["src"] in inside})

    def _images(self, root: Element) -> tuple[list[dict[str, str]], dict[int, int]]:
        """Every picture once, in order; and number in the image section → place in that order."""
        found: list[dict[str, str]] = []
        places: dict[str, int] = {}
        panel = {id(one) for part in root.findall("image-section") for one in part.iter("image")}
        shown: dict[int, int] = {}
        for image in root.iter("image"):
            source = _plain(image.get("src", "") or image.get("href", ""))
            if not source:
                continue
            if source not in places:
                others = [one for one in image.iter("alternative-image") if one.get("role") == "original-format"]
                captions = [_line(one) for one in image.iter("image-caption")]
                places[source] = len(found)
                found.append({
                    "src": source, "original": _plain(others[0].get("src", "")) if others else "",
                    "caption": self._cut("a caption", "\n".join(filter(None, captions)), NOTE),
                })  # fmt: skip
            if id(image) in panel:
                shown[len(shown) + 1] = places[source]
        if len(found) > MOST_IMAGES:
            self.notes.append(f"of {len(found)} pictures the first {MOST_IMAGES} were taken")
        return found[:MOST_IMAGES], {number: place for number, place in shown.items() if place < MOST_IMAGES}

    def _decoded(self, images: list[dict[str, str]]) -> tuple[tuple[bytes, ...], list[dict[str, str]]]:
        kept: dict[str, bytes] = {}
        told = []
        for number, image in enumerate(images, 1):
            picture = self._picture(image, number)
            if picture is not None:
                digest = hashlib.sha256(picture).hexdigest()
                kept[digest] = picture
                told.append({"blob": digest, "caption": image["caption"], "section": image.get("section", "")})
        return tuple(kept.values()), told

    def _picture(self, image: dict[str, str], number: int) -> bytes | None:
        """As it is shown, or as it was made where that cannot be read."""
        why = ""
        for source in (image["src"], image["original"]):
            if not source:
                continue
            if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:|//", source):
                why = why or "it lies at an address on the network, which is not followed"
                continue
            data = self.archive.read(name) if (name := within(self.folder, source)) else None
            if not data or len(data) > MAX_UPLOAD_BYTES:
                why = why or "the file has no such picture"
                continue
            (found,) = self.read([data])
            if not isinstance(found, HilumError):
                return found
            if found.code in (ErrorCode.UNAVAILABLE, ErrorCode.CANCELLED, ErrorCode.RESOURCE_EXHAUSTED):
                raise found
            why = why or found.client_message
        self.notes.append(f"picture {number} was left out: {why}")
        return None

    def _author(self, one: Element) -> dict[str, str]:
        name = _line(one.find("name")) or _plain(one.text or "")
        told = {"name": name, "affiliation": _line(one.find("affiliation")), "contact": _line(one.find("contact"))}
        return {key: self._cut("an author", text, LINE) for key, text in told.items()}

    def _cut(self, what: str, text: str, most: int) -> str:
        if len(text) > most:
            self.notes.append(f"{what or 'a section'} was cut at {most} characters")
        return text[:most]


def _line(element: Element | None) -> str:
    return " ".join(_text(element).split())


def _plain(text: str) -> str:
    return " ".join(documents.clean(text).split())


def _text(element: Element | None) -> str:
    """Paragraphs and lists as lines; b and i as the small Markdown that texts may have."""
    if element is None:
        return ""
    parts: list[str] = []
    _walk(element, parts)
    lines = [" ".join(line.split()) for line in "".join(parts).split("\n")]
    return re.sub(r"\n{3,}", "\n\n", documents.clean("\n".join(lines)))


def _walk(element: Element, parts: list[str]) -> None:
    mark = {"b": "**", "strong": "**", "i": "*", "em": "*"}.get(element.tag, "")
    around = "\n\n" if element.tag in _BLOCKS else ""
    parts.append(around + ("\n- " if element.tag == "li" else "") + ("\n" if element.tag == "br" else ""))
    inner = [re.sub(r"\s+", " ", element.text or "")]
    for child in element:
        if child.tag not in _UNREAD:
            _walk(child, inner)
        inner.append(re.sub(r"\s+", " ", child.tail or ""))
        if child.tag in ("td", "th"):
            inner.append(" | ")
    text = "".join(inner)
    parts.append(f"{mark}{text.strip()}{mark}" if mark and text.strip() else text)
    parts.append(around)
