"""A film's truth as a label table has it: CheXpert's names (Emphysema: NIH's), four states, sides apart."""

from services.phantom.truth import DEVICES, FINDINGS, SEEN, SEEN_ON_LATERAL, SIDED, SURE, PhantomFilm

NAMES = {
    "cardiomegaly": "Cardiomegaly", "edema": "Edema", "emphysema": "Emphysema", "effusion": "Pleural Effusion",
    "consolidation": "Consolidation", "pneumothorax": "Pneumothorax", "atelectasis": "Atelectasis",
    "nodule": "Lung Lesion",
}  # fmt: skip
COLUMNS = (
    "No Finding", *NAMES.values(), "Support Devices",
    *(f"{NAMES[f]} {side}" for f in SIDED for side in ("Right", "Left")),
)  # fmt: skip
PRESENT, ABSENT, UNCERTAIN, UNKNOWN = "1", "0", "-1", ""


def state(severity: float) -> str:
    """A cell: equivocal traces are uncertain."""
    return PRESENT if severity >= SURE else UNCERTAIN if severity >= SEEN else ABSENT


def label_row(film: PhantomFilm) -> dict[str, str]:
    """One cell per column. A lateral film leaves what it does not show, and every side, unknown."""
    lateral = film.view == "LATERAL"
    row = {
        NAMES[f]: UNKNOWN if lateral and f not in SEEN_ON_LATERAL else state(film.findings.worst(f)) for f in FINDINGS
    }
    for finding in SIDED:
        for side, severity in zip(("Right", "Left"), film.findings.both(finding), strict=True):
            row[f"{NAMES[finding]} {side}"] = UNKNOWN if lateral else state(severity)
    row["Support Devices"] = _devices(film, lateral)
    row["No Finding"] = _no_finding([row[name] for name in NAMES.values()])
    return {name: row[name] for name in COLUMNS}


def _devices(film: PhantomFilm, lateral: bool) -> str:
    if lateral:
        return PRESENT if film.findings.pacemaker else UNKNOWN
    return PRESENT if any(getattr(film.findings, d) for d in DEVICES) else ABSENT


def _no_finding(states: list[str]) -> str:
    """Present only when every finding is known to be absent."""
    if PRESENT in states:
        return ABSENT
    if UNKNOWN in states:
        return UNKNOWN
    return UNCERTAIN if UNCERTAIN in states else PRESENT
