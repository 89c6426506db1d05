"""Encoders at work: on devices, in batches that fit, and on faster paths that keep their vectors."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from services.app.cli import app
from services.core.config import Settings
from services.core.errors import ErrorCode, HilumError
from services.encoders import accelerate, paths, tuning
from services.encoders.accelerate import accelerated
from services.encoders.device import choose, describe
from services.encoders.gradient import by_gradient
from services.encoders.network import Checkpoint, Network, TextTower, TorchEncoder
from services.encoders.paths.probe import probe_films
from services.encoders.preprocess import Levels, Recipe, Squash
from services.encoders.registry import Registry
from services.encoders.rows import Rows, activation_bytes, is_out_of_memory
from services.encoders.runtime import forward, one_ahead, quota

CPU = torch.device("cpu")
SIDE, DIM = 64, 48


class Net(torch.nn.Module):
    """Two towers that share nothing: patches through linear layers, letters through another."""

    def __init__(self) -> None:
        super().__init__()
        self.cut = torch.nn.Conv2d(3, 64, 16, stride=16)
        self.wide, self.narrow, self.words = (torch.nn.Linear(a, b) for a, b in ((64, 256), (256, DIM), (8, DIM)))

    def image(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.narrow(torch.nn.functional.gelu(self.wide(self.cut(pixels).flatten(2).mT))).mean(1)


def letters(texts: list[str]) -> dict[str, torch.Tensor]:
    return {"x": torch.tensor([[ord(letter) / 99 for letter in text[:8].ljust(8)] for text in texts])}


def make() -> TorchEncoder:
    """The same encoder every time."""
    torch.manual_seed(0)
    net = Net()
    return TorchEncoder(Checkpoint(Path(), "net", "0"), Network(
        module=net, weights=[], recipe=Recipe(Levels(), Squash(SIDE)), pooling="mean", dim=DIM, image=net.image,
        text=TextTower("letters", letters, lambda part: net.words(part["x"])),
    ))  # fmt: skip


def prepared(encoder: TorchEncoder, count: int = 6) -> list[Any]:
    return [encoder.preprocess(film) for film in probe_films(count)]


# Batches


def counting(most: int, seen: list[int], error: Exception) -> Callable[[Any], torch.Tensor]:
    """A network that takes `most` rows."""

    def network(part: Any) -> torch.Tensor:
        seen.append(len(part["x"]))
        if len(part["x"]) > most:
            raise error
        return part["x"] + 1

    return network


OUT_OF_MEMORY = (
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), MemoryError(),
    RuntimeError("[enforce fail at alloc_cpu.cpp:117] . DefaultCPUAllocator: can't allocate memory: you tried to"),
    RuntimeError("MPS backend out of memory"),
)  # fmt: skip


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=lambda error: type(error).__name__)
def test_a_batch_too_large_for_memory_is_halved_and_the_smaller_size_remembered(error: Exception) -> None:
    seen: list[int] = []
    network = counting(3, seen, error)
    x = torch.randn(29, 5)
    rows = Rows(lambda part: part["x"], CPU)
    found = forward(network, {"x": x}, CPU, rows)
    wanted = torch.nn.functional.normalize(x + 1, dim=-1)
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    assert seen[:4] == [29, 14, 7, 3]
    seen.clear()
    forward(network, {"x": x}, CPU, rows)
    assert set(seen) <= {3, 2}, "no second try of what was too much"


def test_what_fails_part_way_is_not_done_twice() -> None:
    seen: list[int] = []
    x = torch.arange(1, 13, dtype=torch.float32)[:, None].repeat(1, 2)

    def network(part: Any) -> torch.Tensor:
        rows = part["x"]
        seen.extend(rows[:, 0].tolist())
        if len(rows) > 2 and rows[0, 0] > 4:  # the second batch is too much
            raise MemoryError
        return torch.cat([rows[:, :1], torch.ones(len(rows), 1)], 1)

    rows = Rows(lambda part: part["x"], CPU)
    rows._fit[(("x", (2,)),)] = 4
    found = forward(network, {"x": x}, CPU, rows)
    np.testing.assert_allclose(found[:, 0] / found[:, 1], np.arange(1, 13), rtol=1e-5)
    assert seen.count(1.0) == 1


def test_one_row_that_does_not_fit_says_so_and_other_errors_are_not_taken_for_it() -> None:
    for error in OUT_OF_MEMORY:
        with pytest.raises(MemoryError):
            forward(counting(0, [], error), {"x": torch.ones(3, 2)})
    with pytest.raises(ValueError, match="wrong"):
        forward(counting(0, [], ValueError("wrong")), {"x": torch.ones(3, 2)})
    assert not is_out_of_memory(RuntimeError("shapes cannot be multiplied"))


def test_activations_are_measured_without_weights_and_views() -> None:
    weight = torch.randn(1000, 10)

    def network(part: Any) -> torch.Tensor:
        wide = part["x"] @ weight.t()  # 1000 numbers a row; the view of the weight is not new
        return wide.view(-1, 10, 100).relu().sum(1)  # 1000 more beside it

    one = activation_bytes(network, {"x": torch.randn(1, 10)})
    assert 2 * 4000 <= one < 3 * 4000
    assert activation_bytes(network, {"x": torch.randn(3, 10)}) == 3 * one


def test_a_batch_stays_within_the_cache() -> None:
    def network(part: Any) -> torch.Tensor:
        return (part["x"].repeat(1, 2**20)).sum(1, keepdim=True)  # 4 MiB a row

    assert Rows(network, CPU).fit({"x": torch.ones(64, 1)}) == 32 // 4 - 1
    assert Rows(lambda part: part["x"], CPU).fit({"x": torch.ones(1000, 1)}) == 32
    assert Rows(lambda part: part["x"].repeat(1, 2**25), CPU).fit({"x": torch.ones(64, 1)}) == 1


def test_the_next_part_is_under_way_before_one_is_computed() -> None:
    begun: list[int] = []

    def begin(part: int) -> int:
        begun.append(part)
        return part

    seen = [(item, len(begun)) for item in one_ahead(map(begin, range(3)))]
    assert seen == [(0, 2), (1, 3), (2, 3)]
    assert list(one_ahead([])) == []


# Devices


def test_devices_by_name() -> None:
    assert choose("cpu") == CPU
    assert choose().type in ("cpu", "cuda")
    with pytest.raises(HilumError) as unknown:
        choose("toaster")
    assert unknown.value.code is ErrorCode.INVALID_ARGUMENT
    with pytest.raises(HilumError) as absent:
        choose("cuda:97")
    assert absent.value.code is ErrorCode.FAILED_PRECONDITION and "HILUM_DEVICE=cpu" in absent.value.client_message
    assert "threads" in describe(CPU)


@pytest.mark.parametrize("name", ["hilum-cxr-clip", "hilum-cxr-dino"])
def test_every_tensor_of_a_pass_follows_the_encoder_to_its_device(name: str) -> None:
    """`meta` computes shapes alone, and refuses, as CUDA does, tensors that were left in main memory."""
    encoder = Registry.bundled().get(name)
    assert isinstance(encoder, TorchEncoder)
    grey = torch.from_numpy(np.stack(prepared(encoder, 2)))
    encoder.move(torch.device("meta"))
    assert encoder.network.image(encoder.pixels(grey.to("meta"))).shape == (2, encoder.spec.dim)


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"cpu.max": "200000 100000\n"}, 2), ({"cpu.max": "150000 100000\n"}, 2), ({"cpu.max": "max 100000\n"}, None),
        ({"cpu/cpu.cfs_quota_us": "400000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 4),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None), ({}, None),
    ],
)  # fmt: skip
def test_a_containers_quota_of_cores_is_found(tmp_path: Path, files: dict[str, str], cores: int | None) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert quota(tmp_path) == cores


# Paths

INSTALLED = [name for name in ("onnxruntime", "openvino") if importlib.util.find_spec(name)]


@pytest.mark.parametrize("path", ["channels-last", "bfloat16", "onednn", "int8", "channels-last+bfloat16", *INSTALLED])
def test_a_path_keeps_vectors_of_films_and_leaves_words_and_gradients_alone(path: str) -> None:
    plain, fast = make(), make()
    films = prepared(plain)
    words, seen = plain.encode_texts(["edema"]), by_gradient(plain, films[0], plain.encode_images(films[:1])[0], 2)
    paths.take(fast, path)
    assert fast.path == path
    cosine = tuning.least_cosine(tuning.vectors(fast, films), tuning.vectors(plain, films))
    assert cosine >= tuning.MIN_COSINE, cosine
    np.testing.assert_array_equal(fast.encode_texts(["edema"]), words)
    np.testing.assert_allclose(by_gradient(fast, films[0], plain.encode_images(films[:1])[0], 2), seen, atol=1e-6)
    for count in (1, 2, 5):  # any number of films
        np.testing.assert_allclose(fast.encode_images(films[:count]), fast.encode_images(films)[:count], atol=2e-2)


@pytest.mark.parametrize("path", ["int8", "bfloat16"])
def test_a_path_really_is_another_way(path: str) -> None:
    """Or the test above would hold for one that does nothing."""
    plain, fast = make(), make()
    paths.take(fast, path)
    assert not np.array_equal(plain.encode_images(prepared(plain)), fast.encode_images(prepared(fast)))


@pytest.mark.slow
def test_compiled_networks_keep_vectors() -> None:
    plain, fast = make(), make()
    paths.take(fast, "compile")
    films = prepared(plain)
    np.testing.assert_allclose(fast.encode_images(films), plain.encode_images(films), atol=1e-5)


def test_steps_that_are_unknown_or_not_installed_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(HilumError) as unknown:
        paths.take(make(), "warp")
    assert unknown.value.code is ErrorCode.INVALID_ARGUMENT and "onednn" in unknown.value.client_message
    monkeypatch.setitem(paths.STEPS, "absent", ("absent_runtime",))  # type: ignore[index]
    with pytest.raises(HilumError) as absent:
        paths.take(make(), "absent")
    assert "hilum[accelerate]" in absent.value.client_message


# Measuring and choosing


def test_measuring_tells_what_is_usable_and_choosing_takes_the_fastest_of_it() -> None:
    films = prepared(make(), 4)
    found = {m.path: m for m in tuning.measure(make, CPU, ["onednn", "warp"], films, rounds=1)}
    assert found["eager"].gain == 1 and found["eager"].films_per_second > 0
    assert found["onednn"].usable and found["onednn"].cosine > 0.99999
    assert found["warp"].why_not and not found["warp"].usable


def test_neither_other_vectors_nor_small_gains_are_chosen() -> None:
    eager = tuning.Measured("eager", 10, 1.0, 1.0)
    wrong, little = tuning.Measured("int8", 40, 4.0, 0.9989), tuning.Measured("onednn", 10.4, 1.04, 1.0)
    broken, good = tuning.Measured("compile", why_not="no"), tuning.Measured("bfloat16", 20, 2.0, 0.9991)
    assert tuning.choose([eager, wrong, little, broken]) is eager
    assert tuning.choose([eager, wrong, good, little]) is good


def test_a_vector_that_is_no_number_is_another_vector() -> None:
    one = [np.ones((2, 1), np.float32)]
    assert tuning.least_cosine([np.array([[1], [np.nan]], np.float32)], one) == -1


def test_a_choice_holds_for_one_encoder_machine_and_set_of_libraries(tmp_path: Path) -> None:
    where = tuning.here(make().spec, CPU)
    assert where["torch"] and where["device"] == describe(CPU)
    tuning.keep(tmp_path, "net", where, tuning.Measured("int8", 1, 1.5, 0.9995))
    tuning.keep(tmp_path, "net", {**where, "device": "another"}, tuning.Measured("bfloat16", 1, 3, 0.9995))
    assert tuning.kept(tmp_path, "net", where) == "int8"
    assert tuning.kept(tmp_path, "net", {**where, "torch": "3.0"}) is None
    tuning.keep(tmp_path, "net", where, tuning.Measured("onednn", 1, 2, 1.0))
    assert tuning.kept(tmp_path, "net", where) == "onednn"
    (tmp_path / "net.json").write_text('{"not": "ours"}')
    assert tuning.kept(tmp_path, "net", where) is None


def tuned(folder: Path, path: str) -> Path:
    """A folder where somebody has chosen `path` for the encoder of these tests."""
    tuning.keep(folder, "net", tuning.here(make().spec, CPU), tuning.Measured(path, 1, 2, 1.0))
    return folder


def test_loading_takes_the_chosen_path(tmp_path: Path) -> None:
    assert accelerated(make, "cpu", tmp_path).path == "eager"  # type: ignore[attr-defined]
    encoder = accelerated(make, "cpu", tuned(tmp_path, "onednn"))
    assert isinstance(encoder, TorchEncoder) and encoder.path == "onednn"
    assert encoder.spec == make().spec, "a path is no other encoder"


def test_loading_falls_back_to_plain_float32_where_vectors_differ_or_the_path_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    films = prepared(make())
    wanted = make().encode_images(films)

    def spoilt(encoder: TorchEncoder, path: str) -> None:
        encoder.network.module.wide.weight.mul_(-1)
        encoder.take(path, encoder.network.image)

    for broken in (spoilt, lambda encoder, path: 1 / 0):
        monkeypatch.setattr(paths, "take", broken)
        encoder = accelerated(make, "cpu", tuned(tmp_path, "onednn"))
        assert isinstance(encoder, TorchEncoder) and encoder.path == "eager"
        np.testing.assert_array_equal(encoder.encode_images(films), wanted)
    events = [json.loads(record.message)["event"] for record in caplog.records]
    assert "encoder.path_refused" in events and "encoder.path_failed" in events


def test_the_command_measures_and_the_next_start_takes_what_it_chose(tmp_path: Path) -> None:
    asked = ["models", "tune", "hilum-cxr-dino", "--paths", "onednn,warp", "--films", "2", "--json"]
    answer = CliRunner().invoke(app, [*asked, "--data", str(tmp_path)])
    assert answer.exit_code == 0, answer.output
    told = json.loads(answer.stdout)["hilum-cxr-dino"]
    assert [m["path"] for m in told["measured"]] == ["eager", "onednn", "warp"]
    assert told["measured"][1]["cosine"] > 0.99999 and told["measured"][2]["why_not"]
    encoder = Registry.open(Settings(tmp_path)).get("hilum-cxr-dino")
    assert isinstance(encoder, TorchEncoder) and encoder.path == told["chosen"]


def test_an_encoder_that_runs_elsewhere_is_left_alone() -> None:
    far = object()
    assert accelerate.accelerated(lambda: far, "cpu") is far  # type: ignore[arg-type, return-value]


def test_probe_films_are_the_same_everywhere_and_differ_from_each_other() -> None:
    films = probe_films(3)
    assert [film.display.shape for film in films] == [(512, 448)] * 3
    assert len({film.display.tobytes() for film in films}) == 3
    assert all(film.display.std() > 20 for film in films)
    np.testing.assert_array_equal(films[0].display, probe_films(1)[0].display)
