"""NIH ChestX-ray14: 112,120 frontal films of 30,805 patients, labels mined from reports.

The header has unquoted commas (``OriginalImage[Width,Height]``), so names are given here. The first release states
ages up to 414; what is beyond 120 is unknown. Labels list what is present; the other findings are absent implicitly.
Wang et al. 2017, https://nihcc.app.box.com/v/ChestXray-NIHCC
"""

from __future__ import annotations

from services.ingest.sources.layout import Csv, Layout, Listed, basename

FINDINGS = (
    "Atelectasis", "Cardiomegaly", "Effusion", "Infiltration", "Mass", "Nodule", "Pneumonia", "Pneumothorax",
    "Consolidation", "Edema", "Emphysema", "Fibrosis", "Pleural_Thickening", "Hernia",
)  # fmt: skip
_HEADER = (
    "Image Index", "Finding Labels", "Follow-up #", "Patient ID", "Patient Age", "Patient Gender", "View Position",
    "Width", "Height", "SpacingX", "SpacingY",
)  # fmt: skip
_BOX_HEADER = ("Image Index", "Finding Label", "x", "y", "w", "h")

LAYOUT = Layout(
    name="nih-cxr14",
    title="NIH ChestX-ray14",
    terms="no restrictions, attribution required",
    films=(".png",),
    marks=("Data_Entry_2017*.csv", "images*"),
    tables={
        "entry": Csv("Data_Entry_2017*.csv", _HEADER, names=_HEADER, unique=("Image Index",)),
    },
    joined="entry",
    select={
        "key": '"Image Index"',
        "patient_id": '"Patient ID"',
        "study_id": """ "Patient ID" || '-' || "Follow-up #" """,
        "study_order": '"Follow-up #"',
        "view": '"View Position"',
        "sex": '"Patient Gender"',
        "age": '"Patient Age"',
        "pixel_spacing": '"SpacingX"',
    },
    key=basename,
    labels=(Listed('"Finding Labels"', "nih", universe=FINDINGS),),
    constants={"modality": "DX", "licence": "NIH: no restrictions, attribution required",
               "attribution": "NIH Clinical Center; Wang et al. 2017"},
)  # fmt: skip
