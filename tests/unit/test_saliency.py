"""Maps fall where the finding is: on phantom films, whose findings lie where they were drawn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from services.encoders.base import Encoder
from services.encoders.gradient import by_gradient
from services.encoders.registry import Registry
from services.encoders.saliency import CELLS, similarity
from services.phantom.film import trace
from services.phantom.truth import Findings, PhantomFilm
from services.phantom.where import (
    FINDINGS,
    Placed,
    by_films,
    by_words,
    enrichment,
    hiding,
    interval,
    measured,
    placed,
)  # fmt: skip

EASY = ("effusion", "pneumothorax", "cardiomegaly", "pacemaker")


@pytest.fixture(scope="module")
def encoders() -> dict[str, Encoder]:
    registry = Registry.bundled()
    return {name: registry.get(name) for name in ("hilum-cxr-clip", "hilum-cxr-dino")}


@pytest.fixture(scope="module")
def few() -> list[Placed]:
    return placed(EASY[:3], 4)


def test_a_finding_is_drawn_where_its_trace_says() -> None:
    film = PhantomFilm(7, findings=Findings(nodule_left=0.8, effusion_right=0.6))
    nodule, effusion = trace(film, "nodule_left", 128), trace(film, "effusion_right", 128)
    assert (nodule > 0.2 * nodule.max())[:, 64:].sum() == (nodule > 0.2 * nodule.max()).sum() > 20
    rows, columns = np.nonzero(effusion > 0.2 * effusion.max())
    assert columns.max() < 64 and rows.min() > 40, "the patient's right lies on the left, fluid at the base"
    assert 0 < trace(PhantomFilm(7, findings=Findings(pacemaker=1)), "pacemaker", 128).max() < 3
    for wrong, slot in (
        (film, "nodule_right"),
        (PhantomFilm(7, view="LATERAL", findings=film.findings), "nodule_left"),
    ):
        with pytest.raises(ValueError, match="shows the finding"):
            trace(wrong, slot, 128)


def test_chance_is_one() -> None:
    mask = np.zeros((64, 64), bool)
    mask[5:20, 30:60] = True
    assert enrichment(np.ones((64, 64), np.float32), mask) == pytest.approx(1)
    assert enrichment(mask.astype(np.float32), mask) == pytest.approx(1 / mask.mean())
    assert enrichment(np.zeros((64, 64), np.float32), mask) == 0
    noise = [enrichment(np.random.default_rng(i).random((64, 64), np.float32), mask) for i in range(40)]
    assert interval(noise, list(range(40))).mean == pytest.approx(1, abs=0.02)


def test_films_of_one_patient_count_as_one() -> None:
    values = [1.0] * 20 + [3.0] * 20
    alone, together = interval(values, list(range(40))), interval(values, [0] * 20 + [1] * 20)
    assert alone.mean == together.mean == 2
    assert together.high - together.low > 2 * (alone.high - alone.low)


@pytest.mark.parametrize("name", ["hilum-cxr-clip", "hilum-cxr-dino"])
def test_what_places_add_sums_to_what_the_film_adds(encoders: dict[str, Encoder], few: list[Placed], name: str) -> None:
    encoder = encoders[name]
    film, other = (encoder.preprocess(placed.film) for placed in few[:2])
    target = encoder.encode_images([other])[0]
    flat = np.full(film.shape, film.mean(), np.float32)
    of_film, of_flat = similarity(encoder.encode_images([film.astype(np.float32), flat]), target)
    grid = by_gradient(encoder, film, target, steps=128)
    assert grid.shape == (CELLS, CELLS) and grid.dtype == np.float32
    assert grid.sum() == pytest.approx(of_film - of_flat, abs=0.03)


@pytest.fixture(scope="module")
def worded(encoders: dict[str, Encoder], few: list[Placed]) -> list[tuple[Placed, float, float]]:
    return list(by_words(encoders["hilum-cxr-clip"], few))


def test_words_fall_on_their_finding(worded: list[tuple[Placed, float, float]]) -> None:
    beyond_chance(worded)


def test_two_films_meet_in_their_finding(encoders: dict[str, Encoder], few: list[Placed]) -> None:
    beyond_chance(list(by_films(encoders["hilum-cxr-dino"], few)))


def test_words_at_random_fall_nowhere(encoders: dict[str, Encoder], worded: list[tuple[Placed, float, float]]) -> None:
    """Directions that mean nothing give maps that favour no finding: the measure itself gives nothing away."""
    encoder = encoders["hilum-cxr-clip"]
    directions = np.random.default_rng(0).standard_normal((len(worded), encoder.spec.dim)).astype(np.float32)
    found = [measured(encoder, film, target) for (film, *_), target in zip(worded, directions, strict=True)]
    assert np.mean(found) < 0.6 * np.mean([asked for _, asked, _ in worded])


@pytest.mark.slow
@pytest.mark.parametrize("method", ["hiding", "gradient"])
@pytest.mark.parametrize(
    ("name", "way"), [("hilum-cxr-clip", by_words), ("hilum-cxr-clip", by_films), ("hilum-cxr-dino", by_films)]
)
def test_every_kind_of_map_falls_on_findings_more_than_chance(
    encoders: dict[str, Encoder], name: str, way, method: str
) -> None:
    films = placed(FINDINGS, 12, seed=1)
    rows = list(way(encoders[name], films, hiding if method == "hiding" else by_gradient))
    beyond_chance(rows)
    for finding in EASY:
        part = [row for row in rows if row[0].finding == finding]
        assert interval([asked for _, asked, _ in part], [film.patient for film, *_ in part]).low > 1, finding


def beyond_chance(rows: Sequence[tuple[Placed, float, float]]) -> None:
    """More than chance with its interval, and more than the control on the same films with its interval."""
    patients = [film.patient for film, *_ in rows]
    assert interval([asked for _, asked, _ in rows], patients).low > 1
    assert interval([asked - control for _, asked, control in rows], patients).low > 0
