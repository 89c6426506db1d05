"""Radiology reports of phantom studies, and the shorter texts that train a text tower."""

from dataclasses import dataclass

import numpy as np

from services.phantom import phrases as p
from services.phantom import sentences as s
from services.phantom.claims import TRUE, Claim, Truths, agreement, band_of
from services.phantom.sentences import Rng, Text
from services.phantom.truth import DEVICES, FINDINGS, MIDLINE, SEEN, SIDED, SURE, PhantomFilm


@dataclass(frozen=True, slots=True)
class Report:
    """The two paragraphs of a report."""

    findings: Text
    impression: Text


def positive_claims(film: PhantomFilm, rng: Rng | None = None) -> list[Claim]:
    """Everything surely present, with side and size; both sides merge when they are alike in size."""
    f, out = film.findings, []
    for finding in MIDLINE:
        if getattr(f, finding) >= SURE:
            out.append(Claim(finding, band=band_of(getattr(f, finding))))
    for finding in SIDED:
        right, left = f.both(finding)
        if right >= SURE and left >= SURE and band_of(right) == band_of(left):
            out.append(Claim(finding, "bilateral", band_of(right)))
            continue
        out += [
            Claim(finding, side, band_of(value)) for side, value in (("right", right), ("left", left)) if value >= SURE
        ]
    out += [Claim(device) for device in DEVICES if getattr(f, device)]
    if rng is not None:
        rng.shuffle(out)  # type: ignore[arg-type]
    return out


def write_report(film: PhantomFilm, rng: Rng) -> Report:
    """Findings and impression of the study that ``film``, a frontal one, belongs to."""
    positives = positive_claims(film, rng)
    parts = [s.statement(rng, Claim("view", value=film.view))] if rng.random() < 0.5 else []
    parts += [s.statement(rng, c if rng.random() < 0.85 else Claim(c.subject, c.side)) for c in positives]
    parts += [
        s.hedge(rng, finding, "right" if film.findings.both(finding)[0] >= SEEN else "left")
        if finding in SIDED
        else s.hedge(rng, finding, "")
        for finding in FINDINGS
        if SEEN <= film.findings.worst(finding) < SURE
    ]
    parts += _negatives(film, rng)
    parts += [s.filler(rng) for _ in range(int(rng.integers(0, 3)))]
    if rng.random() < 0.5:
        rng.shuffle(parts)  # type: ignore[arg-type]
    return Report(s.join(rng, parts), _impression(film, positives, rng))


def _negatives(film: PhantomFilm, rng: Rng) -> list[Text]:
    """Sentences about what is absent: grouped as readers group them."""
    absent = [f for f in FINDINGS if film.findings.worst(f) < SEEN]
    out = []
    lungs = {"consolidation", "edema", "atelectasis", "nodule"}
    if lungs <= set(absent) and rng.random() < 0.6:
        out.append(s.clear_lungs(rng))
        absent = [f for f in absent if f not in lungs]
    if {"effusion", "pneumothorax"} <= set(absent) and rng.random() < 0.6:
        out.append(s.clear_pleura(rng))
        absent = [f for f in absent if f not in ("effusion", "pneumothorax")]
    rng.shuffle(absent)
    while absent:
        group, absent = absent[: int(rng.integers(1, 4))], absent[3:]
        if len(group) > 1:
            out.append(s.negative_list(rng, group))
        else:
            out.append(s.statement(rng, Claim(group[0], present=False)))
    if not any(getattr(film.findings, d) for d in DEVICES) and rng.random() < 0.4:
        out.append(s.statement(rng, s.no_device()))
    return out


def _impression(film: PhantomFilm, positives: list[Claim], rng: Rng) -> Text:
    """The conclusion: the findings that matter, or that there are none."""
    findings = [c for c in positives if c.subject in FINDINGS]
    if not findings:
        if all(film.findings.worst(f) < SEEN for f in FINDINGS):
            return s.join(rng, [s.normal(rng)])
        return s.join(
            rng,
            [s.statement(rng, Claim(f, present=False)) for f in FINDINGS if film.findings.worst(f) < SEEN][:2]
            or [s.filler(rng)],
        )
    return s.join(rng, [s.statement(rng, c) for c in findings[:3]])


def training_text(film: PhantomFilm, rng: Rng) -> Text:
    """One text that is true of ``film``: a report, its impression, a sentence or what one would type to search."""
    kind = rng.random()
    if kind < 0.14:
        return write_report(film, rng).findings
    if kind < 0.26:
        return write_report(film, rng).impression
    if kind < 0.50:
        return _search_words(film, rng)
    return _single(film, rng)


def _single(film: PhantomFilm, rng: Rng) -> Text:
    """One statement, sometimes about side or size alone."""
    positives = positive_claims(film)
    if positives and rng.random() < 0.68:
        claim = positives[int(rng.integers(len(positives)))]
        side = claim.side if rng.random() < 0.8 else ""
        band = claim.band if rng.random() < 0.5 else ""
        return s.statement(rng, Claim(claim.subject, side, band))
    kind = rng.random()
    if kind < 0.12:
        return s.negative_list(rng, p.LISTS[int(rng.integers(len(p.LISTS)))])
    if kind < 0.22:
        return (s.clear_lungs if rng.random() < 0.5 else s.clear_pleura)(rng)
    if kind < 0.34:
        return s.normal(rng)
    if kind < 0.44:
        value = film.view if rng.random() < 0.7 or film.view == "LATERAL" else "FRONTAL"
        return s.statement(rng, Claim("view", value=value))
    if kind < 0.48:
        return s.statement(rng, Claim("sex", value=film.sex))
    if kind < 0.54:
        present = any(getattr(film.findings, d) for d in DEVICES)
        return s.statement(rng, Claim("device", present=present))
    subject = s.pick(rng, FINDINGS + DEVICES)
    if subject in SIDED and rng.random() < 0.35:
        return s.statement(rng, Claim(subject, "right" if rng.random() < 0.5 else "left", present=False))
    return s.statement(rng, Claim(subject, present=False))


def _search_words(film: PhantomFilm, rng: Rng) -> Text:
    """Two or three true claims strung together with commas, as in a search box."""
    texts: list[Text] = []
    if rng.random() < 0.35:
        texts.append(s.statement(rng, Claim("view", value=film.view), plain=True))
    if rng.random() < 0.1:
        texts.append(s.statement(rng, Claim("sex", value=film.sex), plain=True))
    positives = positive_claims(film, rng)
    for claim in positives[: int(rng.integers(1, 4))]:
        side = claim.side if rng.random() < 0.8 else ""
        texts.append(s.statement(rng, Claim(claim.subject, side, claim.band if rng.random() < 0.6 else ""), plain=True))
    absent = [f for f in FINDINGS + DEVICES + ("device",) if f not in {c.subject for c in positives}]
    for _ in range(int(rng.integers(0 if texts else 1, 3))):
        texts.append(s.statement(rng, Claim(s.pick(rng, absent), present=False), plain=True))
    rng.shuffle(texts)  # type: ignore[arg-type]
    # "no edema with nodule" could be read two ways: only positive claims are joined by words.
    glue = s.pick(
        rng, (", ", "; ") if any(not c.present for t in texts for c in t.claims) else (", ", " and ", " with ")
    )
    return Text(glue.join(t.words for t in texts), tuple(c for t in texts for c in t.claims))


def true_only(text: Text, film: PhantomFilm) -> Text:
    """``text`` without the claims that are not known to be true of ``film``."""
    truths = Truths.of([film])
    return Text(text.words, tuple(c for c in text.claims if agreement(c, truths)[0] == TRUE))


def report_rng(film: PhantomFilm) -> Rng:
    """The generator that writes a study's report: one report per study, whatever else is drawn."""
    return np.random.default_rng([film.patient, film.study, 31])
