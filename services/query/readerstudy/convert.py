"""Reader studies in the contract's words."""

from __future__ import annotations

import math

from hilum.v1 import reader_study_pb2 as wire
from services.core.facts import Facts, reader_studies
from services.core.facts.reader_studies import Reader, Study
from services.query.readerstudy import words
from services.query.readerstudy.agreement import Figure
from services.query.readerstudy.design import Design
from services.query.readerstudy.reading import Reading, Shown
from services.query.readerstudy.results import Group, Judged, Pair, Results, Told


def design(message: wire.ReaderDesign) -> Design:
    """What a client asked for."""
    told = {field.name: getattr(message, field.name) for field in message.DESCRIPTOR.fields}
    return Design.of(told | {"strata": tuple(message.strata)})


def study(facts: Facts, kept: Study) -> wire.ReaderStudy:
    contents = reader_studies.contents(facts, kept.study_id)
    shown = {number for number, content in enumerate(contents) if content}
    answered: dict[str, int] = {}
    for one in reader_studies.answers(facts, kept.study_id):
        answered[one.reader_id] = answered.get(one.reader_id, 0) + (one.number in shown)
    about = kept.about
    return wire.ReaderStudy(
        study_id=kept.study_id, title=kept.title, state=kept.state,
        design=wire.ReaderDesign(**Design.of(kept.design).as_json()), fingerprint=str(about.get("fingerprint", "")),
        sets=len(shown), withdrawn=len(contents) - len(shown), created_at=kept.created_at,
        readers=[
            reader(one, answered.get(one.reader_id, 0)) for one in reader_studies.invited(facts, kept.study_id)
        ],
        strata=about.get("strata") or {}, versions=about.get("versions") or {},
    )  # fmt: skip


def reader(one: Reader, answered: int = 0) -> wire.Reader:
    return wire.Reader(reader_id=one.reader_id, name=one.name, answered=answered, created_at=one.created_at)


def results(told: wire.ReaderStudy, kept: Study, found: Results, answers: Judged) -> wire.ReaderStudyResults:
    return wire.ReaderStudyResults(
        study=told, sets=found.sets, chance=found.chance, consensus=_figure(found.consensus),
        consensus_least=_number(found.least), consensus_most=_number(found.most),
        consensus_kappa=_figure(found.consensus_kappa), readers=_figure(found.readers),
        between=_figure(found.between), beyond=_figure(found.beyond), fleiss=_figure(found.fleiss),
        each=map(_told, found.each), pairs=map(_pair, found.pairs), groups=map(_group, found.groups),
        depths=[
            wire.ReaderDepth(k=one.k, ndcg=_figure(one.ndcg), chance=_number(one.chance)) for one in found.depths
        ],
        sets_for_five_points=found.enough, said=words.said(found, answers),
        caveats=words.caveats(found, answers, kept, told.withdrawn),
    )  # fmt: skip


def reading(one: Reading) -> wire.Reading:
    return wire.Reading(
        kind=one.design.kind, choose=one.design.nearest, instructions=one.design.told, open=one.open, name=one.name,
        sets=map(shown, one.sets),
    )  # fmt: skip


def shown(one: Shown) -> wire.ReadingSet:
    return wire.ReadingSet(
        number=one.number, films=one.films, answered=one.answered, chosen=one.chosen, grades=one.grades,
        seconds=one.seconds, withdrawn=one.withdrawn,
    )  # fmt: skip


def _told(one: Told) -> wire.ReaderResult:
    return wire.ReaderResult(
        name=one.name, sets=one.sets, model=_figure(one.model), model_kappa=_figure(one.model_kappa),
        others=_figure(one.others), repeats=one.repeats, itself=_figure(one.itself),
        itself_kappa=_figure(one.itself_kappa), ndcg=_figure(one.ndcg), seconds=one.seconds,
    )  # fmt: skip


def _pair(one: Pair) -> wire.ReaderPair:
    return wire.ReaderPair(
        one=one.one, other=one.other, sets=one.sets, agreement=_figure(one.agreement), kappa=_figure(one.kappa)
    )


def _group(one: Group) -> wire.ReaderGroup:
    return wire.ReaderGroup(
        name=one.name, stratum=one.stratum, sets=one.sets, consensus=_figure(one.consensus),
        readers=_figure(one.readers), fleiss=_figure(one.fleiss), ndcg=_figure(one.ndcg),
    )  # fmt: skip


def _figure(one: Figure) -> wire.ReaderFigure:
    known = {name: getattr(one, name) for name in ("value", "low", "high") if math.isfinite(getattr(one, name))}
    return wire.ReaderFigure(**known)


def _number(value: float) -> float:
    return value if math.isfinite(value) else 0.0
