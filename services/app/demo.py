"""The main job end to end on phantom films: write, ingest, ask, analyse. Every step is the one a user takes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hilum import Client, Film, HilumError, Job

DATASET = "phantom"
SEED = 20
QUERIES = 40
TOP = 10


@dataclass(frozen=True, slots=True)
class Question:
    """Words, and the finding that a right answer has."""

    text: str
    finding: str


QUESTIONS = (
    Question("large left pleural effusion", "pleural_effusion_left"),
    Question("fluid in the right costophrenic angle", "pleural_effusion_right"),
    Question("enlarged heart", "cardiomegaly"),
    Question("pulmonary edema", "edema"),
    Question("left pneumothorax", "pneumothorax"),
    Question("right lower lobe consolidation", "consolidation_right"),
    Question("pacemaker or other support device", "support_devices"),
    Question("normal chest, no acute abnormality", "no_finding"),
)


@dataclass(frozen=True, slots=True)
class Score:
    """How right answers are: the share of right films among the first ten, and among all films."""

    asked: str
    precision: float
    chance: float
    answers: int


def films(folder: Path, count: int, write: Callable[[Path, int, int], None]) -> Path:
    """A phantom archive of `count` films in `folder`, written once."""
    archive = folder / f"phantom-{count}"
    if not (done := archive / ".complete").exists():
        write(archive, count, SEED)
        done.touch()
    return archive


def ingest(client: Client, folder: Path, follow: Callable[[Job, str], Job]) -> Job:
    """Store the films with every encoder. Phantoms are nobody: their ids are kept."""
    labels, reports = folder / "labels.csv", folder / "reports.csv"
    done = follow(client.ingest(folder, DATASET, labels=labels, reports=reports, keep_ids=True), "ingest")
    if done.state != "succeeded":
        raise HilumError("FAILED_PRECONDITION", done.error or f"the ingest was {done.state}")
    return done


def words(client: Client, model: str, archive: Sequence[Film]) -> list[Score]:
    """Text queries against the known findings, on frontal films whose truth is stated."""
    scores = []
    for question in QUESTIONS:
        where = f"dataset = {DATASET} AND labels.{question.finding}:*"
        hits = client.search(text=question.text, models=[model], where=where, limit=TOP).hits
        stated = [film for film in archive if question.finding in film.labels]
        scores.append(
            Score(question.text, _share([h.film for h in hits], question), _share(stated, question), len(hits))
        )
    return scores


def similar(client: Client, model: str, archive: Sequence[Film]) -> Score:
    """Similar-case queries by stored films, other patients only: a hit is right when it shares a finding, or both are
    normal."""
    frontal = [film for film in archive if film.view in ("PA", "AP") and film.present]
    asked = frontal[:: max(1, len(frontal) // QUERIES)][:QUERIES]
    right = total = 0
    chance = 0.0
    for film in asked:
        hits = client.search(id=film.image_id, models=[model], where='view = "PA" OR view = "AP"', limit=TOP).hits
        right += sum(_alike(film, hit.film) for hit in hits)
        total += len(hits)
        others = [other for other in frontal if other.patient_id != film.patient_id]
        chance += sum(_alike(film, other) for other in others) / max(len(others), 1)
    return Score(f"{len(asked)} films", right / max(total, 1), chance / max(len(asked), 1), total)


def analyse(client: Client, data: Path, follow: Callable[[Job, str], Job], changed: bool) -> Any:
    """The run over all films; a second demo on unchanged films shows the first one's."""
    note = data / "demo.json"
    if not changed and note.exists():
        try:
            run = client.run(json.loads(note.read_text())["run_id"])
            if run.state == "succeeded":
                return run
        except HilumError:
            pass
    done = follow(client.analyze(where=f"dataset = {DATASET}", seed=0), "analyze")
    if done.state != "succeeded":
        raise HilumError("FAILED_PRECONDITION", done.error or f"the analysis was {done.state}")
    note.write_text(json.dumps({"run_id": done.result["run_id"], "at": time.time()}))
    return client.run(str(done.result["run_id"]))


def _share(found: Sequence[Film], question: Question) -> float:
    right = sum(film.labels.get(question.finding) == "present" for film in found)
    return right / len(found) if found else 0.0


def _alike(one: Film, other: Film) -> bool:
    return bool(set(one.present) & set(other.present))
