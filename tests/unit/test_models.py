"""A fingerprint changes with everything that decides a vector."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from services.core.errors import ErrorCode, HilumError
from services.core.models import ModelSpec
from tests.kit.records import make_spec

SPEC = make_spec("rad-dino", dim=768)
OTHER = {
    "name": "rad-dino-2", "revision": "2", "weights_sha256": "1" * 64, "preprocessing": "crop-518", "pooling": "cls",
    "dim": 769, "tokens": 2, "dtype": "float16", "normalised": False, "text_space": "biomedclip",
}  # fmt: skip


@pytest.mark.parametrize("field", [field.name for field in fields(ModelSpec)])
def test_every_field_changes_the_fingerprint_and_the_collection(field: str) -> None:
    changed = replace(SPEC, **{field: OTHER[field]})
    assert changed.fingerprint != SPEC.fingerprint
    assert changed.collection != SPEC.collection


def test_names_of_collections_and_aliases() -> None:
    assert SPEC.collection == f"cxr.rad-dino.{SPEC.fingerprint[:8]}"
    assert SPEC.alias == "cxr.rad-dino"
    assert SPEC.fingerprint == make_spec("rad-dino", dim=768).fingerprint
    assert len(SPEC.fingerprint) == 64


@pytest.mark.parametrize("name", ["", "Rad-DINO", "a/b", "../x", "a" * 64, "-a", "a.b", "a\n"])
def test_a_name_is_a_slug(name: str) -> None:
    with pytest.raises(HilumError) as refused:
        make_spec(name)
    assert refused.value.code is ErrorCode.INVALID_ARGUMENT


@pytest.mark.parametrize("dim", [0, -1, 16_385])
def test_dims_have_bounds(dim: int) -> None:
    with pytest.raises(HilumError):
        make_spec(dim=dim)
