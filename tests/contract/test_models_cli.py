"""`hilum models` as people call it, against a hub of our own. Every command is a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.app.cli import app
from services.encoders.bundled import CLIP, DINO
from services.encoders.install import add as install
from services.encoders.installed import scan
from services.encoders.manifest import FILE
from tests.kit.checkpoint import dinov2
from tests.kit.hub import Hub, Repository, serve

TOKEN = "hf_secretTokenOfATest"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """RAD-DINO's repository in small, with code in it that nobody asked for."""
    at = dinov2(tmp_path_factory.mktemp("repository"))
    (at / "modeling.py").write_text("raise SystemExit('code ran')")
    (at / "model.onnx").write_bytes(b"not wanted")
    return at


@pytest.fixture
def repository(checkpoint: Path) -> Repository:
    return Repository(checkpoint)


@pytest.fixture
def hub(repository: Repository) -> Iterator[Hub]:
    with serve(microsoft__rad_dino=repository) as served:
        yield served


@pytest.fixture
def hilum(tmp_path: Path, hub: Hub) -> Hilum:
    return Hilum(tmp_path, hub)


class Hilum:
    """Calls ``hilum models``."""

    def __init__(self, at: Path, hub: Hub) -> None:
        self.models = at / "data" / "models"
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "HILUM_"))}
        self._env = {
            **clean, "HILUM_DATA": str(at / "data"), "HF_HOME": str(at / "hf"), "HF_ENDPOINT": hub.url,
            "OMP_NUM_THREADS": "1",
        }  # fmt: skip

    def __call__(self, *arguments: object, **env: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "services.app.cli", "models", *map(str, arguments)], env={**self._env, **env},
            capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=180,
        )  # fmt: skip
        assert "Traceback" not in done.stderr, done.stderr
        return done


def test_pull_shows_the_terms_then_pins_checks_tries_and_installs(
    hilum: Hilum, hub: Hub, repository: Repository, checkpoint: Path
) -> None:
    repository.cut = {"model.safetensors": 1}  # the connection breaks once
    repository.gated, repository.token = True, TOKEN
    told = hilum("pull", "rad-dino")
    assert told.returncode == 1 and "--accept-licence" in told.stderr
    for said in ("MIT", "microsoft/rad-dino at 0123456789ab", "research", "reads no words", "3, ", "gated"):
        assert said in told.stderr
    assert hub.downloads() == [] and scan(hilum.models).models == {}
    done = hilum("pull", "rad-dino", "--accept-licence", HF_TOKEN=TOKEN)
    assert done.returncode == 0, done.stderr
    assert "rad-dino is installed: cxr.rad-dino." in done.stdout and "PROBLEM" not in done.stdout
    model = scan(hilum.models).models["rad-dino"]
    assert (model.manifest.origin.repo, model.manifest.origin.revision) == ("microsoft/rad-dino", repository.commit)
    assert model.manifest.spec.revision == repository.commit and model.manifest.options == {"levels": "full"}
    assert {p.name for p in model.home.iterdir()} == {
        FILE, "config.json", "model.safetensors", "preprocessor_config.json"
    }  # fmt: skip
    assert (model.home / "model.safetensors").read_bytes() == (checkpoint / "model.safetensors").read_bytes()
    assert TOKEN not in done.stdout + done.stderr
    assert all(token in ("", f"Bearer {TOKEN}") for *_, token in hub.asked)
    for file in hilum.models.parent.rglob("*"):
        assert not file.is_file() or TOKEN.encode() not in file.read_bytes()
    assert {path.split("/")[1] for _, path, _, _ in hub.asked} == {"api", "microsoft"}
    assert {"/".join(path.split("/")[1:3]) for _, path, _, _ in hub.asked} == {"api/models", "microsoft/rad-dino"}

    before = len(hub.asked)
    again = hilum("pull", "rad-dino", "--accept-licence")
    assert again.returncode == 1 and "ALREADY_EXISTS" in again.stderr and len(hub.asked) == before
    rows = {row["name"]: row for row in json.loads(hilum("list", "--catalog", "--json").stdout)}
    assert rows["rad-dino"]["from"] == "installed" and rows["rad-dino"]["images"] == 0
    assert (rows[CLIP]["from"], rows[DINO]["dim"]) == ("bundled", 160)
    assert rows["biomedclip"]["from"] == "catalogue" and rows["biomedclip"]["text"] is True

    (model.home / "config.json").write_text("{}")
    verified = hilum("verify", "rad-dino")
    assert verified.returncode == 1 and "PROBLEM" in verified.stdout and "config.json" in verified.stdout
    assert hilum("remove", "rad-dino").returncode == 0
    assert scan(hilum.models).models == {} and hilum("remove", "rad-dino").returncode == 2


def test_a_gated_model_says_how_to_be_let_in(hilum: Hilum, repository: Repository) -> None:
    repository.gated, repository.token = True, TOKEN
    refused = hilum("pull", "rad-dino", "--accept-licence")
    assert refused.returncode == 1 and "PERMISSION_DENIED" in refused.stderr
    for said in ("huggingface.co/microsoft/rad-dino", "HF_TOKEN", "hf auth login", "models add rad-dino --path"):
        assert said in refused.stderr
    assert scan(hilum.models).models == {}


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("gpt",), 2, "UNKNOWN_MODEL"),
        (("rad-dino", "--variant", "x"), 2, "no such variant"),
        (("rad-dino", "--as", "../x"), 2, "a slug"),
        (("rad-dino", "--as", CLIP), 1, "ALREADY_EXISTS"),
        (("rad-dino", "--revision", "v9"), 1, "no such revision"),
        (("biomedclip",), 1, "shows no repository"),
    ],
)
def test_what_cannot_be_pulled_gets_one_clear_line(
    hilum: Hilum, arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = hilum("pull", *arguments, "--accept-licence")
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr


def test_without_a_network_pull_says_how_to_add_by_hand(hilum: Hilum) -> None:
    for env in ({"HF_ENDPOINT": "http://127.0.0.1:9"}, {"HF_HUB_OFFLINE": "1"}):
        done = hilum("pull", "rad-dino", "--accept-licence", **env)
        assert done.returncode == 1 and "hilum models add rad-dino --path" in done.stderr, done.stderr


def test_wrong_bytes_are_thrown_away(hilum: Hilum, repository: Repository) -> None:
    repository.lies = {"model.safetensors"}
    done = hilum("pull", "rad-dino", "--accept-licence")
    assert done.returncode == 1 and "other bytes" in done.stderr
    assert scan(hilum.models).models == {} and not list(hilum.models.rglob("model.safetensors*"))


def test_a_repository_that_lists_a_way_out_is_refused(hilum: Hilum, hub: Hub, repository: Repository) -> None:
    """Were a pattern ever to let one through: names are looked at, not trusted."""
    repository.extra_names = ("../../model.safetensors",)
    program = (
        "from dataclasses import replace\nfrom services.encoders import hub\n"
        "from services.encoders.known import named\n"
        "entry = named('rad-dino')\nentry = replace(entry, source=replace(entry.source, files=('*',)))\n"
        "hub.resolve(entry)\n"
    )
    env = {**hilum._env, "PYTHONPATH": os.getcwd()}
    done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, check=False)
    assert "leads out of it" in done.stderr and hub.downloads() == []


def test_a_broken_download_goes_on_where_it_stopped(
    hilum: Hilum, hub: Hub, repository: Repository, tmp_path: Path
) -> None:
    """Killed halfway, the same command asks for the rest alone; and so it does when the connection breaks once more."""
    folder = tmp_path / "large"
    folder.mkdir()
    content = os.urandom(45_000_000)
    (folder / "model.safetensors").write_bytes(content)
    repository.folder = folder
    program = (
        "import os, sys\nfrom pathlib import Path\nfrom services.encoders import hub\n"
        "from services.encoders.known import named\n"
        "seen, die = [], len(sys.argv) > 2\n"
        "def told(done, total):\n"
        "    seen.append((done, total))\n"
        "    if die: os._exit(9)\n"
        "at = Path(sys.argv[1])\nat.mkdir(exist_ok=True)\n"
        "hub.fetch(hub.resolve(named('rad-dino')), at, told)\n"
        "assert seen == sorted(seen) and seen[-1] == (45_000_000, 45_000_000), seen\n"
    )
    env = {**hilum._env, "PYTHONPATH": os.getcwd()}
    command = [sys.executable, "-c", program, str(tmp_path / "to")]
    assert subprocess.run([*command, "die"], env=env, check=False, timeout=120).returncode == 9
    repository.cut = {"model.safetensors": 1}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "to" / "model.safetensors").read_bytes() == content
    starts = [int(part[6:-1] or 0) if part else 0 for _, part in hub.downloads()]
    assert len(starts) == 3 and starts[0] == 0 < starts[1] < starts[2], starts


@pytest.mark.slow
def test_add_takes_a_folder_of_ones_own_with_options(hilum: Hilum, checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").write_text("pooling: cls\nlevels: display\n")
    arguments = ("add", "mine", "--path", checkpoint, "--family", "hf", "--config", tmp_path / "settings.yaml")
    done = hilum(*arguments, "--option", "pooling=mean")
    assert done.returncode == 0, done.stderr
    model = scan(hilum.models).models["mine"]
    assert model.manifest.options == {"pooling": "mean", "levels": "display"}
    assert not (model.home / "modeling.py").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--family", "hf", "--option", "pooling"), "KEY=VALUE"),
        (("--family", "hf", "--config", "."), "YAML"),
        (("--family", "no-such"), "no such family"),
        ((), "--family"),
    ],
)
def test_what_cannot_be_added_gets_one_clear_line(
    checkpoint: Path, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    given = ["models", "add", "other", "--path", str(checkpoint), "--data", str(tmp_path), *arguments]
    done = CliRunner().invoke(app, given)
    assert (done.exit_code, said in done.stderr) == (2, True), done.stderr


def test_list_shows_what_is_damaged_and_what_only_the_archive_knows(hilum: Hilum, checkpoint: Path) -> None:
    from services.core.facts import models, open_facts

    manifest, _ = install(hilum.models, "gone", checkpoint, "dinov2", isolated=False)
    install(hilum.models, "damaged", checkpoint, "dinov2", isolated=False)
    (hilum.models / "damaged" / FILE).write_text("{")
    facts = open_facts(f"sqlite:///{hilum.models.parent / 'facts.db'}")
    models.register(facts, manifest.spec)
    facts.close()
    shutil.rmtree(hilum.models / "gone")
    rows = {row["name"]: row for row in json.loads(hilum("list", "--json").stdout)}
    assert rows["gone"]["from"] == "archive" and rows["gone"]["fingerprint"] == manifest.spec.fingerprint
    assert rows["damaged"]["from"] == "damaged" and "add it again" in rows["damaged"]["note"]
    assert hilum("verify", "damaged").returncode == 1
