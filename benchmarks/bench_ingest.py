"""A whole ingest against the bare forward loop of the same encoders on films already decoded and prepared.

    python benchmarks/bench_ingest.py                    # 192 phantom films of 512 pixels, the bundled encoders
    python benchmarks/bench_ingest.py --n 96 --vit-b     # ... and a ViT-B/16 with random weights, as heavy as real ones

The ingest reads and gates DICOM, decodes in confined children, hashes, makes thumbnails, prepares, encodes, writes
vectors durably to the embedded engine and commits facts; the loop does nothing but the forward passes, in the same
batches with the same threads. Rounds alternate, so that what else the machine does hits both; each ingests films of its
own into one growing archive. The ratio says how much of the encoders' own speed an ingest keeps. What an archive's very
first ingest does once, making collections with their payload indexes, is told apart.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from services.core.blobs import Blobs
from services.core.config import Settings
from services.core.facts import jobs, open_facts
from services.core.ids import load_secret
from services.core.store import VectorStore
from services.core.types import JobState
from services.encoders.base import Encoder, Prepared
from services.encoders.preprocess import Levels, Recipe, ShortestEdgeCrop
from services.encoders.registry import Registry
from services.engine.supervisor import EngineProcess
from services.ingest.decode import decode
from services.ingest.decode_pool import DecodePool
from services.ingest.jobs import KIND, IngestWorker
from services.ingest.pipeline import BATCH_FILMS, Plan
from services.ingest.sources.files import list_films
from services.phantom.write import write_archive


def vit_b() -> Encoder:
    """ViT-B/16 at 224 pixels with random weights: the cost of a real encoder, and no use otherwise."""
    import_module("services.encoders.torchvision_compat")  # transformers needs it to be first
    import torch
    from transformers import ViTConfig, ViTModel

    from services.encoders.network import Checkpoint, Network, TorchEncoder

    torch.manual_seed(0)
    model = ViTModel(ViTConfig(), add_pooling_layer=False)
    return TorchEncoder(Checkpoint(Path(), "vit-b-random", "0"), Network(
        module=model, weights=(), recipe=Recipe(Levels(), ShortestEdgeCrop(224, 224)), pooling="cls", dim=768,
        image=lambda pixels: model(pixels).last_hidden_state[:, 0],
    ))  # fmt: skip


def cpu_seconds(pids: list[int]) -> float:
    """CPU time of this process and of `pids` so far: what a busy machine does not change."""
    ticks = sum(sum(map(int, Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13])) for pid in pids)
    return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")


def bare_loop(encoders: list[Encoder], prepared: dict[str, Prepared]) -> float:
    """Seconds for every film through every encoder."""
    started = time.perf_counter()
    for encoder in encoders:
        films = prepared[encoder.spec.name]
        for start in range(0, len(films), BATCH_FILMS):
            encoder.encode_images(films[start : start + BATCH_FILMS])
    return time.perf_counter() - started


class Archive:
    """One that grows by a job after the other."""

    def __init__(self, home: Path, registry: Registry, store: VectorStore, pool: DecodePool) -> None:
        settings = Settings(data_dir=home / "data")
        self.facts, blobs = open_facts(settings.facts), Blobs(settings.data_dir / "blobs")
        secret = load_secret(settings.data_dir)
        self._worker = IngestWorker(settings, self.facts, store, blobs, registry, pool, secret)
        self._worker.start()

    def ingest(self, films: Path) -> float:
        """Seconds from the first film read to the last one committed: the job's own figure, models loaded before."""
        plan = Plan(str(films), films.name, labels=str(films / "labels.csv"), keep_ids=True)
        job = jobs.submit(self.facts, KIND, asdict(plan))
        while not (done := jobs.get(self.facts, job.job_id)).state.final:
            time.sleep(0.25)  # to ask costs CPU, too; the seconds are the job's own
        assert done.state is JobState.SUCCEEDED and done.progress.counts == {"stored": done.progress.total}, done
        return float(str(done.result["elapsed_seconds"]))

    def close(self) -> None:
        self._worker.stop()
        self.facts.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=192, help="films")
    parser.add_argument("--size", type=int, default=512, help="pixels of a side")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2, help="decode children")
    parser.add_argument("--threads", type=int, default=0, help="of a forward pass; 0: as torch chooses")
    parser.add_argument("--vit-b", action="store_true", help="a ViT-B/16 instead of the bundled encoders")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()

    from services.encoders.runtime import set_threads

    set_threads(options.threads)
    home = Path(tempfile.mkdtemp(prefix="hilum-bench-"))
    pool = DecodePool(options.workers)
    try:
        films = [home / f"films-{turn}" for turn in range(options.rounds + 1)]
        for seed, folder in enumerate(films, 1):
            write_archive(folder, options.n, seed, options.size, workers=os.cpu_count() or 1)
        registry = Registry({"vit-b-random": vit_b}) if options.vit_b else Registry.bundled()
        encoders = [registry.get(name) for name in registry.names()]
        decoded = [decode(listed.read()).film for listed in list_films(films[0])]
        prepared = {e.spec.name: np.stack([e.preprocess(film) for film in decoded]) for e in encoders}
        loops, ingests, spent = [], [], list[tuple[float, float]]()
        with EngineProcess(home / "engine", log_file=home / "engine.log") as engine:
            store = VectorStore(engine.url)
            bare_loop(encoders, {name: films_[:BATCH_FILMS] for name, films_ in prepared.items()})
            archive = Archive(home, registry, store, pool)
            first = archive.ingest(films[0])
            for folder in films[1:]:
                others = [*pool.pids(), engine.pid or 0]
                before = cpu_seconds(others)
                loops.append(bare_loop(encoders, prepared))
                between = cpu_seconds(others)
                ingests.append(archive.ingest(folder))
                spent.append((between - before, cpu_seconds(others) - between))
            archive.close()
            store.close()
        loop, whole = statistics.median(loops), statistics.median(ingests)
        result = {
            "films": len(decoded), "size": options.size, "models": registry.names(), "rounds": options.rounds,
            "decode_workers": options.workers, "threads": options.threads,
            "loop_films_per_second": round(len(decoded) / loop, 1),
            "ingest_films_per_second": round(len(decoded) / whole, 1),
            "ratio": round(statistics.median(a / b for a, b in zip(loops, ingests, strict=True)), 3),
            "ratio_in_cpu_seconds": round(statistics.median(a / b for a, b in spent), 3),
            "seconds_of_the_first": round(first, 1), "seconds_of_a_later": round(whole, 1),
            "ingest_cpu_seconds_per_film": round(statistics.median(b for _, b in spent) / len(decoded), 4),
        }  # fmt: skip
        print(json.dumps(result) if options.json else "\n".join(f"{name:>24}  {v}" for name, v in result.items()))
    finally:
        pool.close()
        shutil.rmtree(home)


if __name__ == "__main__":
    main()
