"""RSNA Pneumonia Detection Challenge: 26,684 NIH films as DICOM, with boxes of lung opacities.

``patientId`` names an image, not a person: patients are unknown here, so nothing can be made patient-disjoint without
NIH's own table. Shih et al. 2019.
"""

from __future__ import annotations

from services.ingest.sources.layout import Csv, Layout, Said, stem

_FILMS = """
    SELECT patientId AS key, max(TRY_CAST(Target AS INTEGER)) AS target,
           list(struct_pack(name := 'Lung Opacity', x := TRY_CAST(x AS DOUBLE), y := TRY_CAST(y AS DOUBLE),
                            width := TRY_CAST(width AS DOUBLE), height := TRY_CAST(height AS DOUBLE)))
               FILTER (TRY_CAST(width AS DOUBLE) > 0) AS boxes
    FROM labels GROUP BY patientId
"""
_SAID = """
    list_concat(
        [struct_pack(name := 'Lung Opacity', state := CAST(target AS VARCHAR), score := CAST(NULL AS DOUBLE))],
        CASE WHEN "class" = 'Normal'
             THEN [struct_pack(name := 'No Finding', state := '1', score := CAST(NULL AS DOUBLE))] ELSE [] END)
"""

LAYOUT = Layout(
    name="rsna-pneumonia",
    title="RSNA Pneumonia Detection Challenge",
    terms="RSNA competition terms: research and education",
    films=(".dcm",),
    marks=("stage_2_train_labels.csv*",),
    tables={
        "labels": Csv("stage_2_train_labels.csv", ("patientId", "x", "y", "width", "height", "Target")),
        "classes": Csv("stage_2_detailed_class_info.csv", ("patientId", "class"), required=False),
    },
    views={"films": _FILMS, "class_of": 'SELECT DISTINCT patientId AS key, "class" FROM classes'},
    joined="films LEFT JOIN class_of USING (key)",
    select={"key": "key"},
    key=stem,
    labels=(Said(_SAID, "radiologist"),),
    boxes="boxes",
    constants={"licence": "RSNA competition terms: research and education"},
)
