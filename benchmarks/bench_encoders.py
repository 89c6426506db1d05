"""Encoders of real sizes on every path, against the loop that users of transformers write; and five models in one pass.

    python benchmarks/bench_encoders.py                    # about 4 minutes on 2 cores
    python benchmarks/bench_encoders.py --only passes      # five models in one ingest over five ingests
    python benchmarks/bench_encoders.py --only rad-dino --paths eager,bfloat16

The loop: for each film, the checkpoint's image processor as `AutoImageProcessor` gives it, then the model, in float32
(`loop`), or eight films together (`loop of 8`). Both sides begin with decoded films and end with vectors. Weights are
random, which changes no time; cosines are against the loop's vectors and say what a path does to a random network, not
to a trained one: `hilum models tune` measures those. Sides alternate round by round, so that what else the machine does
hits both.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from services.encoders.network import Checkpoint, Network, TorchEncoder

# isort: split
import torch
import transformers
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode

from services.core.blobs import Blobs
from services.core.config import Settings
from services.core.facts import jobs, open_facts
from services.core.ids import load_secret
from services.core.store import VectorStore
from services.core.types import Film, JobState
from services.encoders.device import choose, describe
from services.encoders.paths import candidates, take
from services.encoders.preprocess import Levels, Recipe, ShortestEdgeCrop, Squash
from services.encoders.registry import Registry
from services.encoders.runtime import set_threads
from services.encoders.tuning import least_cosine
from services.engine.supervisor import EngineProcess
from services.ingest.decode_pool import DecodePool
from services.ingest.jobs import KIND, IngestWorker
from services.ingest.pipeline import Plan
from services.phantom.film import display, render
from services.phantom.train.data import films_of
from services.phantom.write import write_archive

LEAN = ("eager", "onednn", "bfloat16")  # of the largest model, whose every film takes seconds


@dataclass(frozen=True)
class Size:
    """A network as large as a real one. films: in a round; each takes a while.  paths: None for all."""

    build: Callable[[], torch.nn.Module]
    processor: Any
    recipe: Recipe
    dim: int
    films: int
    pooled: Callable[[Any], torch.Tensor] = lambda found: found.last_hidden_state[:, 0]
    paths: Sequence[str] | None = None

    def encoder(self) -> TorchEncoder:
        model = self.model()
        return TorchEncoder(Checkpoint(Path(), "random", "0"), Network(
            module=model, weights=(), recipe=self.recipe, pooling="bench", dim=self.dim,
            image=lambda pixels: self.pooled(model(pixel_values=pixels)),
        ))  # fmt: skip

    def model(self) -> torch.nn.Module:
        """The same weights every time."""
        torch.manual_seed(0)
        return self.build().eval()


def _vit() -> Size:
    config = transformers.ViTConfig()
    return Size(
        lambda: transformers.ViTModel(config, add_pooling_layer=False), transformers.ViTImageProcessor(),
        Recipe(Levels(), Squash(224, "bilinear")), 768, 8,
    )  # fmt: skip


def _rad_dino() -> Size:
    config = transformers.Dinov2Config(image_size=518, patch_size=14)
    mean, std = (0.5307,) * 3, (0.2583,) * 3
    processor = transformers.BitImageProcessor(
        size={"shortest_edge": 518}, crop_size={"height": 518, "width": 518}, image_mean=mean, image_std=std
    )
    recipe = Recipe(Levels(), ShortestEdgeCrop(518, 518, rounding="floor"), mean, std)
    return Size(lambda: transformers.Dinov2Model(config), processor, recipe, 768, 2)


def _siglip() -> Size:
    """Nine of the 27 layers of SigLIP-so400m, which are all alike."""
    config = transformers.SiglipVisionConfig(
        hidden_size=1152, intermediate_size=4304, num_hidden_layers=9, num_attention_heads=16, image_size=448,
        patch_size=14,
    )  # fmt: skip
    processor = transformers.SiglipImageProcessor(size={"height": 448, "width": 448}, resample=3)
    return Size(
        lambda: transformers.SiglipVisionModel(config), processor, Recipe(Levels(), Squash(448)), 1152, 1,
        lambda found: found.pooler_output, LEAN,
    )  # fmt: skip


SIZES = {"vit-b-16": _vit, "rad-dino": _rad_dino, "siglip-448-third": _siglip}


def films(count: int) -> list[Film]:
    """Phantom films of 512 pixels, decoded."""
    shown = [display(render(film)) for film in films_of(count, seed=1)]
    return [Film(pixels, pixels.astype(np.uint16) * 257) for pixels in shown]


def loop(model: torch.nn.Module, size: Size, given: Sequence[Film], at_once: int, device: torch.device) -> np.ndarray:
    """What users write. Films open as RGB pictures."""
    found = []
    with torch.no_grad():
        for start in range(0, len(given), at_once):
            pictures = [Image.fromarray(film.display).convert("RGB") for film in given[start : start + at_once]]
            inputs = size.processor(images=pictures, return_tensors="pt").to(device)
            found.append(size.pooled(model(**inputs)).cpu())
    return torch.nn.functional.normalize(torch.cat(found), dim=-1).numpy()


def ours(encoder: TorchEncoder, given: Sequence[Film]) -> np.ndarray:
    """What an ingest does with decoded films."""
    return encoder.encode_images([encoder.preprocess(film) for film in given])


def against_loop(name: str, paths: Sequence[str], rounds: int, device: torch.device) -> dict[str, Any]:
    """Each path over the plain loop, with how much of a large matrix product's speed it reaches."""
    size = SIZES[name]()
    given, plain = films(size.films), size.model().to(device)
    one = partial(loop, plain, size, given, 1, device)
    wanted = one()
    rows = []
    for path in ["loop of 8", *paths]:
        encoder = None
        if path == "loop of 8":
            run = partial(loop, plain, size, given, min(8, len(given)), device)
        else:
            encoder = size.encoder()
            encoder.move(device)
            try:
                take(encoder, path)
            except Exception as error:
                print(f"{name} {path}: {type(error).__name__}: {error}".splitlines()[0], file=sys.stderr)
                continue
            run = partial(ours, encoder, given)
        cosine = least_cosine([run()], [wanted])
        times = [(_times(one), _times(run)) for _ in range(rounds)]
        rows.append({
            "path": path, "films_per_second": len(given) / statistics.median(fast for _, (fast, _) in times),
            "over_loop": statistics.median(slow / fast for (slow, _), (fast, _) in times),
            "over_loop_in_cpu_seconds": statistics.median(slow / fast for (_, slow), (_, fast) in times),
            "loop_films_per_second": len(given) / statistics.median(slow for (slow, _), _ in times), "cosine": cosine,
        })  # fmt: skip
        del encoder, run
        gc.collect()
    flops = _flops(size, plain, given[:1], device)
    peak = {half: _peak(device, getattr(torch, half)) for half in ("float32", "bfloat16")}
    for row in rows:
        half = "bfloat16" if "16" in row["path"] else "float32"
        row["share_of_peak"] = None if "int8" in row["path"] else row["films_per_second"] * flops / peak[half]
    return {"model": name, "gflop_per_film": flops / 1e9, "films": len(given), "rows": rows,
            "peak_gflops": {half: value / 1e9 for half, value in peak.items()}}  # fmt: skip


def _flops(size: Size, model: torch.nn.Module, given: Sequence[Film], device: torch.device) -> float:
    with FlopCounterMode(display=False) as counted:
        loop(model, size, given, 1, device)
    return float(counted.get_total_flops())


def _peak(device: torch.device, dtype: torch.dtype) -> float:
    """FLOP/s of a large matrix product, the best of a few: what torch, or oneDNN, can get out of this device."""
    side = 8192 if device.type == "cuda" else 2048
    a, b = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    products: list[Callable[[], torch.Tensor]] = [lambda: a @ b]
    if device.type == "cpu" and dtype == torch.float32:
        packed = torch.ops.mkldnn._reorder_linear_weight(b, None)
        products.append(lambda: torch.ops.mkldnn._linear_pointwise(a, packed, None, "none", [], ""))
    took = [_seconds(lambda run=run: run()[0, 0].item()) for run in products for _ in range(6)]
    return 2 * side**3 / min(took)


def one_pass_over_five(count: int, size: int, rounds: int, device: torch.device) -> dict[str, Any]:
    """Five small ViTs in one ingest, which decodes each film once, over an ingest for each."""
    names = [f"vit-{letter}" for letter in "abcde"]
    registry = Registry({name: partial(_small, name) for name in names})
    for name in names:
        registry.get(name).move(device)  # type: ignore[attr-defined]
    home = Path(tempfile.mkdtemp(prefix="hilum-bench-"))
    pool = DecodePool(2)
    once, apart = list[float](), list[float]()
    try:
        write_archive(home / "films", count, seed=1, size=size, workers=os.cpu_count() or 1)
        with EngineProcess(home / "engine", log_file=home / "engine.log") as engine:
            store = VectorStore(engine.url)
            for turn in range(rounds + 1):  # the first warms up
                together = _ingests(home, store, registry, pool, [names])
                alone = _ingests(home, store, registry, pool, [[name] for name in names])
                if turn:
                    once.append(together)
                    apart.append(alone)
            store.close()
    finally:
        pool.close()
        shutil.rmtree(home)
    return {
        "films": count, "size": size, "one_pass_films_per_second": count / statistics.median(once),
        "five_passes_films_per_second": count / statistics.median(apart),
        "one_over_five": statistics.median(five / one for one, five in zip(once, apart, strict=True)),
    }  # fmt: skip


def _small(name: str) -> TorchEncoder:
    """A ViT-Ti/16 of random weights."""
    torch.manual_seed(sum(map(ord, name)))
    config = transformers.ViTConfig(hidden_size=192, num_hidden_layers=12, num_attention_heads=3, intermediate_size=768)
    model = transformers.ViTModel(config, add_pooling_layer=False).eval()
    return TorchEncoder(Checkpoint(Path(), name, "0"), Network(
        module=model, weights=(), recipe=Recipe(Levels(), Squash(224, "bilinear")), pooling="cls", dim=192,
        image=lambda pixels: model(pixel_values=pixels).last_hidden_state[:, 0],
    ))  # fmt: skip


def _ingests(
    home: Path, store: VectorStore, registry: Registry, pool: DecodePool, passes: Sequence[Sequence[str]]
) -> float:  # fmt: skip
    """Seconds of these ingests of the same films, each with some of the models, into one empty archive."""
    data = Path(tempfile.mkdtemp(dir=home))
    settings = Settings(data_dir=data)
    facts = open_facts(settings.facts)
    worker = IngestWorker(settings, facts, store, Blobs(data / "blobs"), registry, pool, load_secret(data))
    worker.start()
    took = 0.0
    for models in passes:
        plan = Plan(str(home / "films"), "phantom", models=tuple(models), keep_ids=True)
        job = jobs.submit(facts, KIND, asdict(plan))
        while not (done := jobs.get(facts, job.job_id)).state.final:
            time.sleep(0.02)
        assert done.state is JobState.SUCCEEDED and done.progress.counts == {"stored": done.progress.total}, done
        took += float(str(done.result["elapsed_seconds"]))
    worker.stop()
    facts.close()
    for collection in store.collections():
        store.drop(collection)
    return took


def _times(run: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU seconds; the latter say more of a processor that others use, and nothing of an accelerator."""
    started, spent = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - started, time.process_time() - spent


def _seconds(run: Callable[[], object]) -> float:
    return _times(run)[0]


def _show(result: dict[str, Any]) -> None:
    print(f"{result['model']}: {result['gflop_per_film']:.1f} GFLOP a film, {result['films']} films a round")
    print(f"{'path':>26} {'films/s':>9} {'x loop':>7} {'(CPU)':>7} {'cosine':>9} {'of peak':>8}")
    for row in result["rows"]:
        share = "" if row["share_of_peak"] is None else f"{row['share_of_peak']:8.2f}"
        print(f"{row['path']:>26} {row['films_per_second']:9.3f} {row['over_loop']:7.2f} "
              f"{row['over_loop_in_cpu_seconds']:7.2f} {row['cosine']:9.6f} {share}")  # fmt: skip
    print(flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=[*SIZES, "passes"], action="append", help="may be repeated")
    parser.add_argument("--paths", default="", help="comma-separated; default: eager and what suits the device")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--n", type=int, default=48, help="films of an ingest")
    parser.add_argument("--size", type=int, default=1024, help="pixels of such a film's side")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    transformers.logging.set_verbosity_error()
    set_threads(options.threads)
    device, wanted = choose(options.device), options.only or [*SIZES, "passes"]
    everything: dict[str, Any] = {"device": describe(device), "load_before": os.getloadavg()[0], "models": []}
    for name, size in SIZES.items():
        if name in wanted:
            paths = options.paths.split(",") if options.paths else size().paths or ["eager", *candidates(device)]
            everything["models"].append(against_loop(name, paths, options.rounds, device))
            if not options.json:
                _show(everything["models"][-1])
    if "passes" in wanted:
        everything["passes"] = one_pass_over_five(options.n, options.size, options.rounds, device)
        if not options.json:
            print("\n".join(f"{name:>30}  {value:.4g}" for name, value in everything["passes"].items()))
    everything["load_after"] = os.getloadavg()[0]
    print(json.dumps(everything) if options.json else f"{everything['device']}, load {everything['load_after']:.1f}")


if __name__ == "__main__":
    main()
