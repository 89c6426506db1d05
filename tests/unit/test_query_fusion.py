"""Fusing rankings: by hand-computed reciprocal ranks."""

from __future__ import annotations

import pytest

from services.core.store import Scored
from services.query.fusion import Place, fuse


def ranking(*films: str) -> list[Scored]:
    return [Scored(film, 1.0 - 0.1 * place) for place, film in enumerate(films)]


def test_one_model_keeps_its_order_and_its_cosines() -> None:
    fused = fuse({"a": ranking("x", "y", "z")}, 2)
    assert [(film.image_id, film.score) for film in fused] == [("x", 1.0), ("y", 0.9)]
    assert fused[1].places == (Place("a", 2, 0.9),)


def test_several_models_are_summed_by_reciprocal_rank() -> None:
    fused = fuse({"a": ranking("x", "y", "z"), "b": ranking("y", "w")}, 10)
    assert [film.image_id for film in fused] == ["y", "x", "w", "z"]
    assert fused[0].score == pytest.approx(1 / 62 + 1 / 61)
    assert fused[1].score == pytest.approx(1 / 61)
    assert fused[0].places == (Place("a", 2, 0.9), Place("b", 1, 1.0))
    assert fused[2].places == (Place("b", 2, 0.9),)


def test_a_film_deep_in_both_beats_one_that_a_single_model_likes() -> None:
    films = [f"a{i}" for i in range(30)]
    others = [f"b{i}" for i in range(30)]
    fused = fuse({"a": ranking(*films[:20], "both"), "b": ranking(*others[:20], "both")}, 1)
    assert [film.image_id for film in fused] == ["both"]


def test_ties_stand_in_the_order_of_ids() -> None:
    assert [film.image_id for film in fuse({"a": ranking("q"), "b": ranking("p")}, 5)] == ["p", "q"]


def test_the_limit_cuts_the_fused_list_not_the_lists_it_is_made_of() -> None:
    fused = fuse({"a": ranking("x", "y"), "b": ranking("z", "y")}, 1)
    assert [film.image_id for film in fused] == ["y"]


def test_nothing_found_is_an_empty_answer() -> None:
    assert fuse({"a": [], "b": []}, 5) == []
