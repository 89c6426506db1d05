"""What is asked of a run: parsed once, within bounds, and enough to run it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from services.core.errors import invalid
from services.core.labels import label_key

DEFAULT_K = 15
MAX_K = 200
MAX_MODELS = 32
MAX_RESOLUTIONS = 10
MAX_LABELS = 64
MAX_SEED = 2**31 - 1


@dataclass(frozen=True, slots=True)
class RunSpec:
    """models: names, in the order of the report.  filter: AIP-160 text, empty for every film.
    sample_size: 0 for every film that matches.  labels: finding keys; empty for those with enough statements.
    """

    models: tuple[str, ...]
    filter: str = ""
    sample_size: int = 0
    seed: int = 0
    k: int = DEFAULT_K
    resolutions: tuple[float, ...] = (1.0,)
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 1 <= len(self.models) <= MAX_MODELS:
            raise invalid(f"name between 1 and {MAX_MODELS} models")
        if len(set(self.models)) < len(self.models):
            raise invalid("a model is named twice; name each once")
        if self.sample_size < 0:
            raise invalid("sample_size is 0 (every film that matches) or the number of films to draw")
        if not 2 <= self.k <= MAX_K:
            raise invalid(f"k, the neighbours of the graph, is between 2 and {MAX_K} (0: {DEFAULT_K})")
        if not 0 <= self.seed <= MAX_SEED:
            raise invalid(f"seed is between 0 and {MAX_SEED}")
        if not 1 <= len(self.resolutions) <= MAX_RESOLUTIONS:
            raise invalid(f"name at most {MAX_RESOLUTIONS} resolutions")
        if not all(0 < resolution <= 1000 for resolution in self.resolutions):
            raise invalid("a resolution is above 0 and at most 1000; 1 is usual, more gives smaller clusters")
        if len(set(self.resolutions)) < len(self.resolutions):
            raise invalid("a resolution is named twice; name each once")
        if len(self.labels) > MAX_LABELS:
            raise invalid(f"name at most {MAX_LABELS} labels")

    def as_json(self) -> dict[str, object]:
        """Plain JSON; `parse` reads it back."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


def parse(asked: Mapping[str, object]) -> RunSpec:
    """Read what `as_json` wrote: a job's spec or a manifest's ``asked``. Raises INVALID_ARGUMENT."""
    try:
        return RunSpec(
            models=tuple(str(m) for m in asked["models"]),  # type: ignore[attr-defined]
            filter=str(asked.get("filter", "")),
            sample_size=int(asked.get("sample_size", 0)),  # type: ignore[call-overload]
            seed=int(asked.get("seed", 0)),  # type: ignore[call-overload]
            k=int(asked.get("k") or DEFAULT_K),  # type: ignore[call-overload]
            resolutions=tuple(float(r) for r in asked.get("resolutions") or (1.0,)),  # type: ignore[attr-defined]
            labels=tuple(dict.fromkeys(label_key(str(name)) for name in asked.get("labels") or ())),  # type: ignore[attr-defined]
        )
    except (KeyError, TypeError, ValueError):
        raise invalid("this is no analysis request; see its fields in the contract") from None
