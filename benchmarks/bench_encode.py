"""Many callers with one film or one text each: batches that they share against one forward pass for each.

    python benchmarks/bench_encode.py                # 16 callers, the bundled image-text encoder
    python benchmarks/bench_encode.py --vit-b        # films only, a ViT-B/16 with random weights: a real one's cost

Both sides are the Encode service itself, with its queues, its decoders and its threads; one may put 32 items into a
batch, the other a single one. Texts are never the same twice, so the cache helps neither. Rounds alternate, so that
what else the machine does hits both. `alone` is one caller by himself: the films a second that he gets from the
service, over those of decoding and encoding in a plain loop.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.bench_ingest import vit_b
from hilum.v1.encode_pb2 import EncodeImagesRequest, EncodeTextsRequest
from services.core.facts import open_facts
from services.encoders.registry import Registry
from services.ingest.decode_pool import DecodePool
from services.ingest.encode_api import EncodeApi
from services.ingest.encode_lanes import PER_BATCH, EncodeLanes
from services.phantom.film import display, render
from services.phantom.train.data import films_of
from services.transport.edge import Call

CALL = Call("bench")


def throughput(ask: Callable[[int], object], callers: int, seconds: float) -> float:
    """Answers per second of `callers` that each ask again as soon as they are answered."""
    number, until = itertools.count(), time.perf_counter() + seconds

    def one(_: int) -> int:
        done = 0
        while time.perf_counter() < until:
            ask(next(number))
            done += 1
        return done

    started = time.perf_counter()
    with ThreadPoolExecutor(callers) as threads:
        return sum(threads.map(one, range(callers))) / (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--callers", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=3.0, help="of one round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2, help="decode children")
    parser.add_argument("--vit-b", action="store_true", help="a ViT-B/16 instead of the bundled encoder; films only")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()

    registry = Registry({"vit-b-random": vit_b}) if options.vit_b else Registry.bundled()
    model = registry.names()[0]
    encoder = registry.get(model)
    with tempfile.TemporaryDirectory() as home:
        facts, pool = open_facts(f"sqlite:///{home}/facts.db"), DecodePool(options.workers)
        films = []
        for number, film in enumerate(films_of(16, seed=1)):
            path = Path(home) / f"{number}.png"
            Image.fromarray(display(render(film, 256))).save(path)
            films.append(path.read_bytes())
        sides = {
            "batched": EncodeApi(facts, registry, pool, EncodeLanes(pool, per_batch=PER_BATCH)),
            "single": EncodeApi(facts, registry, pool, EncodeLanes(pool, per_batch=1)),
        }
        words = itertools.count()

        def film_of(api: EncodeApi) -> Callable[[int], object]:
            return lambda n: api.encode_images(EncodeImagesRequest(model=model, images=[films[n % 16]]), CALL)

        def text_of(api: EncodeApi) -> Callable[[int], object]:
            return lambda _: api.encode_texts(
                EncodeTextsRequest(model=model, texts=[f"pleural effusion number {next(words)}"]), CALL
            )

        def bare(n: int) -> object:
            return encoder.encode_images(np.stack([encoder.preprocess(pool.decode(films[n % 16]).film)]))

        kinds = {"films": film_of} | ({} if encoder.spec.text_space is None else {"texts": text_of})
        result: dict[str, object] = {
            "model": model, "callers": options.callers, "seconds": options.seconds, "rounds": options.rounds,
            "cores": os.cpu_count(),
        }  # fmt: skip
        for kind, asks in kinds.items():
            measured: dict[str, list[float]] = {side: [] for side in sides}
            for api in sides.values():
                throughput(asks(api), options.callers, 0.5)
            for _, (side, api) in itertools.product(range(options.rounds), sides.items()):
                measured[side].append(throughput(asks(api), options.callers, options.seconds))
            for side, figures in measured.items():
                result[f"{kind}_per_second_{side}"] = round(statistics.median(figures), 1)
            result[f"{kind}_ratio"] = round(
                statistics.median(a / b for a, b in zip(measured["batched"], measured["single"], strict=True)), 2
            )
        pairs = [
            (throughput(film_of(sides["batched"]), 1, options.seconds), throughput(bare, 1, options.seconds))
            for _ in range(options.rounds)
        ]
        result["alone_ratio"] = round(statistics.median(with_ / without for with_, without in pairs), 2)
        for api in sides.values():
            api.close()
        pool.close()
        facts.close()
    print(json.dumps(result) if options.json else "\n".join(f"{name:>28}  {value}" for name, value in result.items()))


if __name__ == "__main__":
    main()
