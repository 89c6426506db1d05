"""The reports of a sample's films, and their vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from sklearn.decomposition import TruncatedSVD
from sqlalchemy import select

from services.analytics.sample import Sample
from services.core.facts import Facts
from services.core.facts.schema import images
from services.core.facts.schema import reports as texts
from services.core.tfidf import Tfidf, terms_of

AXES = 256  # of a TF-IDF space
PATIENTS = 5  # that must share a term: what one patient's reports alone say may be a name
_CHUNK = 400


@dataclass(frozen=True)
class Reports:
    """Films with a report. films: (N,) rows of the sample.  study: (N,) the report of each, of M.
    sections: name → M texts, blank where a study lacks it; ``both`` joins findings and impression.
    """

    films: NDArray[np.int64]
    study: NDArray[np.int64]
    sections: Mapping[str, list[str]]

    def of(self, section: str) -> NDArray[np.bool_]:
        """(N,): which films have something in this section."""
        there = np.array([bool(text) for text in self.sections[section]])
        return there[self.study]


def read(facts: Facts, films: Sample) -> Reports:
    """The reports of the sample's studies."""
    keys: list[tuple[str, str] | None] = [None] * len(films)
    row = {image_id: place for place, image_id in enumerate(films.ids)}
    with facts.read() as db:
        for start in range(0, len(films.ids), _CHUNK):
            part = films.ids[start : start + _CHUNK]
            query = select(images.c.image_id, images.c.dataset, images.c.study_id).where(images.c.image_id.in_(part))
            for image_id, dataset, study_id in db.execute(query):
                keys[row[image_id]] = (dataset, study_id) if study_id else None
        wanted = sorted({key for key in keys if key})
        said: dict[tuple[str, str], dict[str, str]] = {}
        for dataset in sorted({dataset for dataset, _ in wanted}):
            studies = [study for name, study in wanted if name == dataset]
            for start in range(0, len(studies), _CHUNK):
                query = select(texts.c.study_id, texts.c.section, texts.c.text).where(
                    texts.c.dataset == dataset, texts.c.study_id.in_(studies[start : start + _CHUNK])
                )
                for study_id, section, text in db.execute(query):
                    said.setdefault((dataset, study_id), {})[section.lower()] = text.strip()
    kept = [key for key in wanted if said.get(key, {}).get("findings") or said.get(key, {}).get("impression")]
    number = {key: place for place, key in enumerate(kept)}
    chosen = [(place, number[key]) for place, key in enumerate(keys) if key in number]
    sections = {name: [said[key].get(name, "") for key in kept] for name in ("findings", "impression")}
    sections["both"] = [f"{a} {b}".strip() for a, b in zip(sections["findings"], sections["impression"], strict=True)]
    films_of, study = np.array(chosen, np.int64).reshape(-1, 2).T
    return Reports(films_of, study, sections)


def tfidf(words: Sequence[str], patients: NDArray[np.integer], seed: int) -> Tfidf:
    """A space learned from texts. patients: (N,) whose they are."""
    counts = [terms_of(text) for text in words]
    shared: dict[str, set[int]] = {}
    for person, found in zip(patients.tolist(), counts, strict=True):
        for term in found:
            shared.setdefault(term, set()).add(person)
    terms = tuple(sorted(term for term, people in shared.items() if len(people) >= PATIENTS))
    place = {term: number for number, term in enumerate(terms)}
    rows, columns, values = [], [], []
    for row, found in enumerate(counts):
        for term, count in found.items():
            if term in place:
                rows.append(row)
                columns.append(place[term])
                values.append(1 + np.log(count))
    table = scipy.sparse.csr_matrix((values, (rows, columns)), shape=(len(counts), len(terms)), dtype=np.float64)
    idf = np.log((1 + len(counts)) / (1 + np.bincount(columns, minlength=len(terms)))) + 1
    weighted = table @ scipy.sparse.diags(idf)
    dim = min(AXES, len(terms) - 1, len(counts) - 1)
    svd = TruncatedSVD(dim, random_state=seed).fit(weighted)
    return Tfidf(terms, idf.astype(np.float32), svd.components_.T.astype(np.float32))
