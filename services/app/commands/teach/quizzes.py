"""``hilum teach quiz`` and ``quiz-results``."""

from __future__ import annotations

import time
from typing import Annotated

import typer
from google.protobuf import json_format

from services.app import local, output
from services.app.commands import Data, Json
from services.app.commands.teach.files import File


def quiz(
    file: File,
    answer: Annotated[str | None, typer.Option(help="What you think it is; without, the command asks.")] = None,
    choices: Annotated[bool, typer.Option(help="Offer the differential diagnoses.")] = False,
    reader: Annotated[str, typer.Option(help="Who answers, of several who use one account.")] = "",
    data: Data = None,
    json: Json = False,
) -> None:
    """A case as an unknown: history and films, your answer, then the case."""
    with output.errors(), local.client(data) as client:
        asked, started = client.quiz(file, choices, reader), time.monotonic()
        if json and answer is None:
            output.emit(json_format.MessageToDict(asked, preserving_proto_field_name=True))
            return
        shown = output.err if json else output.out
        shown.print(f"{asked.title}\n\n{asked.history}\n\n{len(asked.images)} films", markup=False, soft_wrap=True)
        for number, choice in enumerate(asked.choices, 1):
            shown.print(f"  {number}. {choice}", markup=False)
        said = typer.prompt("What is it?", err=json) if answer is None else answer
        by_number = choices and said.isdecimal() and 1 <= int(said) <= len(asked.choices)
        chosen = asked.choices[int(said) - 1] if by_number else said if said in asked.choices else ""
        seconds = time.monotonic() - started if answer is None else 0.0
        done = client.answer_quiz(file, asked.version, "" if chosen else said, chosen, seconds, reader)
        tried = done.quiz_try
        shown.print(f"\nDiagnosis: {done.answer.document.diagnosis or 'none is given'}", markup=False)
        if not tried.HasField("correct") and answer is None:
            tried = client.judge_quiz(tried.try_id, typer.confirm("Were you right?", err=json))
        if json:
            output.emit(json_format.MessageToDict(tried, preserving_proto_field_name=True))
        else:
            told = ("right" if tried.correct else "wrong") if tried.HasField("correct") else "nobody has judged"
            shown.print(told)


def results(
    file: Annotated[str, typer.Argument(help="Of one file; without, of all.")] = "",
    reader: Annotated[str, typer.Option(help="Of one reader, as the table names them.")] = "",
    data: Data = None,
    json: Json = False,
) -> None:
    """How readers did, by file and by reader."""
    with output.errors(), local.client(data) as client:
        found = client.quiz_results(file, reader)
    if json:
        output.emit(json_format.MessageToDict(found, preserving_proto_field_name=True))
        return
    for name, scores in (("file", found.files), ("reader", found.readers)):
        rows = [
            (one.title or one.reader or one.file_id, one.tries, one.judged, one.correct,
             f"{one.median_seconds:.0f}" if one.median_seconds else "")
            for one in scores
        ]  # fmt: skip
        output.table("", (name, "tries", "judged", "right", "median s"), rows)
