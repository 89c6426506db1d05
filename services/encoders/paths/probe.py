"""Films that belong to nobody, to compare paths on: smooth shadows, edges and grain, the same on every machine."""

from __future__ import annotations

import numpy as np
from PIL import Image

from services.core.types import Film

SIDE = 512


def probe_films(count: int) -> list[Film]:
    """`count` different films of 512 x 448 pixels, 8 bits."""
    return [_film(np.random.default_rng(seed)) for seed in range(count)]


def _film(random: np.random.Generator) -> Film:
    height, width = SIDE, SIDE * 7 // 8
    shadows = sum(
        np.asarray(Image.fromarray(random.random((cells, cells), np.float32)).resize((width, height), 3)) / cells**0.5
        for cells in (3, 6, 12, 48)
    )
    rows, columns = np.mgrid[0:height, 0:width]
    for _ in range(4):  # edges, as of hearts, lungs and devices
        y, x, tall, broad = random.random(4) * (height, width, height / 3, width / 3) + (0, 0, 20, 20)
        shadows += random.normal(0, 0.4) * (((rows - y) / tall) ** 2 + ((columns - x) / broad) ** 2 < 1)
    shadows += random.normal(0, 0.02, shadows.shape)
    low, high = np.percentile(shadows, (1, 99))
    display = np.clip((shadows - low) / (high - low) * 255, 0, 255).astype(np.uint8)
    return Film(display, display.astype(np.uint16) * 257)
