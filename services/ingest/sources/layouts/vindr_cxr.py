"""VinDr-CXR: 18,000 DICOM films of Hanoi; three readers each on the training films, a consensus on the test films.

The readers' votes become one statement per finding: present when most say so, absent when none does, else uncertain;
the score is their share. Boxes are of all readers. No patient ids are published, so nothing here can be made
patient-disjoint. Nguyen et al. 2022; file names as on PhysioNet 1.0.0.
"""

from __future__ import annotations

from services.ingest.sources.layout import Csv, Layout, Said, stem

_BOXES = ("image_id", "class_name", "x_min", "y_min", "x_max", "y_max")
_VOTES = """
    SELECT image_id, name, avg(said) AS share
    FROM (SELECT image_id, name, TRY_CAST(TRY_CAST(value AS DOUBLE) AS INTEGER) AS said
          FROM (UNPIVOT {table} ON COLUMNS(* EXCLUDE ({ids})) INTO NAME name VALUE value))
    WHERE said IS NOT NULL GROUP BY image_id, name
"""
_SAID = """
    SELECT image_id, list(struct_pack(
        name := CASE name WHEN 'Other disease' THEN 'Other diseases' ELSE name END,
        state := CASE WHEN share > 0.5 THEN '1' WHEN share = 0 THEN '0' ELSE '-1' END, score := share)) AS said
    FROM {votes} GROUP BY image_id
"""
_LABELLED = """
    SELECT * FROM (SELECT image_id, 'train' AS split, said FROM train_said
                   UNION ALL SELECT image_id, 'test', said FROM test_said)
"""
_DRAWN = """
    SELECT image_id,
           list(struct_pack(name := class_name, x := x0, y := y0, width := x1 - x0, height := y1 - y0)) AS boxes
    FROM (SELECT image_id, class_name, TRY_CAST(x_min AS DOUBLE) AS x0, TRY_CAST(y_min AS DOUBLE) AS y0,
                 TRY_CAST(x_max AS DOUBLE) AS x1, TRY_CAST(y_max AS DOUBLE) AS y1
          FROM (SELECT {columns} FROM train_boxes UNION ALL SELECT {columns} FROM test_boxes))
    WHERE x1 > x0 AND y1 > y0 GROUP BY image_id
""".format(columns=", ".join(_BOXES))

LAYOUT = Layout(
    name="vindr-cxr",
    title="VinDr-CXR",
    terms="PhysioNet Credentialed Health Data License 1.5.0",
    films=(".dicom", ".dcm"),
    marks=("**/image_labels_train.csv*",),
    tables={
        "train": Csv("**/image_labels_train.csv", ("image_id", "rad_id")),
        "test": Csv("**/image_labels_test.csv", ("image_id",), required=False),
        "train_boxes": Csv("**/annotations_train.csv", _BOXES, required=False),
        "test_boxes": Csv("**/annotations_test.csv", _BOXES, required=False),
    },
    views={
        "train_votes": _VOTES.format(table="train", ids="image_id, rad_id"),
        "test_votes": _VOTES.format(table="(SELECT *, '' AS filler FROM test)", ids="image_id"),
        "train_said": _SAID.format(votes="train_votes"),
        "test_said": _SAID.format(votes="test_votes"),
        "labelled": _LABELLED,
        "drawn": _DRAWN,
    },
    joined="labelled LEFT JOIN drawn USING (image_id)",
    select={"key": "image_id", "split": "split"},
    key=stem,
    labels=(Said("said", "radiologist"),),
    boxes="boxes",
    constants={"licence": "PhysioNet Credentialed Health Data License 1.5.0"},
)
