"""A Hilum that runs takes up encoders that are installed meanwhile, and those that are exchanged."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from services.core.config import Settings
from services.core.errors import HilumError
from services.encoders.bundled import CHECKPOINTS, CLIP, DINO
from services.encoders.manifest import Manifest, read, write
from services.encoders.registry import Registry


def put(home: Path, name: str, revision: str = "1") -> Manifest:
    """Lay a manifest there as `install` does: whole, by a rename. None of its files is needed until it is loaded."""
    known = read(CHECKPOINTS / DINO)
    made = replace(
        known, name=name, measured=replace(known.found, spec=replace(known.spec, name=name, revision=revision))
    )
    part = home / f".adding-{name}"
    part.mkdir(parents=True)
    write(part, made)
    part.rename(home / name)
    return made


def test_what_is_installed_later_is_found_when_it_is_asked_for(tmp_path: Path) -> None:
    registry = Registry.open(Settings(tmp_path))
    assert registry.names() == [CLIP, DINO]
    with pytest.raises(HilumError):
        registry.offer("late")
    made = put(tmp_path / "models", "late")
    assert registry.offer("late").spec == made.spec
    assert registry.names() == [CLIP, DINO, "late"]
    assert registry.specs()["late"] == made.spec
    assert registry.default_names() == [CLIP, DINO], "what is used unasked changes at the next start"


def test_an_encoder_that_is_exchanged_answers_for_its_name(tmp_path: Path) -> None:
    home = tmp_path / "models"
    put(home, "mine")
    registry = Registry.open(Settings(tmp_path))
    (home / "mine" / "hilum-model.json").unlink()
    os.rename(home / "mine", tmp_path / "gone")
    made = put(home, "mine", revision="2")
    assert registry.offer("mine").spec == made.spec


def test_what_the_settings_do_not_name_stays_out(tmp_path: Path) -> None:
    registry = Registry.open(Settings(tmp_path, models=(DINO,)))
    put(tmp_path / "models", "late")
    assert registry.names() == [DINO]


def test_nobody_looks_into_a_folder_in_which_nothing_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "models", "mine")
    registry = Registry.open(Settings(tmp_path))
    monkeypatch.setattr("services.encoders.registry.scan", lambda folder: pytest.fail("read all manifests"))
    assert "mine" in registry.names()
