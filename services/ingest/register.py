"""A learned map becomes a model of its own: installed like any other, and filled from what its base has stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from services.core.aligned import Aligned
from services.core.config import Settings
from services.core.errors import ErrorCode, HilumError
from services.core.security import confine
from services.encoders import install
from services.encoders.bundled import CHECKPOINTS
from services.encoders.installed import scan
from services.encoders.known import Licence
from services.encoders.registry import Registry
from services.ingest.fill import Fill
from services.ingest.progress import Tally

KIND = "align"
FAMILY = "aligned"


@dataclass(frozen=True, slots=True)
class Register:
    """Takes the map of an analysis."""

    settings: Settings
    registry: Registry
    fill: Fill

    def run(
        self, job_id: str, spec: Mapping[str, object], tally: Tally, stopped: Callable[[], bool]
    ) -> dict[str, object]:
        """spec: `name` of the model, `folder` of the map below the data folder. Begun before, it goes on."""
        name, home = str(spec["name"]), self.settings.models_home
        source = confine(self.settings.data_dir, self.settings.data_dir / str(spec["folder"]))
        if source is None or not source.is_dir():
            raise HilumError(ErrorCode.NOT_FOUND, "the analysis that made this map is gone; run it again")
        there = scan(home).models.get(name)
        if there is None or install.files_of(source) != dict(there.manifest.files):
            base = Aligned.read(source).base.name
            self.registry.offer(base)  # refused here, not in a process of its own
            tally.stage = "trying it"
            _, checks = install.add(home, name, source, FAMILY, licence=self._licence(base))
            if bad := [check for check in checks if not check.ok]:
                said = "; ".join(f"{check.what}: {check.seen}" for check in bad)
                raise HilumError(ErrorCode.FAILED_PRECONDITION, f"the map is of no use as a model: {said}")
        self.registry.refresh()
        return self.fill.run(job_id, {"model": name}, tally, stopped)

    def _licence(self, base: str) -> Licence | None:
        """What may be done with the base may be done with what is learned on it."""
        here = scan(self.settings.models_home).models | scan(CHECKPOINTS).models
        return here[base].manifest.licence if base in here else None
