"""What is true of a phantom film: its patient, view and the severity of every finding.

A severity is 0..1 (0: absent); a nodule's is its radius in units of ``NODULE_CM``. Devices are 0 or 1.
"""

from dataclasses import dataclass, field, fields
from typing import Literal

View = Literal["PA", "AP", "LATERAL"]
Sex = Literal["M", "F"]
NODULE_CM = 2.0


@dataclass(frozen=True, slots=True)
class Findings:
    """Severity of everything the phantom can show; right and left are the patient's."""

    cardiomegaly: float = 0.0
    edema: float = 0.0
    emphysema: float = 0.0
    effusion_right: float = 0.0
    effusion_left: float = 0.0
    consolidation_right: float = 0.0
    consolidation_left: float = 0.0
    pneumothorax_right: float = 0.0
    pneumothorax_left: float = 0.0
    atelectasis_right: float = 0.0
    atelectasis_left: float = 0.0
    nodule_right: float = 0.0
    nodule_left: float = 0.0
    pacemaker: float = 0.0
    ett: float = 0.0
    cvc: float = 0.0
    sternotomy: float = 0.0

    def both(self, finding: str) -> tuple[float, float]:
        """``(right, left)`` severities of a finding that has sides."""
        return getattr(self, f"{finding}_right"), getattr(self, f"{finding}_left")

    def worst(self, finding: str) -> float:
        """Severity of ``finding`` on its worse side."""
        return max(self.both(finding)) if finding in SIDED else getattr(self, finding)


@dataclass(frozen=True, slots=True)
class PhantomFilm:
    """Everything that decides a film's pixels.

    ``patient`` seeds the anatomy (identity); ``study`` seeds positioning, inspiration and noise, so that two studies
    of one patient are the same person on another day.
    """

    patient: int = 0
    study: int = 0
    view: View = "PA"
    sex: Sex = "M"
    age: int = 55
    findings: Findings = field(default_factory=Findings)


SLOTS = tuple(f.name for f in fields(Findings))
SIDED = ("effusion", "consolidation", "pneumothorax", "atelectasis", "nodule")
MIDLINE = ("cardiomegaly", "edema", "emphysema")
DEVICES = ("pacemaker", "ett", "cvc", "sternotomy")
FINDINGS = MIDLINE + SIDED
# A lateral film superimposes both sides: it shows these, never a side.
SEEN_ON_LATERAL = frozenset({"cardiomegaly", "edema", "emphysema", "effusion", "consolidation", "pacemaker"})

# Below SEEN nothing is reported; between SEEN and SURE a careful reader hedges.
SEEN, SURE = 0.08, 0.18
