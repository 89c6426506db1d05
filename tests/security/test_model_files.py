"""A checkpoint is data. Nothing in its folder runs, leads out of it, or gets in under a false name."""

from __future__ import annotations

import json
import pickle
import runpy
import shutil
from pathlib import Path

import pytest

from services.core.errors import ErrorCode, HilumError
from services.encoders.families import load
from services.encoders.install import add, listed
from services.encoders.installed import scan
from services.encoders.network import Checkpoint
from tests.kit.checkpoint import dinov2

MAP = {"AutoConfig": "canary.Config", "AutoModel": "canary.Model", "AutoImageProcessor": "canary.Processor"}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A checkpoint whose configuration asks for code of its own, which lies beside it and writes a file when run."""
    at = dinov2(tmp_path / "source")
    code = f"open({str(tmp_path / 'ran')!r}, 'w').close()\nclass Config: ...\nclass Model: ...\nclass Processor: ...\n"
    for name in ("canary.py", "__init__.py", "modeling_canary.py", "sitecustomize.py"):
        (at / name).write_text(code)
    runpy.run_path(str(at / "canary.py"))
    (tmp_path / "ran").unlink()  # it does run when it is let
    for name in ("config.json", "preprocessor_config.json"):
        told = json.loads((at / name).read_text())
        (at / name).write_text(json.dumps({**told, "auto_map": MAP}))
    return at


@pytest.mark.parametrize(("family", "options"), [("dinov2", {}), ("hf", {"pooling": "cls"})])
@pytest.mark.parametrize("in_place", [False, True])
def test_code_in_a_folder_never_runs_where_the_architecture_is_known(
    source: Path, tmp_path: Path, family: str, options: dict[str, str], in_place: bool
) -> None:
    manifest, checks = add(tmp_path / "m", "mine", source, family, options, in_place=in_place, isolated=False)
    assert all(check.ok for check in checks)
    scan(tmp_path / "m").models["mine"].load()
    assert not (tmp_path / "ran").exists()
    assert not manifest.trust_remote_code and not any(path.endswith(".py") for path in manifest.files)
    assert not list((tmp_path / "m").rglob("*.py"))


@pytest.mark.parametrize(("family", "options"), [("dinov2", {}), ("hf", {"pooling": "cls"})])
def test_where_it_is_not_the_refusal_says_why(
    source: Path, tmp_path: Path, family: str, options: dict[str, str]
) -> None:
    told = json.loads((source / "config.json").read_text())
    (source / "config.json").write_text(json.dumps({**told, "model_type": "house-made"}))
    with pytest.raises(HilumError, match="code of its own") as refused:
        add(tmp_path / "m", "mine", source, family, options, isolated=False)
    assert refused.value.code is ErrorCode.FAILED_PRECONDITION
    assert not (tmp_path / "ran").exists() and scan(tmp_path / "m").models == {}


class Canary:
    def __init__(self, at: Path) -> None:
        self.at = at

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (str(self.at), "w")


def test_a_pickle_in_place_of_weights_never_runs(tmp_path: Path) -> None:
    at = dinov2(tmp_path / "source")
    (at / "model.safetensors").unlink()
    (at / "pytorch_model.bin").write_bytes(pickle.dumps({"state_dict": Canary(tmp_path / "ran")}))
    with pytest.raises(HilumError):
        load("dinov2", Checkpoint(at, "mine", "1"))
    with pytest.raises(HilumError):
        add(tmp_path / "m", "mine", at, "dinov2", isolated=False)
    assert not (tmp_path / "ran").exists()


def test_a_link_that_leads_out_is_refused(tmp_path: Path) -> None:
    at = dinov2(tmp_path / "source")
    (tmp_path / "secret.json").write_text("{}")
    (at / "tokenizer.json").symlink_to(tmp_path / "secret.json")
    for in_place in (False, True):
        with pytest.raises(HilumError, match="leads out") as refused:
            add(tmp_path / "m", "mine", at, "dinov2", in_place=in_place, isolated=False)
        assert str(tmp_path) not in refused.value.client_message


def test_a_cache_of_the_hub_opens_no_other_door(tmp_path: Path) -> None:
    """Its snapshots may link to its own blobs, and to nothing else."""
    snapshot = tmp_path / "models--a--b" / "snapshots" / ("0" * 40)
    dinov2(snapshot)
    (tmp_path / "secret.json").write_text("{}")
    (snapshot / "tokenizer.json").symlink_to("../../../secret.json")
    with pytest.raises(HilumError, match="leads out"):
        add(tmp_path / "m", "mine", snapshot, "dinov2", isolated=False)


def test_a_file_that_becomes_a_link_later_is_not_followed(tmp_path: Path) -> None:
    add(tmp_path / "m", "mine", dinov2(tmp_path / "source"), "dinov2", isolated=False)
    inside = tmp_path / "m" / "mine" / "config.json"
    shutil.move(inside, tmp_path / "elsewhere.json")
    inside.symlink_to(tmp_path / "elsewhere.json")  # the same bytes
    with pytest.raises(HilumError, match="has changed"):
        scan(tmp_path / "m").models["mine"].load()


def test_hidden_files_code_and_reading_matter_are_left_out(tmp_path: Path) -> None:
    hidden, code, read = (".env", ".git/config"), ("a.py", "b.so", "__pycache__/a.pyc"), ("README.md", "LICENSE")
    for name in ("config.json", "x/y.txt", *hidden, *code, *read):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    assert listed(tmp_path) == ["config.json", "x/y.txt"]
