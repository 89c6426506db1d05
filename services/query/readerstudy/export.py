"""A study as files: a row for each film that a reader judged, all of it as JSON, or grades as trec_eval reads them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator

import numpy as np
from google.protobuf import json_format

from hilum.v1 import reader_study_pb2
from services.core.errors import invalid
from services.core.facts import Facts, reader_studies
from services.core.facts.reader_studies import Study
from services.query.readerstudy import order
from services.query.readerstudy.design import Design, Kind
from services.query.readerstudy.results import Judged, Results

COLUMNS = (
    "reader", "set", "seen_as", "repeats", "query_id", "stratum", "image_id", "model_rank", "cosine", "model_choice",
    "shown_at", "chosen", "grade", "seconds", "answered_at",
)  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def rows(facts: Facts, study: Study) -> Iterator[dict[str, object]]:
    """One for each film of each set that a reader answered, repeats included; sets count from 1."""
    design, twice = Design.of(study.design), reader_studies.repeats(study)
    contents = reader_studies.contents(facts, study.study_id)
    invited = {one.reader_id: one for one in reader_studies.invited(facts, study.study_id)}
    own = len(contents) - len(twice)
    seen = {who: order.sets(design.seed, who, len(contents), twice) for who in invited}
    for one in reader_studies.answers(facts, study.study_id):
        content = contents[one.number]
        if not content:
            continue
        films, scores = list(content["films"]), list(content["scores"])  # type: ignore[call-overload]
        shown = order.films(design.seed, one.reader_id, one.number, len(films))
        for rank, (image_id, cosine) in enumerate(zip(films, scores, strict=True)):
            graded = design.kind is Kind.GRADES
            yield {
                "reader": invited[one.reader_id].name,
                "set": one.number + 1,
                "seen_as": seen[one.reader_id].index(one.number) + 1,
                "repeats": twice[one.number - own] + 1 if one.number >= own else "",
                "query_id": content["query"],
                "stratum": content.get("stratum", ""),
                "image_id": image_id,
                "model_rank": rank + 1,
                "cosine": cosine,
                "model_choice": int(rank < design.nearest),
                "shown_at": shown.index(rank) + 1,
                "chosen": "" if graded else int(rank in one.answer["chosen"]),
                "grade": one.answer["grades"][rank] if graded else "",
                "seconds": round(one.seconds, 1),
                "answered_at": one.updated_at,
            }


def as_csv(facts: Facts, study: Study) -> bytes:
    """Names that a spreadsheet would take for a formula begin with an apostrophe."""
    out = io.StringIO()
    table = csv.DictWriter(out, COLUMNS)
    table.writeheader()
    for row in rows(facts, study):
        table.writerow({name: _safe(value) for name, value in row.items()})
    return out.getvalue().encode()


def as_json(facts: Facts, study: Study, told: reader_study_pb2.ReaderStudyResults) -> bytes:
    found = json_format.MessageToDict(told, preserving_proto_field_name=True)
    return json.dumps({"results": found, "answers": list(rows(facts, study))}, ensure_ascii=False, indent=1).encode()


def as_qrels(found: Results, answers: Judged) -> bytes:
    """``query 0 film grade``: the consensus, its mean grade rounded; of choices 1 where more than half chose a film."""
    lines = [
        f"{content['query']} 0 {image_id} {grade}\n"
        for content, grades in zip(answers.contents, consensus(found), strict=True)
        for image_id, grade in zip(content["films"], grades, strict=True)  # type: ignore[call-overload]
    ]
    return "".join(lines).encode()


def consensus(found: Results) -> list[list[int]]:
    """(S, n) whole grades: halves of grades go up, half of the readers is not more than half."""
    graded = bool(found.depths)
    whole = np.floor(found.grades + 0.5) if graded else found.grades > 0.5
    return [[int(one) for one in row] for row in whole]


FORMATS = ("csv", "json", "qrels")


def known(name: str) -> str:
    """Raises INVALID_ARGUMENT for a format that there is none."""
    if (name or "csv") not in FORMATS:
        raise invalid(f"format is one of {', '.join(FORMATS)}")
    return name or "csv"


def _safe(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
