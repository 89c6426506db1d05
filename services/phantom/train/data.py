"""Training films: rendered once, kept as ``films.npy`` ``(N, 192, 192) uint8`` beside what reproduces their truth."""

import json
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from PIL import Image

from services.phantom.film import display, render
from services.phantom.population import population
from services.phantom.truth import PhantomFilm

KEPT = 192  # pixels on a side
MATRICES = (256, 320, 384, 448)  # acquisition sizes: a network must not learn one detector
CHUNK = 64


def films_of(n: int, seed: int) -> list[PhantomFilm]:
    """The N films of a population, in order."""
    return [film for study in population(n, seed) for film in study.films]


def acquire(film: PhantomFilm) -> np.ndarray:
    """One film as a pipeline shows it to an encoder: rendered large, windowed to 8 bits, reduced to 192 pixels."""
    rng = np.random.default_rng([film.patient, film.study, 99])
    pixels = render(film, int(rng.choice(MATRICES)), dose=float(np.exp(rng.uniform(np.log(8e3), np.log(5e4)))))
    return np.asarray(Image.fromarray(display(pixels)).resize((KEPT, KEPT), Image.Resampling.BICUBIC))


def generate(
    out: Path, n: int, seed: int, workers: int = 2, progress: Callable[[int, int], None] | None = None
) -> None:
    """Render ``n`` films into ``out``; a finished folder of the same ``n`` and ``seed`` is left as it is."""
    recipe = {"n": n, "seed": seed}
    done = out / "recipe.json"
    if done.exists() and json.loads(done.read_text()) == recipe:
        return
    out.mkdir(parents=True, exist_ok=True)
    films = films_of(n, seed)
    kept = np.lib.format.open_memmap(out / "films.npy", "w+", np.uint8, (n, KEPT, KEPT))
    with get_context("spawn").Pool(workers) as pool:
        for i, pixels in enumerate(pool.imap(acquire, films, CHUNK)):
            kept[i] = pixels
            if progress and (i + 1) % CHUNK == 0:
                progress(i + 1, n)
    kept.flush()
    done.write_text(json.dumps(recipe))


def load(folder: Path) -> tuple[np.ndarray, list[PhantomFilm]]:
    """``(pixels (N, 192, 192) uint8, memory-mapped; the N films they show)``."""
    recipe = json.loads((folder / "recipe.json").read_text())
    return np.load(folder / "films.npy", mmap_mode="r"), films_of(recipe["n"], recipe["seed"])
