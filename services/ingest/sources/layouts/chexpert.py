"""CheXpert, full size or small: 224,316 JPEGs; study labels by the CheXpert labeler, of the validation set by readers.

Age 0 means unknown. The releases name their top folder differently; keys leave it out, so they are the same in both.
Irvin et al. 2019.
"""

from __future__ import annotations

import re

from services.core.labels import CHEXPERT
from services.ingest.sources.layout import Csv, Layout, Wide

_COLUMNS = ("Path", "Sex", "Age", "Frontal/Lateral", "AP/PA", *CHEXPERT)
_KEY = r"(?:train|valid|test)/patient.*"


def key(name: str) -> str:
    """``…/CheXpert-v1.0-small/train/patient00001/study1/view1_frontal.jpg`` from ``train`` on."""
    found = re.search(rf"(?:^|/)({_KEY})$", name)
    return found[1] if found else name


def _films(table: str, split: str) -> str:
    return f"""
        SELECT regexp_extract(Path, '{_KEY}') AS key, Sex, Age, "Frontal/Lateral" AS side, "AP/PA" AS projection,
               '{split}' AS split FROM {table}"""


LAYOUT = Layout(
    name="chexpert",
    title="CheXpert",
    terms="Stanford University Dataset Research Use Agreement",
    films=(".jpg", ".png"),
    marks=("train.csv*", "train/patient*"),
    tables={
        "train": Csv("train.csv", _COLUMNS, unique=("Path",)),
        "valid": Csv("valid.csv", _COLUMNS, unique=("Path",), required=False),
    },
    views={"listed": f"{_films('train', 'train')} UNION ALL {_films('valid', 'validate')}"},
    joined="""
        listed LEFT JOIN (SELECT *, regexp_extract(Path, 'train/.*') AS key FROM train) AS labeler USING (key)
        LEFT JOIN (SELECT *, regexp_extract(Path, 'valid/.*') AS key FROM valid) AS readers USING (key)
    """,
    select={
        "key": "key",
        "patient_id": r"regexp_extract(key, 'patient\d+')",
        "study_id": r"replace(regexp_extract(key, 'patient\d+/study\d+'), '/', '-')",
        "study_order": r"regexp_extract(key, 'study(\d+)', 1)",
        "view": "CASE WHEN listed.side = 'Lateral' THEN 'LATERAL' ELSE listed.projection END",
        "sex": "listed.Sex",
        "age": "CASE WHEN TRY_CAST(listed.Age AS DOUBLE) > 0 THEN listed.Age END",
        "split": "listed.split",
    },
    key=key,
    labels=(
        Wide("labeler", "chexpert", {name: name for name in CHEXPERT}, level="study"),
        Wide("readers", "radiologist", {name: name for name in CHEXPERT}, level="study"),
    ),
    constants={"licence": "Stanford University Dataset Research Use Agreement"},
)
