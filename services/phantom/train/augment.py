"""Augmentation: another detector, another position. Never a mirror, since right and left are what is learnt."""

import torch
from torch.nn import functional


def augment(pixels: torch.Tensor, size: int, rng: torch.Generator, strength: float = 1.0) -> torch.Tensor:
    """``(B, N, N) uint8`` to ``(B, size, size) float32`` in 0..1, each film moved and exposed anew."""
    films = pixels.float().div_(255)[:, None]
    films = _move(films, size, rng, strength)[:, 0]
    return _expose(films, rng, strength)


def plain(pixels: torch.Tensor, size: int) -> torch.Tensor:
    """``(B, N, N) uint8`` to ``(B, size, size) float32`` in 0..1 with nothing changed but the size."""
    films = pixels.float().div_(255)[:, None]
    return functional.interpolate(films, size=(size, size), mode="bicubic", antialias=True).clamp_(0, 1)[:, 0]


def _uniform(n: int, low: float, high: float, rng: torch.Generator) -> torch.Tensor:
    return torch.empty(n).uniform_(low, high, generator=rng)


def _move(films: torch.Tensor, size: int, rng: torch.Generator, strength: float) -> torch.Tensor:
    """Rotation to 7 degrees, zoom 0.84 to 1.1, shift to 6 % and a little anisotropy."""
    n = len(films)
    angle = _uniform(n, -0.12, 0.12, rng) * strength
    zoom = 1 + _uniform(n, -0.16, 0.10, rng) * strength
    wide = zoom * (1 + _uniform(n, -0.05, 0.05, rng) * strength)
    shift = _uniform(2 * n, -0.06, 0.06, rng).view(n, 2) * strength
    theta = torch.stack(
        [
            torch.stack([angle.cos() * wide, -angle.sin() * zoom, shift[:, 0]], 1),
            torch.stack([angle.sin() * wide, angle.cos() * zoom, shift[:, 1]], 1),
        ],
        1,
    )
    grid = functional.affine_grid(theta, [n, 1, size, size], align_corners=False)
    return functional.grid_sample(films, grid, mode="bilinear", align_corners=False)


def _expose(films: torch.Tensor, rng: torch.Generator, strength: float) -> torch.Tensor:
    """Gamma, contrast, brightness, now and then blur or noise."""
    n = len(films)
    gamma = torch.exp(_uniform(n, -0.35, 0.35, rng) * strength)[:, None, None]
    contrast = (1 + _uniform(n, -0.25, 0.2, rng) * strength)[:, None, None]
    brightness = (_uniform(n, -0.12, 0.12, rng) * strength)[:, None, None]
    films = films.clamp_(1e-3, 1).pow(gamma)
    films = (films - 0.5) * contrast + 0.5 + brightness
    soft = torch.rand(n, generator=rng) < 0.15 * strength
    if soft.any():
        films[soft] = functional.avg_pool2d(films[soft][:, None], 3, 1, 1)[:, 0]
    grain = _uniform(n, 0, 0.03, rng)[:, None, None] * strength
    films = films + grain * torch.randn(films.shape, generator=rng)
    return films.clamp_(0, 1)
