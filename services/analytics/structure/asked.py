"""What is asked of a study of structure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from services.analytics.map.asked import MapAsked
from services.core.errors import invalid

LAYOUTS = ("umap", "pca", "tsne")
LADDER = (0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0)
MAX_PERPLEXITY = 100
MAX_PERPLEXITIES = 5
MAX_SEEDS = 20
MAX_DRAWS = 200


@dataclass(frozen=True, kw_only=True)
class StructureAsked(MapAsked):
    """resolutions: of Leiden's clusters.  layouts: those to draw.  perplexities: of t-SNE.  seeds: how many, of layouts
    and clusters, from `seed` up.  draws: halves of the patients that are clustered anew at each resolution."""

    kind: ClassVar[str] = "structure"

    resolutions: tuple[float, ...] = LADDER
    layouts: tuple[str, ...] = LAYOUTS
    perplexities: tuple[float, ...] = (30.0,)
    seeds: int = 3
    draws: int = 20

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "resolutions", tuple(sorted(self.resolutions)))  # the hierarchy climbs them
        if not self.layouts or not set(self.layouts) <= set(LAYOUTS) or len(set(self.layouts)) < len(self.layouts):
            raise invalid(f"layouts are {', '.join(LAYOUTS)}, each once")
        if not 1 <= len(self.perplexities) <= MAX_PERPLEXITIES or len(set(self.perplexities)) < len(self.perplexities):
            raise invalid(f"name between 1 and {MAX_PERPLEXITIES} perplexities, each once")
        if not all(2 <= perplexity <= MAX_PERPLEXITY for perplexity in self.perplexities):
            raise invalid(f"a perplexity is between 2 and {MAX_PERPLEXITY}; 30 is usual")
        if not 1 <= self.seeds <= MAX_SEEDS:
            raise invalid(f"seeds is how many to try, between 1 and {MAX_SEEDS}")
        if not 4 <= self.draws <= MAX_DRAWS:
            raise invalid(f"draws is how many halves of the patients to cluster anew, between 4 and {MAX_DRAWS}")
