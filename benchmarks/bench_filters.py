"""Filtered search against exact search, by how few films pass the filter and how they lie; and counts of films.

    python benchmarks/bench_filters.py                           # smoke: 5,000 x 128
    python benchmarks/bench_filters.py --n 100000                # recall@10 and times at 50 %, 10 %, 1 %, 0.1 %

One embedded engine, one set of clustered unit vectors, one graph. The exact answer is the engine's own, by comparing
every film that passes. How the films that pass lie:

keyword, range, both     anywhere: the filter knows nothing of the vectors
listed                   anywhere, as a list of ids (`filters.resolve`)
near, far                in clusters, of which the query's is one, or is not: what a graph finds hardest
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[1] / "client")]

# ruff: noqa: E402 - the tree need not be installed
from benchmarks.bench_engine import table
from benchmarks.bench_query import K, record, spec, wait_for_graph
from services.core.facts import Facts, images, open_facts
from services.core.facts.images import Stored
from services.core.filters import Expr, Within, all_of, compare, equals, to_qdrant
from services.core.filters.ast import Operator
from services.core.ids import image_id
from services.core.store import VectorStore, payload
from services.core.types import ImageRecord
from services.engine.supervisor import EngineProcess
from services.query.facets import facets

SHARES = (0.5, 0.1, 0.01, 0.001)
FORMS = ("keyword", "range", "both", "listed", "near", "far")
COUNTED = ("", 'view = "PA"', 'view = "PA" AND age >= 40 AND labels.edema = present', 'NOT patient_id = "p-3"')


def vectors(n: int, dim: int, rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """(n, dim) float32 unit vectors around n / 100 centres, and the centre of each."""
    centres = rng.normal(size=(max(10, n // 100), dim)).astype(np.float32)
    kind = rng.integers(len(centres), size=n)
    out = centres[kind] + 1.2 * rng.normal(size=(n, dim)).astype(np.float32)
    return out / np.linalg.norm(out, axis=1, keepdims=True), kind


def film(number: int, kind: int, draw: NDArray[np.float64]) -> ImageRecord:
    """A film: `manufacturer` by chance, `device` by its vector's centre, `age` and `study_order` anywhere."""
    one_in = next((f"one-in-{round(1 / share)}" for share in SHARES[::-1] if draw[0] < share), "any")
    return replace(
        record(number), manufacturer=one_in, device=f"kind-{kind}", age=float(draw[1] * 90),
        pixel_spacing=float(draw[2]), institution="half" if draw[3] < 0.5 else "other",
    )  # fmt: skip


def fill(store: VectorStore, facts: Facts, base: NDArray[np.float32], kinds: NDArray[np.int64], seed: int) -> None:
    model, draws = spec(base.shape[1]), np.random.default_rng(seed).random((len(base), 4))
    store.ensure(model)
    started = time.perf_counter()
    for start in range(0, len(base), 5_000):
        part = range(start, min(start + 5_000, len(base)))
        films = [film(n, int(kinds[n]), draws[n]) for n in part]
        store.upsert(model, [f.image_id for f in films], base[part.start : part.stop], [payload(f) for f in films])
        images.commit(facts, [Stored(f, "0" * 64, (model.fingerprint,)) for f in films])
        print(f"\rstored {part.stop} in {time.perf_counter() - started:.0f} s", end="", file=sys.stderr)
    print(file=sys.stderr)


def condition(form: str, share: float, kind: int, kinds: int, n: int, rng: np.random.Generator) -> Expr:
    """A filter that about `share` of the films pass; kind: the query's own centre, of `kinds`."""
    match form:
        case "keyword":
            return any_keyword(share)
        case "range":
            return compare("age", Operator.LT, 90 * share)
        case "both":
            both = all_of(equals("institution", "half"), compare("pixel_spacing", Operator.LT, 2 * share))
            assert both is not None
            return both
        case "listed":
            chosen = rng.choice(n, max(K, round(n * share)), replace=False)
            return Within("image_id", tuple(image_id("bench", str(number)) for number in chosen))
        case _:
            others = [other for other in range(kinds) if other != kind]
            chosen = rng.choice(others, max(1, round(kinds * share)) - (form == "near"), replace=False).tolist()
            return Within("device", tuple(f"kind-{one}" for one in ([kind] if form == "near" else []) + chosen))


def any_keyword(share: float) -> Expr:
    return Within("manufacturer", tuple(f"one-in-{round(1 / s)}" for s in SHARES if s <= share))


def measure(
    store: VectorStore, queries: NDArray[np.float32], own: NDArray[np.int64], kinds: int, n: int, seed: int
) -> list[dict[str, Any]]:
    rng, model, rows = np.random.default_rng(seed), spec(queries.shape[1]), []
    for form in FORMS:
        for share in SHARES:
            recalls, fast, slow = [], [], []
            for query, kind in zip(queries, own, strict=True):
                where = to_qdrant(condition(form, share, int(kind), kinds, n, rng))
                found = timed(store, model, query, where, False, fast)
                exact = timed(store, model, query, where, True, slow)
                if exact:
                    recalls.append(len(found & exact) / len(exact))
            if not recalls:  # too few films for a share so small: none passes
                continue
            rows.append({
                "filter": form, "share": share, "recall@10": float(np.mean(recalls)), "least": float(np.min(recalls)),
                "p50_ms": float(np.median(fast)), "exact_p50_ms": float(np.median(slow)),
                "x_exact": float(np.median(fast) / np.median(slow)),
            })  # fmt: skip
    return rows


def timed(
    store: VectorStore, model: Any, query: NDArray[np.float32], where: Any, exact: bool, times: list[float]
) -> set[str]:  # fmt: skip
    started = time.perf_counter()
    found = store.query(model, [query], K, where, exact)[0]
    times.append((time.perf_counter() - started) * 1e3)
    return {one.image_id for one in found}


def counts(facts: Facts, rounds: int) -> list[dict[str, Any]]:
    rows = []
    for text in COUNTED:
        wall, cpu = [], []
        for _ in range(rounds + 1):
            started, used = time.perf_counter(), time.process_time()
            total = facets(facts, text).total
            wall.append((time.perf_counter() - started) * 1e3)
            cpu.append((time.process_time() - used) * 1e3)
        rows.append({
            "facets of": text or "everything", "films": total, "first_ms": wall[0],
            "p50_ms": float(np.median(wall[1:])), "cpu_ms": float(np.median(cpu[1:])),
        })  # fmt: skip
    return rows


def run(args: argparse.Namespace, folder: Path) -> dict[str, Sequence[dict[str, Any]]]:
    both, kinds = vectors(args.n + args.queries, args.dim, np.random.default_rng(args.seed))
    facts = open_facts(f"sqlite:///{folder / 'facts.db'}")
    with EngineProcess(folder / "data", log_file=folder / "engine.log", index_after=args.n) as engine:
        store = VectorStore(engine.url, timeout=300)
        fill(store, facts, both[: args.n], kinds[: args.n], args.seed)
        wait_for_graph(engine.url, spec(args.dim))
        found = measure(store, both[args.n :], kinds[args.n :], int(kinds.max()) + 1, args.n, args.seed)
        store.close()
    counted = counts(facts, args.rounds)
    facts.close()
    return {"filtered": found, "counts": counted}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--n", type=int, default=5_000)
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--queries", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write all figures here")
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="bench-filters-"))
    try:
        figures = run(args, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{args.n} x {args.dim}, recall@{K}, load {os.getloadavg()[0]:.1f}\n")
    table(list(figures["filtered"]))
    table(list(figures["counts"]))
    if args.json:
        args.json.write_text(json.dumps({"n": args.n, "dim": args.dim, **figures}, indent=1))


if __name__ == "__main__":
    main()
