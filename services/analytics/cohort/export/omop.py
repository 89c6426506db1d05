"""The COHORT and COHORT_DEFINITION tables of the OMOP Common Data Model 5.4.

A subject_id is an integer that points into PERSON; ids of patients here are pseudonyms and no integers. So subjects are
numbered 1, 2, … in the order of the hash of dataset and patient, the same numbers whenever this cohort is exported, and
subject_map.csv says who is who: join it with PERSON before these rows go into a database. Two cohorts number the same
patient differently.

Source: OHDSI CommonDataModel v5.4, tables COHORT and COHORT_DEFINITION (ohdsi.github.io/CommonDataModel/cdm54.html).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO

from services.analytics.cohort.export import csv_file
from services.analytics.cohort.export.part import Part, text
from services.analytics.cohort.export.table import Content

COHORT = ("cohort_definition_id", "subject_id", "cohort_start_date", "cohort_end_date")
DEFINITION = (
    "cohort_definition_id", "cohort_definition_name", "cohort_definition_description", "definition_type_concept_id",
    "cohort_definition_syntax", "subject_concept_id", "cohort_initiation_date",
)  # fmt: skip
NO_CONCEPT = 0  # "no matching concept"


@dataclass(frozen=True)
class Subjects:
    """rows: (subject_id, dataset, patient_id, first day, last day), by subject_id.  undated: patients of whom no day is
    known, whom COHORT cannot hold.  nameless: films without a patient.  dates: what days of films are → films."""

    rows: list[tuple[int, str, str, str, str]]
    undated: int
    nameless: int
    dates: dict[str, int]


def subjects(content: Content) -> Subjects:
    """The patients of a cohort, from its first to its last film."""
    names = ("dataset", "patient_id", "study_date", "date_kind")
    span: dict[tuple[str, str], tuple[str, str]] = {}
    nameless, kinds = 0, dict[str, int]()
    for dataset, patient, day, kind in zip(*(content.films[name].to_pylist() for name in names), strict=True):
        if patient is None:
            nameless += 1
            continue
        kinds[kind or "of unknown kind"] = kinds.get(kind or "of unknown kind", 0) + bool(day)
        first, last = span.get((dataset, patient), ("", ""))
        span[dataset, patient] = (min(filter(None, (first, day)), default=""), max(last, day or ""))
    ordered = sorted(span, key=lambda who: hashlib.sha256("\0".join(who).encode()).digest())
    rows = [(number, *who, *span[who]) for number, who in enumerate(ordered, 1)]
    return Subjects(rows, sum(not row[3] for row in rows), nameless, {k: n for k, n in sorted(kinds.items()) if n})


def definition_id(content: Content) -> int:
    """A positive 31-bit number, the same for the same frozen films."""
    return int(hashlib.sha256(content.frozen.ids_sha256.encode()).hexdigest()[:8], 16) % (2**31 - 1) + 1


def parts(content: Content) -> Iterator[Part]:
    """omop/cohort.csv, cohort_definition.csv, subject_map.csv and a note on mapping."""
    found, number = subjects(content), definition_id(content)
    yield Part("omop/cohort.csv", "OMOP CDM 5.4 COHORT", partial(_cohort, found, number))
    yield Part("omop/cohort_definition.csv", "OMOP CDM 5.4 COHORT_DEFINITION", partial(_definition, content, number))
    yield Part("omop/subject_map.csv", "which subject_id is which patient", partial(_map, found))
    yield Part("omop/MAPPING.md", "how to load these tables, and what they cannot say", text(_note(found, number)))


def _cohort(found: Subjects, number: int, file: BinaryIO) -> None:
    csv_file.write(file, COHORT, ((number, row[0], row[3], row[4]) for row in found.rows if row[3]))


def _definition(content: Content, number: int, file: BinaryIO) -> None:
    frozen = content.frozen
    row = (
        number, frozen.name, frozen.title, NO_CONCEPT, json.dumps(frozen.spec, ensure_ascii=False, sort_keys=True),
        NO_CONCEPT, frozen.created_at[:10],
    )  # fmt: skip
    csv_file.write(file, DEFINITION, [row])


def _map(found: Subjects, file: BinaryIO) -> None:
    csv_file.write(file, ("subject_id", "dataset", "patient_id"), (row[:3] for row in found.rows))


def _note(found: Subjects, number: int) -> str:
    dates = ", ".join(f"{kind} {films:,}" for kind, films in found.dates.items()) or "none"
    return f"""# Mapping to OMOP CDM 5.4

- `cohort.csv` is COHORT, `cohort_definition.csv` is COHORT_DEFINITION; cohort_definition_id {number}.
- `subject_id` is **not** a person_id of yours. The archive knows patients by pseudonyms, which are no integers; here
  they are numbered, the same way whenever this cohort is exported, otherwise in another cohort. `subject_map.csv` says
  which number is which patient. Join it with your PERSON table first:

      SELECT c.cohort_definition_id, p.person_id AS subject_id, c.cohort_start_date, c.cohort_end_date
      FROM cohort c JOIN subject_map m USING (subject_id) JOIN person p ON p.person_source_value = m.patient_id;

- `cohort_start_date` and `cohort_end_date` are the days of the patient's first and last film **in this cohort**. What
  days are, by films: {dates}. Shifted, ordinal and offset days keep intervals within a patient; they are no calendar
  days.
- Patients of whom no day is known: {found.undated:,}. They are in `subject_map.csv` and not in `cohort.csv`, whose
  dates must not be empty. Films without a patient, in neither: {found.nameless:,}.
- COHORT knows patients, not films: which films are in the cohort is in `films.csv`, `films.parquet` or `ids.txt`.
- definition_type_concept_id and subject_concept_id are 0, "no matching concept": choose your own.
- Texts that a spreadsheet could take for a formula have an apostrophe before them; cohort_definition_syntax is the
  specification as JSON, also in `spec.json`.
"""
