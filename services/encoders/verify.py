"""Is an installed encoder what it claims to be? Its files, its loading, what it makes of a few pictures and words."""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.core.errors import HilumError
from services.core.types import Film
from services.encoders.base import Encoder
from services.encoders.installed import Installed, changed
from services.encoders.manifest import FILE, Measured

TEXTS = ("pleural effusion", "no pleural effusion", "the heart is enlarged")
ALIKE = 0.9999  # cosine of two passes over the same input; another order of sums moves the sixth decimal
SAME = 0.999  # cosine with the day it was added: another processor, another order of sums, reduced precision
APART = 1e-4  # what differs, differs by more than that in some number
_KEPT = 64
_LIBRARIES = (
    "torch",
    "torchvision",
    "transformers",
    "open_clip_torch",
    "timm",
    "tokenizers",
    "tensorflow",
    "numpy",
    "pillow",
)


@dataclass(frozen=True, slots=True)
class Check:
    """One question, its answer, and what was seen."""

    what: str
    ok: bool
    seen: str = ""


def verify(model: Installed) -> list[Check]:
    """Everything that can be asked of an installed encoder, here and now."""
    checks = [_files(model)]
    if not checks[0].ok:
        return checks
    try:
        encoder = model.load()
    except HilumError as error:
        return [*checks, Check("loads", False, error.client_message)]
    except MemoryError:
        return [*checks, Check("loads", False, "there is not enough memory")]
    checks.append(Check("loads", True, "every tensor has its place; the fingerprint is the one it was added with"))
    try:
        found, seen = prove(encoder)
    except HilumError as error:
        return [*checks, Check("encodes", False, error.client_message)]
    except Exception as error:  # whatever a network can die of
        return [*checks, Check("encodes", False, f"it fails with {type(error).__name__}")]
    before = model.manifest.found
    for what, old, new in (("pictures", before.film, found.film), ("words", before.text, found.text)):
        if old:
            near = _cosine(*(np.array(numbers.split(), dtype=float) for numbers in (old, new)))
            seen.append(Check(f"{what}: as when added", near >= SAME, f"cosine {near:.6f}{_since(before, found)}"))
    return checks + seen


def prove(encoder: Encoder) -> tuple[Measured, list[Check]]:
    """Measure an encoder: what it is, and whether its vectors are of any use."""
    pictures = films()
    vectors = encoder.encode_images([encoder.preprocess(film) for film in pictures])
    alone = encoder.encode_images([encoder.preprocess(pictures[0])])
    checks = _vectors("pictures", encoder, vectors, alone[0])
    text = np.empty(0, np.float32)
    if encoder.spec.text_space is not None:
        words = encoder.encode_texts(list(TEXTS))
        checks += _vectors("words", encoder, words, encoder.encode_texts([TEXTS[0]])[0])
        text = words[0]
    return Measured(encoder.spec, _bytes(encoder), _first(vectors[0]), _first(text), _versions()), checks


def films() -> list[Film]:
    """Three pictures that no encoder takes for each other: a film of two lungs, its negative on its side, and grain."""
    y, x = np.mgrid[0:320, 0:256] / 320
    lungs = sum(np.exp(-(((x - side) / 0.13) ** 2) - ((y - 0.5) / 0.3) ** 2) for side in (0.22, 0.58))
    grain = np.random.default_rng(7).random((300, 300))
    return [_film(0.9 - 0.7 * lungs / lungs.max()), _film((0.1 + 0.8 * lungs / lungs.max() * y).T), _film(grain)]


def _film(grey: NDArray[np.float64]) -> Film:
    full = np.round(np.clip(grey, 0, 1) * 65_535).astype(np.uint16)
    return Film(np.ascontiguousarray((full // 257).astype(np.uint8)), np.ascontiguousarray(full))


def _files(model: Installed) -> Check:
    files = model.manifest.files
    wrong = {path: how for path in files if (how := changed(model, path))}
    strays = []
    if not model.manifest.folder:  # a folder of the user's own may hold what it likes
        there = {str(file.relative_to(model.home)) for file in model.home.rglob("*") if not file.is_dir()}
        strays = sorted(there - files.keys() - {FILE, "README.md"})
    said = [f"{path}: {how}" for path, how in wrong.items()] + [f"{path}: was not added" for path in strays]
    return Check("files", not said, "; ".join(said) or f"{len(files)} as they were added")


def _vectors(
    of: str, encoder: Encoder, vectors: NDArray[np.float32], alone: NDArray[np.float32]
) -> list[Check]:  # fmt: skip
    """alone: the first of `vectors` once more, by itself."""
    if not np.isfinite(vectors).all():
        return [Check(f"{of}: finite", False, "the network answers with numbers that are none")]
    lengths = np.linalg.norm(vectors, axis=-1)
    unit = not encoder.spec.normalised or bool(np.abs(lengths - 1).max() < 1e-3)
    again = _cosine(vectors[0], alone)
    apart = min(float(np.abs(a - b).max()) for i, a in enumerate(vectors) for b in vectors[:i])
    return [
        Check(f"{of}: finite, of length 1", unit, f"{lengths.min():.5f} to {lengths.max():.5f}"),
        Check(f"{of}: the same again", again >= ALIKE, f"cosine {again:.6f} with itself in another batch"),
        Check(f"{of}: told apart", apart > APART, f"they differ by {apart:.4f} or more"),
    ]


def _first(vector: NDArray[np.float32]) -> str:
    return " ".join(f"{value:.5f}" for value in vector.ravel()[:_KEPT])


def _cosine(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    a, b = a.astype(np.float64).ravel(), b.astype(np.float64).ravel()
    return float(a @ b / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-12))


def _bytes(encoder: Encoder) -> int:
    """Of the weights in memory; 0 when the encoder does not tell."""
    network = getattr(encoder, "network", None)
    if network is None:
        return 0
    held = [*network.module.parameters(), *network.module.buffers()]
    return sum(tensor.numel() * tensor.element_size() for tensor in held)


def _versions() -> dict[str, str]:
    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _since(before: Measured, now: Measured) -> str:
    new = [f"{k} {v} → {now.versions.get(k, 'none')}" for k, v in before.versions.items() if now.versions.get(k) != v]
    return f" ({', '.join(new)})" if new else ""
