"""Documents of cases: bounded, canonical, and safe against what people paste; merging of edits."""

from __future__ import annotations

import dataclasses
import uuid

import pytest
from google.protobuf import json_format
from hypothesis import given, settings
from hypothesis import strategies as st

from hilum.v1 import teaching_pb2
from services.core.errors import ErrorCode, HilumError
from services.query.teaching import document as documents
from services.query.teaching.document import Document, canonical, parse, to_json
from services.query.teaching.merge import merge

FILMS = [str(uuid.UUID(int=number)) for number in range(1, 9)]


def case(**fields: object) -> Document:
    return parse({"title": "A case", **fields})


def shown(*films: int, **fields: object) -> dict[str, object]:
    return {"images": [{"image_id": FILMS[film], **fields} for film in films]}


def test_the_same_content_has_the_same_bytes() -> None:
    one = parse(
        {"title": "Effusion", "images": [{"image_id": FILMS[0].upper(), "caption": "a\r\nb"}], "keywords": ["x"]}
    )
    other = parse({"keywords": ["x"], "images": [{"caption": "a\nb", "image_id": FILMS[0]}], "title": " Effusion "})
    assert canonical(one) == canonical(other)
    assert parse(to_json(one)) == one
    assert parse(to_json(one)).images[0].key == one.images[0].key != ""


def test_messages_of_the_contract_have_the_same_fields() -> None:
    document = case(
        **shown(0, annotations=[{"kind": "circle", "points": [{"x": 0.5, "y": 0.25}], "radius": 0.1, "text": "here"}]),
        authors=[{"name": "A", "affiliation": "B", "contact": "C"}], differential=["x", "y"],
        sections=[{"key": "s", "heading": "More", "text": "…"}],
    )  # fmt: skip
    message = json_format.ParseDict(to_json(document), teaching_pb2.TeachingDocument())
    assert parse(json_format.MessageToDict(message, preserving_proto_field_name=True)) == document
    assert {one.name for one in dataclasses.fields(Document)} == set(
        teaching_pb2.TeachingDocument.DESCRIPTOR.fields_by_name
    )


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"title": "  \x00\u202e "},
        {"title": 7},
        {"title": "t", "history": ["no text"]},
        {"title": "t", "colour": "red"},
        {"title": "t", "__class__": "x"},
        {"title": "t", "images": {"image_id": FILMS[0]}},
        {"title": "t", "images": [{"caption": "no film"}]},
        {"title": "t", "images": [{"image_id": "../../etc/passwd"}]},
        {"title": "t", "images": [{"image_id": FILMS[0], "blob": "0" * 64}]},
        {"title": "t", "images": [{"blob": "../" + "0" * 61}]},
        {"title": "t", "images": [{"image_id": FILMS[0], "section": "nowhere"}]},
        {"title": "t", "images": [{"image_id": FILMS[0], "key": "a/b"}]},
        {"title": "t", "images": [{"image_id": FILMS[0], "key": "k"}, {"image_id": FILMS[1], "key": "k"}]},
        {"title": "t", **shown(0, annotations=[{"kind": "arrow", "points": [{"x": 0.1, "y": 0.1}]}])},
        {"title": "t", **shown(0, annotations=[{"kind": "text", "points": [{"x": 0.1, "y": 1.1}], "text": "x"}])},
        {"title": "t", **shown(0, annotations=[{"kind": "circle", "points": [{"x": 0.1, "y": 0.1}]}])},
        {"title": "t", **shown(0, annotations=[{"kind": "circle", "points": [{}], "radius": float("nan")}])},
        {"title": "t", **shown(0, annotations=[{"kind": "scribble", "points": [{}]}])},
    ],
)
def test_what_is_no_document_is_refused(told: dict[str, object]) -> None:
    with pytest.raises(HilumError) as refused:
        parse(told)
    assert refused.value.code is ErrorCode.INVALID_ARGUMENT


@pytest.mark.parametrize(
    "told",
    [
        {"title": "t" * 301},
        {"title": "t", "discussion": "d" * 40_001},
        {"title": "t", "keywords": ["k"] * 201},
        {"title": "t", **shown(*([0] * 201))},
        {"title": "t", "references": ["r" * 4_000] * 200, "discussion": "…" * 40_000, "findings": "…" * 40_000,
         "sections": [{"heading": "h", "text": "…" * 40_000}] * 3},
    ],
)  # fmt: skip
def test_what_is_too_large_is_refused(told: dict[str, object]) -> None:
    with pytest.raises(HilumError) as refused:
        parse(told)
    assert refused.value.code is ErrorCode.PAYLOAD_TOO_LARGE


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_kept_clean_and_comes_back_the_same(text: str) -> None:
    document = case(history=text, discussion=f"=cmd|'/c calc'!A1 <script>{text}</script>")
    again = parse(to_json(document))
    assert again == document and canonical(again).encode() == canonical(document).encode()
    assert not any(ord(sign) < 32 and sign not in "\n\t" for sign in document.history)
    assert "<script>" in document.discussion  # text is text; whoever shows it escapes it


# -- merging ----------------------------------------------------------------------------------------------------------


BASE = case(
    history="h", findings="f", keywords=["a", "b"], sections=[{"key": "s", "heading": "S", "text": "t"}],
    images=[{"image_id": one, "key": f"k{number}"} for number, one in enumerate(FILMS[:4])],
)  # fmt: skip


def edit(document: Document, **fields: object) -> Document:
    return parse({**to_json(document), **fields})


def picture(document: Document, number: int, **fields: object) -> Document:
    told = to_json(document)
    told["images"][number] |= fields
    return parse(told)


def test_edits_of_different_fields_become_one() -> None:
    mine = picture(edit(BASE, history="mine", keywords=["a", "b", "c"]), 0, caption="mine")
    theirs = picture(picture(edit(BASE, findings="theirs", keywords=["b", "d"]), 0, why="theirs"), 1, caption="theirs")
    merged = merge(BASE, mine, theirs)
    assert merged.conflicts == ()
    found = merged.document
    assert (found.history, found.findings) == ("mine", "theirs")
    assert set(found.keywords) == {"b", "c", "d"}
    assert (found.images[0].caption, found.images[0].why, found.images[1].caption) == ("mine", "theirs", "theirs")


def test_pictures_are_added_moved_and_taken_out_together() -> None:
    told = to_json(BASE)
    mine = parse({**told, "images": [*told["images"], {"image_id": FILMS[5]}]})
    theirs = parse({**told, "images": [{"image_id": FILMS[6]}, *told["images"][:1], *told["images"][2:]]})
    merged = merge(BASE, mine, theirs)
    assert merged.conflicts == ()
    assert merged.document.films == [FILMS[6], FILMS[0], FILMS[2], FILMS[3], FILMS[5]]
    turned = parse({**told, "images": told["images"][::-1]})
    both = merge(BASE, mine, turned)
    assert both.conflicts == () and set(both.document.films) == {*FILMS[:4], FILMS[5]}
    assert [film for film in both.document.films if film != FILMS[5]] == FILMS[3::-1]


@pytest.mark.parametrize(
    ("mine", "theirs", "where"),
    [
        (edit(BASE, history="one"), edit(BASE, history="two"), "history"),
        (picture(BASE, 1, caption="one"), picture(BASE, 1, caption="two"), "images.caption"),
        (edit(BASE, images=to_json(BASE)["images"][:3]), picture(BASE, 3, caption="x"), "images"),
        (edit(BASE, images=to_json(BASE)["images"][::-1]),
         edit(BASE, images=[to_json(BASE)["images"][n] for n in (1, 0, 2, 3)]), "images: their order"),
        (edit(BASE, sections=[]), picture(BASE, 0, section="s"), "sections"),
    ],
)  # fmt: skip
def test_edits_that_overlap_are_no_merge(mine: Document, theirs: Document, where: str) -> None:
    assert merge(BASE, mine, theirs).conflicts == (where,)
    assert merge(BASE, mine, mine).conflicts == () and merge(BASE, mine, mine).document == mine


_FIELDS = st.sampled_from(["history", "findings", "diagnosis", "discussion", "anatomy"])
_EDITS = st.dictionaries(_FIELDS, st.text("ab", max_size=3), max_size=4)
_ORDERS = st.permutations(range(4)).flatmap(lambda order: st.integers(1, 4).map(lambda size: list(order)[:size]))


@settings(max_examples=200, deadline=None)
@given(_EDITS, _EDITS, _ORDERS, _ORDERS)
def test_merging_is_fair_and_loses_nothing(
    ours: dict[str, str], other: dict[str, str], mine_order: list[int], their_order: list[int]
) -> None:
    pictures = to_json(BASE)["images"]
    mine = edit(BASE, **ours, images=[pictures[n] for n in mine_order])
    theirs = edit(BASE, **other, images=[pictures[n] for n in their_order])
    one, two = merge(BASE, mine, theirs), merge(BASE, theirs, mine)
    assert set(one.conflicts) == set(two.conflicts)
    if not one.conflicts:
        assert set(one.document.films) == set(two.document.films)
        for name in ("history", "findings", "diagnosis", "discussion", "anatomy"):
            wanted = {getattr(each, name) for each in (mine, theirs)} - {getattr(BASE, name)}
            assert getattr(one.document, name) in (wanted or {getattr(BASE, name)})
        assert set(one.document.films) == set(mine.films) & set(theirs.films)


def test_words_are_those_that_can_be_read() -> None:
    said = documents.words(case(**shown(0, caption="Straße"), diagnosis="ÉPANCHEMENT", rights="CC BY"))
    assert "strasse" in said and "épanchement" in said and FILMS[0] not in said
