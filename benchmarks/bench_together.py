"""Maps of two models drawn together, beside umap-learn's AlignedUMAP on the same vectors.

    python benchmarks/bench_together.py                     # made-up films: one space seen twice, and strangers
    python benchmarks/bench_together.py A.arrow B.arrow     # of two models, as DATA/pulled keeps their vectors

Both draw from the 15 nearest films by cosine. Trustworthiness is scikit-learn's; apart is the mean distance of a film's
two places after Procrustes (SciPy's), in radii of the map.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import procrustes
from sklearn.manifold import trustworthiness

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

Unit = NDArray[np.float32]
K = 15
PULLS, REGULARISATIONS = (0.02, 0.05, 0.1, 0.2), (0.003, 0.01, 0.03, 0.1)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("vectors", nargs="*", type=Path)
    asked.add_argument("--films", type=int, default=1_000)
    asked.add_argument("--seed", type=int, default=0)
    given = asked.parse_args()
    if given.vectors:
        pairs = {" and ".join(path.stem[:8] for path in given.vectors): [read(path) for path in given.vectors]}
    else:
        pairs = made_up(given.films, given.seed)
    print(
        "| films | drawn by | first trust | second trust | apart | disparity | CPU s |\n|---|---|---|---|---|---|---|"
    )
    for name, (one, other) in pairs.items():
        compare(f"{name} ({len(one)})", one, other, given.seed)


def compare(name: str, one: Unit, other: Unit, seed: int) -> None:
    """A line for each way to draw."""
    from services.analytics import fuzzy, graph, layout
    from services.analytics.progress import Progress
    from services.analytics.structure.layouts import onto
    from services.analytics.structure.together import scaled

    started = time.process_time()
    near = [graph.build(unit, K, seed, Progress()) for unit in (one, other)]
    edges = [fuzzy.weights(found) for found in near]
    alone = [
        layout.project(each, unit, seed, lambda d, t: None) for each, unit in zip(edges, (one, other), strict=True)
    ]
    spent = time.process_time() - started
    line(name, "Hilum, each by itself", one, other, alone, spent)
    begun = [alone[0], scaled(onto(alone[0], alone[1]).place, alone[0])]
    for pull in PULLS:
        started = time.process_time()
        found = layout.together(edges, begun, pull, seed, lambda d, t: None)
        line(name, f"Hilum, together, pull {pull:g}", one, other, found, spent + time.process_time() - started)
    for strength in REGULARISATIONS:
        started = time.process_time()
        line(name, f"AlignedUMAP, regularisation {strength:g}", one, other, aligned(one, other, strength, seed),
             time.process_time() - started)  # fmt: skip


def aligned(one: Unit, other: Unit, strength: float, seed: int) -> list[NDArray[np.float32]]:
    """umap-learn's maps of both. It counts a film among its own neighbours."""
    import umap

    same = {row: row for row in range(len(one))}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = umap.AlignedUMAP(
            n_neighbors=K + 1, metric="cosine", random_state=seed, alignment_regularisation=strength, n_epochs=200
        )
        made.fit([one, other], relations=[same])
    return [np.asarray(place, np.float32) for place in made.embeddings_]


def line(name: str, how: str, one: Unit, other: Unit, places: list[NDArray[np.float32]], spent: float) -> None:
    trust = [
        trustworthiness(unit, place, n_neighbors=K, metric="cosine")
        for unit, place in zip((one, other), places, strict=True)
    ]
    first, second, disparity = procrustes(places[0].astype(float), places[1].astype(float))
    wide = np.sqrt((second**2).sum())  # SciPy leaves the second as small as it agrees little
    apart = np.linalg.norm(first - second / wide, axis=1).mean() * np.sqrt(len(first))
    print(
        f"| {name} | {how} | {trust[0]:.3f} | {trust[1]:.3f} | {apart:.2f} | {disparity:.3f} | {spent:.1f} |",
        flush=True,
    )


def read(path: Path) -> Unit:
    import pyarrow as pa

    with pa.OSFile(str(path)) as file:
        vectors = pa.ipc.open_file(file).read_all()["vector"].combine_chunks()
        return np.array(vectors.flatten().to_numpy()).reshape(len(vectors), -1)


def made_up(films: int, seed: int) -> dict[str, list[Unit]]:
    """Forty kinds of films; the same ones seen again, turned and with other noise; and films of other kinds."""
    random = np.random.default_rng(seed)
    centres = random.standard_normal((40, 24))
    kind = random.integers(0, 40, films)
    turn = np.linalg.qr(random.standard_normal((64, 64)))[0][:24]

    def seen(of: NDArray[np.int64], axes: NDArray[np.float64]) -> Unit:
        raw = (centres[of] + 0.8 * random.standard_normal((films, 24))) @ axes
        return np.asarray(raw / np.linalg.norm(raw, axis=1, keepdims=True), np.float32)

    first = seen(kind, np.eye(24))
    return {
        "one space, seen twice": [first, seen(kind, turn)],
        "strangers": [first, seen(random.permutation(kind), turn)],
    }


if __name__ == "__main__":
    main()
