"""Do an encoder's maps fall where a finding is? Measured on phantom films, whose findings lie where they were drawn.

    python -m services.phantom.where hilum-cxr-clip hilum-cxr-dino --films 24

Every film has one finding. *Enrichment* is the map's share on the finding over the finding's share of the film: 1 is
chance, as a map that is even everywhere, or one thrown on the film blindly, has it. As a map may also favour lungs
whatever is asked, each has a control beside it: words for what the film does not show, a film without any finding.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from services.core.types import Film
from services.encoders.base import Encoder, SeesPatches
from services.encoders.registry import Registry
from services.encoders.saliency import Grid, Vector, apart, by_hiding, by_patches, place, strength
from services.phantom.film import display, render, trace
from services.phantom.truth import DEVICES, SIDED, Findings, PhantomFilm, View

SIZE = 256
FINDINGS = (*SIDED, "cardiomegaly", "pacemaker")
WORDS = {"effusion": "pleural effusion", "nodule": "lung nodule"}  # where a finding is not called by its name
_SEED = 900_777_000  # patients that no other part of the project draws
_BACKGROUND = 32  # healthy films whose mean vector stands for what any film has
_RESAMPLES = 2000

Maker = Callable[[Encoder, NDArray[np.generic], Vector], Grid]


@dataclass(frozen=True)
class Placed:
    """A film with one finding and where it lies, ``(SIZE, SIZE) bool``; None for a healthy one."""

    patient: int
    finding: str
    slot: str
    film: Film
    mask: NDArray[np.bool_] | None

    @property
    def words(self) -> str:
        side = self.slot.rpartition("_")[2] if self.finding in SIDED else ""
        return f"{side} {WORDS.get(self.finding, self.finding)}".strip()


class Enrichment(NamedTuple):
    """Its mean over films, and the 95 % interval when patients are drawn anew."""

    mean: float
    low: float
    high: float
    films: int

    def __str__(self) -> str:
        return f"{self.mean:.2f} ({self.low:.2f} to {self.high:.2f})"


def placed(findings: Sequence[str], each: int, seed: int = 0) -> list[Placed]:
    """`each` films of every finding, each of a patient of its own, right and left by turns, PA and AP."""
    return [_drawn(finding, i, n, seed) for n, finding in enumerate(findings) for i in range(each)]


def healthy(count: int, seed: int = 0) -> list[Placed]:
    """Films without any finding, each of a patient of its own."""
    return [_drawn("", i, 999, seed) for i in range(count)]


def enrichment(on_film: Grid, mask: NDArray[np.bool_]) -> float:
    """The map's share on the mask over the mask's share of the film; 0 for an empty map."""
    total = float(on_film.sum())
    return float(on_film[mask].sum() / total / mask.mean()) if total > 0 else 0.0


def interval(values: Sequence[float], patients: Sequence[int], seed: int = 0) -> Enrichment:
    """Resamples whole patients: films of one person are not independent."""
    people, owner = np.unique(np.asarray(patients), return_inverse=True)
    sums, counts = (np.bincount(owner, weights) for weights in (np.asarray(values, float), np.ones(len(values))))
    drawn = np.random.default_rng(seed).integers(0, len(people), (_RESAMPLES, len(people)))
    low, high = np.percentile(sums[drawn].sum(1) / counts[drawn].sum(1), [2.5, 97.5])
    return Enrichment(float(np.mean(values)), float(low), float(high), len(values))


def hiding(encoder: Encoder, film: NDArray[np.generic], target: Vector) -> Grid:
    return by_hiding(encoder.encode_images, film, target)  # type: ignore[arg-type]


def by_words(encoder: Encoder, films: Sequence[Placed], make: Maker = hiding) -> Iterator[tuple[Placed, float, float]]:
    """(film, enrichment for its finding's words, enrichment for another finding's)."""
    for i, film in enumerate(films):
        others = [other for other in films if other.finding != film.finding]
        right, wrong = encoder.encode_texts([film.words, others[(i * 7) % len(others)].words])
        yield film, *(measured(encoder, film, target, make) for target in (right, wrong))


def by_films(encoder: Encoder, films: Sequence[Placed], make: Maker = hiding) -> Iterator[tuple[Placed, float, float]]:
    """(film, enrichment for a film of another patient with the same finding, enrichment for a healthy film).

    What the mean of healthy films has is subtracted: every two films share most of what they show.
    """
    well = encoder.encode_images([encoder.preprocess(film.film) for film in healthy(_BACKGROUND)])
    own, mean = encoder.encode_images([encoder.preprocess(film.film) for film in films]), well.mean(0)
    for i, film in enumerate(films):
        right, wrong = own[_alike(films, i)] - mean, well[i % len(well)] - mean
        yield film, *(measured(encoder, film, target, make) for target in (right, wrong))


def by_places(encoder: Encoder, films: Sequence[Placed]) -> Iterator[tuple[Placed, float, float]]:
    """The same by the films' local vectors, where the encoder has them."""
    assert isinstance(encoder, SeesPatches)
    shown = [encoder.preprocess(film.film) for film in (*films, *healthy(_BACKGROUND))]
    grids = encoder.encode_patches(shown).grid
    for i, film in enumerate(films):
        pairs = (apart(grids[i], grids[n]) for n in (_alike(films, i), len(films) + i % _BACKGROUND))
        yield film, *(_on(encoder, film, by_patches(one, other.reshape(-1, one.shape[-1]))) for one, other in pairs)


def measured(encoder: Encoder, film: Placed, target: Vector, make: Maker = hiding) -> float:
    """The enrichment of one map. The encoder must say which part of a film it sees."""
    return _on(encoder, film, make(encoder, encoder.preprocess(film.film), target))


def _on(encoder: Encoder, film: Placed, grid: Grid) -> float:
    assert film.mask is not None and isinstance(encoder, SeesPatches)
    return enrichment(place(strength(grid), encoder.frame(SIZE, SIZE), SIZE, SIZE), film.mask)


def _alike(films: Sequence[Placed], i: int) -> int:
    """Another film with the same finding on the same side."""
    alike = [n for n, other in enumerate(films) if other.slot == films[i].slot and n != i]
    return alike[i % len(alike)]


def _drawn(finding: str, i: int, kind: int, seed: int) -> Placed:
    rng = np.random.default_rng([seed, kind, i])
    slot = f"{finding}_{('right', 'left')[i % 2]}" if finding in SIDED else finding
    found = {slot: 1.0 if finding in DEVICES else float(rng.uniform(0.45, 0.9))} if finding else {}
    patient, view = _SEED + 100_000 * seed + 1_000 * kind + i, ("AP", "PA", "PA")[i % 3]
    shown = PhantomFilm(patient, 0, _view(view), "MF"[i // 2 % 2], int(rng.integers(30, 80)), Findings(**found))  # type: ignore[arg-type]
    pixels = display(render(shown, SIZE))
    mask = None
    if finding:
        drawn = trace(shown, slot, SIZE)
        mask = binary_dilation(drawn > 0.2 * drawn.max(), iterations=SIZE // 32)
    return Placed(patient, finding, slot, Film(pixels, pixels * np.uint16(257)), mask)


def _view(name: str) -> View:
    return name  # type: ignore[return-value]


def table(rows: Sequence[tuple[Placed, float, float]]) -> str:
    """One line per finding and one for all: asked for what is there, and the control."""
    lines = []
    for finding in (*dict.fromkeys(film.finding for film, *_ in rows), "all"):
        part = [row for row in rows if finding in (row[0].finding, "all")]
        patients = [film.patient for film, *_ in part]
        asked, control = (interval([row[n] for row in part], patients) for n in (1, 2))
        lines.append(f"| {finding} | {asked} | {control} | {asked.films} |")
    return "\n".join(lines)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description="enrichment of maps on phantom findings")
    parser.add_argument("models", nargs="+")
    parser.add_argument("--films", type=int, default=24, help="per finding")
    parser.add_argument("--method", choices=("hiding", "gradient", "patches"), default="hiding")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    make = hiding
    if asked.method == "gradient":
        from services.encoders.gradient import by_gradient as make  # type: ignore[no-redef]
    registry, films = Registry.bundled(), placed(FINDINGS, asked.films, asked.seed)
    for name in asked.models:
        encoder = registry.get(name)
        if asked.method == "patches":
            _print(f"{name}, patches: films", ("a film with it", "a healthy film"), by_places(encoder, films))
            continue
        if encoder.spec.text_space:
            _print(f"{name}, {asked.method}: words", ("its words", "other words"), by_words(encoder, films, make))
        _print(f"{name}, {asked.method}: films", ("a film with it", "a healthy film"), by_films(encoder, films, make))


def _print(title: str, columns: tuple[str, str], rows: Iterable[tuple[Placed, float, float]]) -> None:
    heads = ("Finding", *columns, "films")
    print(f"\n{title}\n\n| {' | '.join(heads)} |\n|{' --- |' * len(heads)}\n{table(list(rows))}", flush=True)


if __name__ == "__main__":
    main()
