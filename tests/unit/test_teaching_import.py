"""MIRCdocuments from strangers: read as they are meant, decoded as uploads are, and nothing else done with them."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from PIL import Image

from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts
from services.encoders.registry import Registry
from services.ingest.decode_pool import DecodePool
from services.ingest.encode_api import EncodeApi
from services.query.teaching import mirc_import, unpack
from services.query.teaching.mirc_import import AS_IT_CAME, Imported, read_mirc
from services.transport.encode_client import EncodeClient
from tests.kit.archive import png, spot
from tests.kit.films import ramp, stored_bytes

CASE = """<?xml version="1.0" encoding="UTF-8"?>
<MIRCdocument display="mstf">
  <title>Large   effusion &amp; more</title><alternative-title>A breathless man</alternative-title>
  <author><name>Ada</name><affiliation>Here</affiliation><contact>ada@example.org</contact></author>
  <author>Ben Old</author>
  <abstract><p>A case of fluid.</p></abstract>
  <keywords>effusion, pleura; chest</keywords>
  <patient><pt-name>CANARY^NAME</pt-name><pt-id>CANARY-4711</pt-id></patient>
  <section heading="History"><p>Dyspnoea for <b>two</b> weeks.</p><p>Smoker.</p><phi>CANARY-PHI</phi></section>
  <section heading="FINDINGS"><ul><li>Meniscus</li><li>Shift</li></ul></section>
  <section heading="Differential Diagnosis"><ol><li>Collapse</li><li>Mass</li></ol></section>
  <section heading="Teaching points"><p>Look at the angle.</p><show image="2"/>
    <quiz><question>What is it? CANARY-QUIZ</question></quiz></section>
  <image-section heading="Images">
    <image src="films/a.png"><image-caption display="always">PA</image-caption>
      <alternative-image role="annotation" type="image" src="films/marked.png"/></image>
    <image src="films/b.gif"><alternative-image role="original-format" src="films/b.dcm"/></image>
    <image src="http://192.0.2.1/c.png"/><image src="../../../etc/passwd"/><image src="C:\\\\secret.png"/>
    <image src="films/missing.png"/><image src="films/text.png"/>
  </image-section>
  <references><reference>Light 2002</reference></references>
  <diagnosis>Pleural effusion</diagnosis><anatomy>Pleura</anatomy><organ-system>Respiratory</organ-system>
  <level>Primary</level><rights>CC BY 4.0</rights>
</MIRCdocument>"""


@pytest.fixture(scope="module")
def pool() -> Iterator[DecodePool]:
    running = DecodePool(1)
    yield running
    running.close()


@pytest.fixture
def read(facts: Facts, pool: DecodePool) -> Iterator[mirc_import.Read]:
    """Pictures as the service reads them: by the Encode RPC, in a decoder's own process."""
    api = EncodeApi(facts, Registry({}), pool)
    yield EncodeClient.local(api).pictures
    api.close()


def zipped(**files: bytes | str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def whole() -> dict[str, bytes | str]:
    gif = io.BytesIO()
    Image.fromarray(spot(0.5, 0.5)).save(gif, "GIF")
    return {
        "case/case.xml": CASE, "case/films/a.png": png(spot(0.3, 0.3)), "case/films/b.gif": gif.getvalue(),
        "case/films/b.dcm": stored_bytes(ramp()), "case/films/marked.png": png(spot(0.1, 0.1)),
        "case/films/text.png": b"no picture", "../../evil.png": png(spot(0.2, 0.2)), "/abs.png": b"x",
        "__MACOSX/case/._case.xml": b"\x00\x05",
    }  # fmt: skip


def test_a_case_is_read_as_it_is_meant(read: mirc_import.Read) -> None:
    found = read_mirc(zipped(**whole()), read)
    of = found.document
    assert (of.title, of.alternative_title) == ("Large effusion & more", "A breathless man")
    assert [(one.name, one.contact) for one in of.authors] == [("Ada", "ada@example.org"), ("Ben Old", "")]
    assert of.history == "Dyspnoea for **two** weeks.\n\nSmoker."
    assert of.findings == "- Meniscus\n- Shift" and of.differential == ("Collapse", "Mass")
    assert (of.diagnosis, of.anatomy, of.organ_system, of.level) == (
        "Pleural effusion", "Pleura", "Respiratory", "Primary",
    )  # fmt: skip
    assert of.keywords == ("effusion", "pleura", "chest") and of.references == ("Light 2002",)
    assert [(one.heading, one.text) for one in of.sections] == [
        ("Abstract", "A case of fluid."), ("Teaching points", "Look at the angle."),
    ]  # fmt: skip
    assert [(one.caption, one.section) for one in of.images] == [("PA", ""), ("", of.sections[1].key)]
    for picture, of_film in zip(found.pictures, (spot(0.3, 0.3), None), strict=True):
        image = Image.open(io.BytesIO(picture))
        assert image.format == "JPEG" and max(image.size) <= 512 and not image.getexif()
        if of_film is not None:
            assert abs(np.asarray(image.convert("L"), float) - of_film).mean() < 3
    assert "CANARY" not in str(of)
    assert found.notes[0] == AS_IT_CAME
    left_out = [note for note in found.notes if "left out" in note]
    assert [note.split()[1] for note in left_out if note.startswith("picture ")] == ["3", "4", "5", "6", "7"]
    assert "network" in left_out[0] and any("patient was left out" in note for note in found.notes)


def test_alone_it_is_xml_in_any_encoding(read: mirc_import.Read) -> None:
    told = '<?xml version="1.0" encoding="UTF-16"?><MIRCdocument><title>Größe ↑</title></MIRCdocument>'
    assert read_mirc(told.encode("utf-16"), read).document.title == "Größe ↑"
    assert read_mirc(b"<MIRCdocument><section heading='x'/></MIRCdocument>", read).document.title == "Imported case"
    spaced = b'<m:MIRCdocument xmlns:m="urn:x"><m:title>T</m:title></m:MIRCdocument>'
    assert read_mirc(spaced, read).document.title == "T"


LAUGHS = '<!DOCTYPE d [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;">]><MIRCdocument><title>&b;</title></MIRCdocument>'
OUTSIDE = '<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]><MIRCdocument><title>&x;</title></MIRCdocument>'


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", ErrorCode.INVALID_ARGUMENT),
        (b"PK\x03\x04 no zip", ErrorCode.INVALID_ARGUMENT),
        (zipped(**{"a.txt": "x"}), ErrorCode.INVALID_ARGUMENT),
        (zipped(**{"a.xml": "<MIRCdocument>"}), ErrorCode.INVALID_ARGUMENT),
        (zipped(**{"a.xml": "<MIRCdocument/>", "b.xml": "<MIRCdocument/>"}), ErrorCode.INVALID_ARGUMENT),
        (b"<html><body>MIRCdocument</body></html>", ErrorCode.INVALID_ARGUMENT),
        (LAUGHS.encode(), ErrorCode.INVALID_ARGUMENT),
        (OUTSIDE.encode(), ErrorCode.INVALID_ARGUMENT),
        (b"<!DOCTYPE d SYSTEM 'http://192.0.2.1/d.dtd'><MIRCdocument/>", ErrorCode.INVALID_ARGUMENT),
        (b"<?xml version='1.0' encoding='nonsense'?><MIRCdocument/>", ErrorCode.INVALID_ARGUMENT),
        (b"<MIRCdocument>" + b"<p>" * 100 + b"</p>" * 100 + b"</MIRCdocument>", ErrorCode.PAYLOAD_TOO_LARGE),
        (b"<MIRCdocument>" + b"<p/>" * 50_001 + b"</MIRCdocument>", ErrorCode.PAYLOAD_TOO_LARGE),
        (b"<MIRCdocument>" + b" " * 8 * 2**20 + b"</MIRCdocument>", ErrorCode.PAYLOAD_TOO_LARGE),
        (zipped(**{f"{n}": "" for n in range(2_001)}), ErrorCode.PAYLOAD_TOO_LARGE),
    ],
)
def test_what_is_no_case_or_a_trap_is_refused(data: bytes, code: ErrorCode, read: mirc_import.Read) -> None:
    with pytest.raises(HilumError) as refused:
        read_mirc(data, read)
    assert refused.value.code is code and "passwd" not in str(refused.value)


def test_bombs_are_not_unpacked(read: mirc_import.Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpack, "MAX_UPLOAD_BYTES", 2**20)
    xml = '<MIRCdocument><image src="bomb.png"/></MIRCdocument>'
    bomb = zipped(**{"case.xml": xml, "bomb.png": b"\0" * 2**22})
    assert len(bomb) < 2**14
    with pytest.raises(HilumError) as refused:
        read_mirc(bomb, read)
    assert refused.value.code is ErrorCode.PAYLOAD_TOO_LARGE
    monkeypatch.setattr(unpack, "_MOST_BYTES", 2**20)
    images = "".join(f'<image src="{n}.png"/>' for n in range(9))
    many = zipped(
        **{"case.xml": f"<MIRCdocument>{images}</MIRCdocument>"}, **{f"{n}.png": b"\0" * 2**18 for n in range(9)}
    )
    with pytest.raises(HilumError) as refused:
        read_mirc(many, read)
    assert refused.value.code is ErrorCode.PAYLOAD_TOO_LARGE


def test_a_picture_too_large_to_decode_is_left_out(read: mirc_import.Read) -> None:
    small = png(spot(0.5, 0.5))
    header = b"IHDR" + struct.pack(">II", 30_000, 30_000) + small[24:29]
    huge = small[:12] + header + struct.pack(">I", zlib.crc32(header)) + small[33:]
    found = read_mirc(zipped(**{"c.xml": '<MIRCdocument><image src="h.png"/></MIRCdocument>', "h.png": huge}), read)
    assert found.pictures == () and any("picture 1 was left out" in note for note in found.notes)


def test_long_texts_are_cut_and_that_is_said() -> None:
    long = f"<MIRCdocument><title>{'t' * 400}</title><discussion>{'d' * 50_000}</discussion></MIRCdocument>"
    found: Imported = read_mirc(long.encode(), _nothing)
    assert (len(found.document.title), len(found.document.discussion)) == (300, 40_000)
    assert any("discussion was cut" in note for note in found.notes)


def test_names_stay_within_their_zip() -> None:
    for name in ("../x", "a/../../x", "/x", "\\\\host\\x", "C:/x", "a\0b", "..", "http://x"):
        assert unpack.within("", name) == ""
    assert unpack.within("case", "../shared/a.png") == "shared/a.png"
    assert unpack.within("case", "films\\a.png") == "case/films/a.png"


def _nothing(films: Sequence[bytes]) -> list[bytes | HilumError]:
    return list(films)
