"""Installed encoders: added from folders, known by manifests, loaded only as they were added."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from services.core.config import Settings
from services.core.errors import ErrorCode, HilumError
from services.core.models import ModelSpec
from services.core.types import JobState
from services.encoders.bundled import CHECKPOINTS, CLIP, DINO
from services.encoders.install import add
from services.encoders.installed import Installed, remove, scan
from services.encoders.known import named
from services.encoders.manifest import FILE, Manifest, read
from services.encoders.registry import Registry
from services.encoders.verify import verify
from services.engine.supervisor import EngineProcess
from tests.kit.checkpoint import dinov2
from tests.kit.ingesting import room, write_pictures


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What somebody downloaded: a checkpoint with what else a repository holds."""
    at = dinov2(tmp_path_factory.mktemp("published"))
    (at / "README.md").write_text("# a model")
    (at / ".gitattributes").write_text("*.safetensors filter=lfs")
    return at


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "models"


def install(home: Path, name: str, source: Path, family: str = "dinov2", **given: Any) -> Manifest:
    """Add, in this process, and let every check pass."""
    manifest, checks = add(home, name, source, family, isolated=False, **given)
    assert all(check.ok for check in checks), checks
    return manifest


def opened(home: Path, **given: Any) -> Registry:
    return Registry.open(Settings(home.parent, models_dir=home, **given))


def refused(call: Callable[[], object]) -> HilumError:
    with pytest.raises(HilumError) as caught:
        call()
    return caught.value


def test_an_added_encoder_is_offered_before_the_bundled_ones_and_encodes(published: Path, home: Path) -> None:
    manifest = install(home, "mine", published, options={"levels": "full"})
    assert sorted(manifest.files) == ["config.json", "model.safetensors", "preprocessor_config.json"]
    assert manifest.spec.dim == 32 and manifest.spec.text_space is None
    assert manifest.found.bytes > 4 * 32 * 32 and manifest.found.versions["torch"]
    assert read(home / "mine") == manifest
    registry = opened(home)
    assert set(registry.names()) == {"mine", CLIP, DINO}
    assert registry.default_names() == ["mine"]
    assert registry.specs()["mine"] == manifest.spec and registry.loaded() == {}
    assert registry.get("mine").spec == manifest.spec
    assert registry.loaded() == {"mine": manifest.found.bytes}
    assert {c.what: c.ok for c in verify(scan(home).models["mine"])} == {
        "files": True, "loads": True, "pictures: finite, of length 1": True, "pictures: the same again": True,
        "pictures: told apart": True, "pictures: as when added": True,
    }  # fmt: skip
    assert not [path for path in home.iterdir() if path.name not in ("mine", ".lock")]


def test_without_installed_ones_the_bundled_are_used_and_settings_narrow_them(published: Path, home: Path) -> None:
    assert opened(home).default_names() == [CLIP, DINO]
    install(home, "mine", published)
    narrowed = opened(home, models=(DINO, "mine"))
    assert narrowed.names() == narrowed.default_names() == [DINO, "mine"]
    assert refused(lambda: narrowed.get(CLIP)).code is ErrorCode.UNKNOWN_MODEL
    assert refused(lambda: opened(home, models=("gpt",))).code is ErrorCode.UNKNOWN_MODEL


def test_a_name_of_the_catalogue_is_told_how_to_get(home: Path) -> None:
    error = refused(lambda: opened(home).get("rad-dino"))
    assert error.code is ErrorCode.UNKNOWN_MODEL and "hilum models pull rad-dino" in error.client_message
    assert "pull" not in refused(lambda: opened(home).get("gpt")).client_message


def test_names_and_specs_load_no_network(published: Path, home: Path) -> None:
    install(home, "mine", published)
    program = (
        "import sys\nfrom pathlib import Path\nfrom services.core.config import Settings\n"
        "from services.encoders.registry import Registry\n"
        f"r = Registry.open(Settings(Path({str(home.parent)!r}), models_dir=Path({str(home)!r})))\n"
        "print(len(r.specs()), r.names(), sorted({'torch', 'transformers', 'huggingface_hub'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.strip() == f"3 {[CLIP, DINO, 'mine']} []", done.stderr


def test_the_bundled_encoders_are_what_their_manifests_say() -> None:
    """Fails when a change of code makes other encoders of them: then every archive would be embedded anew. If that is
    meant: ``python -m services.encoders.bundled``."""
    models = scan(CHECKPOINTS).models
    assert set(models) == {CLIP, DINO}
    for model in models.values():
        assert all(check.ok for check in verify(model)), verify(model)


def test_another_machine_gets_the_same_encoder_from_the_carried_folder(
    published: Path, home: Path, tmp_path: Path
) -> None:
    first = install(home, "mine", published, options={"levels": "full"})
    carried = shutil.copytree(home / "mine", tmp_path / "stick" / "copy")
    again = install(tmp_path / "other", "mine", carried, family="")
    assert again.spec.fingerprint == first.spec.fingerprint and again.options == {"levels": "full"}
    (carried / "preprocessor_config.json").write_text("{}")
    error = refused(lambda: add(tmp_path / "third", "mine", carried, isolated=False))
    assert "not those of their manifest" in error.client_message and scan(tmp_path / "third").models == {}


def test_a_model_of_the_catalogue_is_added_from_a_folder(published: Path, home: Path) -> None:
    shutil.copytree(published, home.parent / "download")
    (home.parent / "download" / "pytorch_model.bin").write_bytes(b"not wanted")
    manifest, checks = add(
        home, "rad-dino", home.parent / "download", entry=named("rad-dino"), variant="windowed", isolated=False
    )
    assert all(check.ok for check in checks)
    assert (manifest.family, manifest.options, manifest.variant) == ("dinov2", {"levels": "display"}, "windowed")
    assert manifest.licence.name == "MIT" and "pytorch_model.bin" not in manifest.files


def test_in_place_nothing_is_copied_and_nothing_of_yours_deleted(published: Path, home: Path) -> None:
    source = shutil.copytree(published, home.parent / "yours")
    manifest = install(home, "mine", source, in_place=True)
    assert Path(manifest.folder) == source.resolve() and [p.name for p in (home / "mine").iterdir()] == [FILE]
    assert opened(home).get("mine").spec == manifest.spec
    remove(home, "mine")
    assert scan(home).models == {} and (source / "model.safetensors").exists()


def test_a_cache_of_the_hub_is_taken_as_it_is(published: Path, home: Path, tmp_path: Path) -> None:
    """Snapshots there are links to blobs two folders up."""
    cache = tmp_path / "models--microsoft--rad-dino"
    snapshot = cache / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (cache / "blobs").mkdir()
    for index, name in enumerate(("config.json", "model.safetensors", "preprocessor_config.json")):
        shutil.copy(published / name, cache / "blobs" / str(index))
        (snapshot / name).symlink_to(f"../../blobs/{index}")
    manifest = install(home, "mine", snapshot)
    assert not (home / "mine" / "config.json").is_symlink()
    assert install(home, "too", snapshot, in_place=True).files == manifest.files
    assert opened(home).get("too").spec.weights_sha256 == manifest.spec.weights_sha256


# What changes an encoder


def weights(source: Path) -> None:
    dinov2(source, seed=1)


def preprocessing(source: Path) -> None:
    dinov2(source, mean=0.4)


@pytest.mark.parametrize("change", [weights, preprocessing])
def test_a_changed_file_is_not_loaded_and_verify_says_which(
    published: Path, home: Path, change: Callable[[Path], None]
) -> None:
    install(home, "mine", published)
    registry = opened(home)
    change(home / "mine")
    error = refused(lambda: registry.get("mine"))
    assert error.code is ErrorCode.FAILED_PRECONDITION and "hilum models verify mine" in error.client_message
    (check,) = verify(scan(home).models["mine"])
    assert not check.ok and ("model.safetensors" if change is weights else "preprocessor_config") in check.seen
    assert opened(home).get(DINO).spec.dim == 160


def test_what_a_large_file_was_is_held_by_the_specification(published: Path, home: Path) -> None:
    """Even where the manifest was changed along with the files."""
    install(home, "mine", published)
    other = install(home.parent / "b", "mine", dinov2(home.parent / "other", seed=2))
    told = json.loads((home / "mine" / FILE).read_text())
    told["files"]["model.safetensors"] = {"sha256": other.files["model.safetensors"].sha256,
                                          "size": other.files["model.safetensors"].size}  # fmt: skip
    (home / "mine" / FILE).write_text(json.dumps(told))
    shutil.copy(home.parent / "b" / "mine" / "model.safetensors", home / "mine" / "model.safetensors")
    assert "has changed" in refused(lambda: opened(home).get("mine")).client_message


def test_a_stray_file_and_a_missing_one_are_noticed(published: Path, home: Path) -> None:
    install(home, "mine", published)
    (home / "mine" / "pytorch_model.bin").write_bytes(b"x")
    assert "pytorch_model.bin: was not added" in verify(scan(home).models["mine"])[0].seen
    (home / "mine" / "config.json").unlink()
    assert "config.json: missing" in verify(scan(home).models["mine"])[0].seen
    assert "has changed" in refused(lambda: opened(home).get("mine")).client_message


def test_another_library_that_encodes_otherwise_is_noticed(published: Path, home: Path) -> None:
    """As if the picture had been encoded to something else on the day the encoder was added."""
    install(home, "mine", published)
    model = scan(home).models["mine"]
    told = json.loads((home / "mine" / FILE).read_text())
    told["measured"]["film"] = " ".join(reversed(told["measured"]["film"].split()))
    told["measured"]["versions"]["torch"] = "1.0"
    (home / "mine" / FILE).write_text(json.dumps(told))
    last = verify(Installed(model.home, read(model.home)))[-1]
    assert (last.what, last.ok) == ("pictures: as when added", False) and "torch 1.0 →" in last.seen


def test_a_change_of_weights_preprocessing_or_pooling_is_another_collection(
    published: Path, home: Path, tmp_path: Path, engine: EngineProcess
) -> None:
    """By the same name: removed, added, ingested again. Vectors of two of them never meet."""
    films = tmp_path / "films"
    write_pictures(films, 3)
    sources = {"weights": dinov2(tmp_path / "w", seed=1), "preprocessing": dinov2(tmp_path / "p", mean=0.4)}
    specs = dict[str, ModelSpec]()
    with room(tmp_path / "data", engine.url, workers=1) as here:
        for what in ("first", "weights", "preprocessing", "pooling"):
            source, pooling = sources.get(what, published), "mean" if what == "pooling" else "cls"
            specs[what] = install(home, "mine", source, "hf", options={"pooling": pooling}).spec
            here.registry = opened(home)
            job = here.ingest(films)
            assert job.state is JobState.SUCCEEDED, job.error
            assert here.store.count(specs[what]) == 3
            remove(home, "mine")
        held = {name for name in here.store.collections() if name.startswith("cxr.mine.")}
    assert held >= {spec.collection for spec in specs.values()} and len({s.collection for s in specs.values()}) == 4


# Manifests that cannot be trusted


def edit(**changes: Any) -> Callable[[str], str]:
    def apply(text: str) -> str:
        return json.dumps({**json.loads(text), **changes})

    return apply


def spec(**changes: Any) -> Callable[[str], str]:
    def apply(text: str) -> str:
        told = json.loads(text)
        told["measured"]["spec"].update(changes)
        return json.dumps(told)

    return apply


SOME = {"sha256": "0" * 64, "size": 1}


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda text: text[: len(text) // 2], "JSON"),
        (lambda text: "[]", "manifest"),
        (edit(schema=2), "another version"),
        (edit(measured=None), "lacks what was measured"),
        (edit(trust_remote_code=True), "never does"),
        (edit(files={"../../../etc/passwd": SOME}), "leads out"),
        (edit(files={"/etc/passwd": SOME}), "leads out"),
        (edit(files={"a\\..\\b": SOME}), "leads out"),
        (edit(files={"modeling.py": SOME}), "code is never taken"),
        (edit(files={}), "lacks what was measured"),
        (edit(folder="elsewhere"), "where the files are"),
        (edit(name="other"), "two names"),
        (lambda text: spec(name="other")(edit(name="other")(text)), "another name"),
        (spec(dim=0), "dim is between"),
        (spec(dim="many"), "measured.spec.dim"),
    ],
)
def test_a_damaged_manifest_disables_its_encoder_and_no_other(
    published: Path, home: Path, damage: Callable[[str], str], said: str
) -> None:
    path = home / "mine" / FILE
    if not path.exists():
        install(home, "mine", published)
        install(home, "sound", published)
    path.write_text(damage(path.read_text()))
    for registry in (opened(home), opened(home, models=("mine", "sound"))):
        assert registry.default_names() == ["sound"] and "mine" not in registry.specs()
        error = refused(lambda r=registry: r.get("mine"))
        assert error.code is ErrorCode.FAILED_PRECONDITION and said in error.client_message, error.client_message
        assert opened(home, models=("mine",)).default_names() == []
        assert str(home) not in error.client_message and "/etc" not in error.client_message


# What cannot be added


@pytest.mark.parametrize("name", ["../mine", "Mine", "", ".hidden", "a/b"])
def test_a_name_is_a_slug(published: Path, home: Path, name: str) -> None:
    assert refused(lambda: add(home, name, published, "dinov2", isolated=False)).code is ErrorCode.INVALID_ARGUMENT
    assert refused(lambda: remove(home, name)).code in (ErrorCode.INVALID_ARGUMENT, ErrorCode.UNKNOWN_MODEL)


def test_a_name_that_is_taken_is_refused(published: Path, home: Path) -> None:
    install(home, "mine", published)
    for name in ("mine", CLIP):
        assert refused(lambda n=name: install(home, n, published)).code is ErrorCode.ALREADY_EXISTS


def test_an_option_that_nobody_reads_is_a_slip(published: Path, home: Path) -> None:
    error = refused(lambda: install(home, "mine", published, options={"poolling": "mean"}))
    assert error.code is ErrorCode.INVALID_ARGUMENT and "poolling" in error.client_message
    assert scan(home).models == {} and not (home / ".adding-mine").exists()


def test_a_collapsed_network_is_not_installed(home: Path, tmp_path: Path) -> None:
    """Weights that load and say nothing: every film the same vector."""
    import torch
    from safetensors.torch import load_file, save_file

    at = dinov2(tmp_path / "flat")
    tensors = load_file(at / "model.safetensors")
    last = {k: torch.zeros_like(t) if k == "layernorm.weight" else t for k, t in tensors.items()}
    last["layernorm.bias"] = torch.ones_like(last["layernorm.bias"])
    save_file(last, at / "model.safetensors", metadata={"format": "pt"})
    _, checks = add(home, "flat", at, "dinov2", isolated=False)
    assert [check.what for check in checks if not check.ok] == ["pictures: told apart"]
    assert scan(home).models == {}


def test_an_encoder_that_sends_films_elsewhere_is_used_only_where_it_is_named(
    published: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(home, "mine", published)
    monkeypatch.setattr("services.encoders.registry.REMOTE", frozenset({"dinov2"}))
    registry = opened(home)
    assert "mine" in registry.names() and registry.default_names() == [CLIP, DINO]
