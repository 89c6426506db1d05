"""The job behind ``hilum models promote``: compare two fingerprints of a name, then let the new one answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts
from services.core.facts.promotions import Promotion
from services.core.store import VectorStore
from services.ingest import churn, promotion
from services.ingest.crash import Reached, nowhere
from services.ingest.progress import Tally

KIND = "promote"


@dataclass(frozen=True, slots=True)
class Promotions:
    """Compares and switches."""

    facts: Facts
    store: VectorStore
    reached: Reached = field(default=nowhere)

    def run(
        self, _job_id: str, spec: Mapping[str, object], tally: Tally, stopped: Callable[[], bool]
    ) -> dict[str, object]:
        """spec: `model`, `fingerprint` (or its beginning; may be blank), `check_only`, `partial`.

        Raises FAILED_PRECONDITION when the new one lacks films and `partial` does not allow it.
        """
        old, new = promotion.candidate(self.facts, str(spec["model"]), str(spec.get("fingerprint") or ""))
        tally.stage = "comparing"

        def progress(done: int, total: int) -> None:
            tally.total = total
            tally.counts["films"] = done

        compared = churn.compare(self.facts, self.store, old, new, progress, stopped)
        told = {
            "model": new.name, "fingerprint": new.fingerprint, "previous": old.fingerprint, "promoted": False,
            "comparison": compared,
        }  # fmt: skip
        if stopped() or spec.get("check_only"):
            return told
        lacks = compared["films"]["only_old"]
        if lacks and not spec.get("partial"):
            raise HilumError(
                ErrorCode.FAILED_PRECONDITION,
                f"the new {new.name} lacks {lacks} films that the old one holds; ingest them again, or fill them from "
                "the pixel cache, or allow a part",
            )
        made = promotion.switch(self.facts, self.store, new, Promotion.PROMOTED, compared, self.reached)
        return {**told, "promoted": True, "time": made.created_at}
