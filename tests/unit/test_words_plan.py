"""How understood words become a vector, and what that gains: on phantoms, and on real reports."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest

from benchmarks.bench_words import Films, compare, drawn, open_i, own_films, questions, read_reports, towers
from hilum.v1.encode_pb2 import EncodePromptsRequest, Prompt
from services.core.errors import ErrorCode, HilumError
from services.core.facts import open_facts
from services.encoders.bundled import CLIP
from services.encoders.prompts import direction, ensemble
from services.encoders.registry import Registry
from services.ingest.decode_pool import DecodePool
from services.ingest.encode_api import EncodeApi
from services.ingest.zero_shot import wanted
from services.query.words import Part, WordsPlan, plain, understood
from services.transport.encode_client import EncodeClient

FRESH_SEED = 626_262  # of no training, and not of the films on which the weights were chosen


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("left effusion", {"left effusion": 1}),
        ("zebra", {"zebra": 1}),
        ("no effusion", {"pleural effusion": -1}),
        ("no pacemaker", {"pacemaker": -1}),
        ("effusion without pneumothorax", {"effusion": 1, "pneumothorax": -0.25}),
        ("effusion without pneumothorax or edema", {"effusion": 1, "pneumothorax": -0.125, "pulmonary edema": -0.125}),
        ("left effusion, cardiomegaly", {"left effusion": 0.5, "cardiomegaly": 0.5}),
        ("small left effusion", {"small left effusion": 1, "large left pleural effusion": -0.25}),
        ("possible pneumonia", {"pneumonia": 1}),
        ("no change in effusion", {"effusion": 1}),
        ("clear lungs", {"clear lungs": 1}),
        ("effusion, clear lungs", {"effusion": 1, "lung opacity": -0.25}),
        ("not normal", {"abnormal chest": 1}),
        ("Effusion is seen. Discussed by telephone.", {"Effusion is seen.": 1}),
    ],
)
def test_texts_and_weights(text: str, parts: dict[str, float]) -> None:
    assert {part.text: part.weight for part in understood(text).parts} == parts


def test_plain_words_are_encoded_as_they_are() -> None:
    plan = plain("no effusion, ?")
    assert plan.parts == (Part("no effusion, ?", 1.0),) and not plan.mentions


def test_a_text_of_too_many_things_is_encoded_as_it_is() -> None:
    text = ", ".join(f"thing{number}" for number in range(200))
    assert understood(text).parts == (Part(text, 1.0),)


def test_unit_vectors_are_summed_by_their_weights() -> None:
    plan = WordsPlan((Part("a", 1.0), Part("b", -0.5)))
    a, b = np.array([3, 0], np.float32), np.array([0, 7], np.float32)
    np.testing.assert_allclose(plan.vector([a, b]), np.array([1, -0.5]) / np.sqrt(1.25), atol=1e-6)
    assert plan.vector([a, b]).dtype == np.float32
    with pytest.raises(HilumError) as caught:
        WordsPlan((Part("a", 1.0), Part("b", -1.0))).vector([a, a])
    assert caught.value.code is ErrorCode.INVALID_ARGUMENT


def test_prompts_are_asked_as_the_models_authors_do(tmp_path: object) -> None:
    facts, pool = open_facts(f"sqlite:///{tmp_path}/facts.db"), DecodePool(1)
    try:
        client = EncodeClient.local(EncodeApi(facts, Registry.bundled(), pool))
        request = EncodePromptsRequest(model=CLIP, findings=["edema"], prompts=[Prompt(negative=["x"], positive=["y"])])
        asked, mine = client.encode_prompts(request)
        yes, no = client.encode_texts(CLIP, ["pulmonary edema", "no pulmonary edema"])
        plan = understood("left effusion but no edema")
        for one, other in zip(
            client.encode_prompts(plan.request(CLIP)), client.encode_texts(CLIP, plan.texts), strict=True
        ):
            np.testing.assert_allclose(one, other, atol=1e-5)  # this model has no template
        [dressed] = wanted("biomedclip", [], understood("left effusion").request("biomedclip").prompts)
        assert dressed.positive == ("this is a photo of left effusion",) and not dressed.negative
        assert not isinstance(asked, HilumError) and not isinstance(mine, HilumError)
        np.testing.assert_allclose(asked, direction(ensemble(yes[None]), ensemble(no[None])), atol=1e-5)  # type: ignore[index]
        with pytest.raises(HilumError, match="changed"):
            client.encode_prompts(request, fingerprint="another")
    finally:
        pool.close()
        facts.close()


@pytest.fixture(scope="module")
def films() -> Films:
    return drawn(160, FRESH_SEED, size=192)


@pytest.fixture(scope="module")
def encode():  # type: ignore[no-untyped-def]
    return towers()


# Kind of question → the least gain in AUROC, and the least AUROC, of the understood reading.
FLOORS = {
    "no X": (0.002, 0.93), "no change in X": (0.8, 0.93), "X cannot be excluded": (0.04, 0.93),
    "no X or Y": (0.03, 0.89), "X without Y": (0.45, 0.93), "X but no Y": (0.25, 0.93), "no Y, X": (0.01, 0.93),
    "X and Y": (0.005, 0.94), "X, normal heart": (0.2, 0.9), "left X but no right X": (0.1, 0.87),
}  # fmt: skip


def test_understood_words_find_what_plain_words_do_not(films: Films, encode: dict) -> None:  # type: ignore[type-arg]
    asked = questions(films.truths)
    for kind, (gain, floor) in FLOORS.items():
        some = asked[kind][:: max(1, len(asked[kind]) // 12)]
        areas, tens = compare(films, some, encode["as it ships"], resamples=1)
        assert areas.understood - areas.plain >= gain and areas.understood >= floor, (kind, areas)
        assert tens.understood >= tens.plain, (kind, tens)
    for kind in ("X", "left X", "large X"):
        areas, tens = compare(films, asked[kind], encode["as it ships"], resamples=1)
        assert areas.plain == areas.understood and tens.plain == tens.understood, "one thing is asked as it stands"


def test_a_tower_that_knows_no_denial_gains_most(films: Films, encode: dict) -> None:  # type: ignore[type-arg]
    areas, tens = compare(films, questions(films.truths)["no X"], encode["blind to denial"], resamples=1)
    assert areas.plain < 0.15 and areas.understood > 0.9, "plainly, it fetches the very films that have it"
    assert tens.plain < 0.5 and tens.understood > 0.95


def test_a_report_finds_its_own_film(films: Films, encode: dict) -> None:  # type: ignore[type-arg]
    found = own_films(films, encode["as it ships"])
    (plain_ten, plain_rank, plain_shown, _), (ten, rank, shown, _) = found["plain"], found["understood"]
    assert ten >= plain_ten and rank >= plain_rank + 0.03 and shown >= plain_shown + 0.05, found


# Finding → least precision, recall and share of right denials on every sixth report of Open-i.
READ = {
    "cardiomegaly": (0.96, 0.95, 0.99), "pleural_effusion": (0.97, 0.94, 0.99), "pneumothorax": (0.9, 0.9, 0.99),
    "atelectasis": (0.85, 0.95, 0.99), "edema": (0.9, 0.95, 0.99), "consolidation": (0.9, 0.95, 0.99),
    "pneumonia": (0.7, 0.95, 0.99), "lung_opacity": (0.9, 0.9, 0.98), "emphysema": (0.95, 0.92, 0),
    "fracture": (0.83, 0.93, 0.99), "granuloma": (0.97, 0.97, 0), "support_devices": (0.83, 0.67, 0),
    "no_finding": (0.79, 0.93, 0.96),
}  # fmt: skip


def test_real_reports_are_read_as_their_readers_coded_them() -> None:
    if find_spec("torchxrayvision") is None:
        pytest.skip("Open-i's reports come with the torchxrayvision package, which is not installed")
    counts = read_reports(report for number, report in enumerate(open_i()) if number % 6 == 1)
    for finding, floors in READ.items():
        count = counts[finding]
        got = (count.precision, count.recall, count.right_denials)
        assert all(value >= floor for value, floor in zip(got, floors, strict=True)), (finding, got, count)
