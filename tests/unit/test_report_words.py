"""The language of reports: sentences, denial, BM25; on made-up sentences, phantoms and the real texts of Open-i."""

from __future__ import annotations

import math
import tarfile
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from services.core.store import VectorStore
from services.core.store.reports import WORDS
from services.core.text import bm25
from services.core.text.meaning import WHOLE_WORDS, pieces, together
from services.core.text.negation import denied
from services.core.text.sentences import sentences
from services.core.types import ReportKey
from services.phantom import phrases
from services.phantom.claims import Claim
from services.phantom.sentences import statement
from services.phantom.truth import FINDINGS, SIDED

OPEN_I = 1_500  # reports: as many as are quick to index


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Heart is normal. No effusion.", ["Heart is normal.", "No effusion."]),
        ("1. No change.\n2. Nodule of 1.5 cm.", ["1. No change.", "2. Nodule of 1.5 cm."]),
        ("A broken\nline goes on.\n\nA new block", ["A broken line goes on.", "A new block"]),
        ("Seen by Dr. No vs. a prior film; stable.", ["Seen by Dr. No vs. a prior film;", "stable."]),
        (" . \n\n - ", []),
    ],
)
def test_sentences(text: str, found: list[str]) -> None:
    assert sentences(text) == found


@pytest.mark.parametrize(
    ("sentence", "words"),
    [
        ("No effusion, but a small pneumothorax.", "effusion"),
        ("No edema, effusion, or pneumothorax", "edema effusion or pneumothorax"),
        ("No edema, small effusion", "edema"),
        ("No effusion and a large pneumothorax", "effusion"),
        ("The heart is not enlarged, effusion on the left", "enlarged"),
        ("Pneumothorax is not seen", "pneumothorax is"),
        ("Effusion on the left; pneumothorax has resolved", "pneumothorax has"),
        ("No change in the effusion", ""),
        ("Effusion cannot be excluded", ""),
        ("Effusion is not excluded", ""),
        ("Possible effusion without pneumothorax", "pneumothorax"),
        ("Negative for effusion", "for effusion"),
        ("Clear of edema; there is a nodule", "of edema"),
    ],
)
def test_what_is_denied(sentence: str, words: str) -> None:
    assert " ".join(word for word, no in denied(sentence) if no) == words


def test_denial_on_phantoms() -> None:
    """Of 1,500 statements with a known polarity, in all the wordings of phantom reports."""
    rng, wrong, count = np.random.default_rng(3), Counter[bool](), Counter[bool]()
    for _ in range(1_500):
        finding = FINDINGS[int(rng.integers(len(FINDINGS)))]
        side = ("", "left", "right")[int(rng.integers(3))] if finding in SIDED else ""
        present = bool(rng.random() < 0.5)
        text = statement(rng, Claim(finding, side, present=present)).words
        noun = next((n for n in sorted(phrases.NOUNS[finding], key=len, reverse=True) if n in text.lower()), None)
        if noun is not None:  # not put in other words altogether
            count[present] += 1
            wrong[present] += dict(denied(text))[noun.replace("-", " ").split()[-1]] == present
    assert min(count.values()) > 600
    assert wrong[True] == 0 and wrong[False] / count[False] < 0.01, wrong


def test_words_are_stemmed_and_told_apart_by_polarity() -> None:
    assert bm25.terms("No pleural effusions, Café") == [("pleural", True), ("effus", True), ("cafe", False)]
    assert bm25.terms("XXXX of the and") == [] == bm25.question("of the").indices
    said, no = bm25.question("effusion"), bm25.question("no effusion")
    assert len(set(said.indices) & set(no.indices)) == 1 and sorted(said.values) == [bm25.ITSELF, 1.0]
    twice = bm25.document("effusion effusion", 2.0)
    assert twice.values == pytest.approx([2 * 2.2 / (2 + 1.2)] * 2)
    assert bm25.question("effusion").indices == [2_514_382_265, 313_038_862], "an archive's ids must stay"


def test_a_text_is_its_sentences_and_the_whole_where_it_is_short() -> None:
    assert pieces("One. Two.") == ["One.", "Two.", "One. Two."] and pieces("One.") == ["One."]
    assert len(pieces("A sentence of six words here. " * (WHOLE_WORDS // 6 + 1))) == WHOLE_WORDS // 6 + 1
    x, y, z = np.eye(3, dtype=np.float32)
    found = together("One. Two.", {"One.": 5 * x, "Two.": y, "One. Two.": z})
    assert found == pytest.approx(np.array([0.5, 0.5, math.sqrt(0.5)]), abs=1e-6)
    assert together("One. Two.", {"One.": x, "Two.": None}) == pytest.approx(x)
    assert together("One. Two.", {"One.": x, "Two.": -x}) is None and together("", {}) is None


@pytest.fixture(scope="module")
def open_i() -> dict[str, tuple[str, set[str]]]:
    """Id → findings and impression as one text, and the subjects that a librarian gave it."""
    spec = find_spec("torchxrayvision")
    path = Path(str(spec.origin)).parent / "data" / "NLMCXR_reports.tgz" if spec else Path("nowhere")
    if not path.exists():
        pytest.skip("the real texts are those of the torchxrayvision wheel, which is not installed")
    found = {}
    with tarfile.open(path) as archive:
        for member in (one for one in archive if one.name.endswith(".xml")):
            root = ElementTree.fromstring(archive.extractfile(member).read())  # type: ignore[union-attr]
            parts = {part.get("Label"): part.text or "" for part in root.iter("AbstractText")}
            subjects = {str(one.text).split("/")[0].lower() for one in root.iter("major")}
            found[member.name] = (f"{parts.get('FINDINGS', '')} {parts.get('IMPRESSION', '')}", subjects)
            if len(found) == OPEN_I:
                break
    return found


def test_on_real_texts_the_engine_ranks_as_bm25_does(
    store: VectorStore, open_i: dict[str, tuple[str, set[str]]]
) -> None:
    texts = {name: text for name, (text, _) in open_i.items() if bm25.terms(text)}
    mean = float(np.mean([len(bm25.terms(text)) for text in texts.values()]))
    store.ensure_reports(WORDS)
    keys = [ReportKey("open-i", name, "report") for name in texts]
    store.put_reports(WORDS, keys, [None] * len(keys), [bm25.document(text, mean) for text in texts.values()])
    asked = {
        "cardiomegaly": "cardiomegaly", "pleural effusion": "pleural effusion", "emphysema": "emphysema",
        "pneumothorax": "pneumothorax", "calcified granuloma": "calcified granuloma", "atelectasis": "atelectasis",
    }  # fmt: skip
    for subject, text in {**asked, "": "no acute disease in the left lung"}.items():
        [found] = store.find_reports(WORDS, [bm25.question(text)], 10)
        expected = _by_the_book(texts, text, mean)
        assert [one.score for one in found] == pytest.approx(sorted(expected.values(), reverse=True)[:10], rel=1e-3)
        assert all(one.score == pytest.approx(expected[one.key.study_id], rel=1e-3) for one in found)
        having = [name for name in texts if subject in open_i[name][1]]
        if subject and len(having) >= 10:
            right = sum(one.key.study_id in having for one in found) / len(found)
            assert right >= 0.7, (subject, right)


def _by_the_book(texts: dict[str, str], asked: str, mean: float) -> dict[str, float]:
    """BM25 as Robertson and Zaragoza write it, over words and over words as they are meant."""
    docs = {name: bm25.terms(text) for name, text in texts.items()}
    score = Counter[str]()
    for stem, no in dict.fromkeys(bm25.terms(asked)):
        for weight, counts in (
            (0.25, {name: sum(s == stem for s, _ in said) for name, said in docs.items()}),
            (1.0, {name: said.count((stem, no)) for name, said in docs.items()}),
        ):
            n = sum(count > 0 for count in counts.values())
            idf = math.log(1 + (len(docs) - n + 0.5) / (n + 0.5))
            for name, tf in counts.items():
                score[name] += weight * idf * tf * 2.2 / (tf + 1.2 * (0.25 + 0.75 * len(docs[name]) / mean))
    return score
