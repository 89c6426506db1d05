"""Answers that print as tables, turn into frames and show as pictures."""

from __future__ import annotations

import base64
import html
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from hilum.v1 import common_pb2, query_pb2


@dataclass(frozen=True, slots=True)
class Film:
    """A stored film. None means unknown; `labels` lists only what somebody stated."""

    image_id: str
    dataset: str
    patient_id: str | None
    study_id: str | None
    view: str | None
    sex: str | None
    age: float | None
    study_date: str | None
    labels: dict[str, str]

    @classmethod
    def of(cls, image: common_pb2.Image) -> Film:
        return cls(
            image.image_id, image.dataset, image.patient_id or None, image.study_id or None, image.view or None,
            image.sex or None, image.age if image.HasField("age") else None, image.study_date or None,
            dict(sorted(image.labels.items())),
        )  # fmt: skip

    @property
    def present(self) -> list[str]:
        """Findings stated as present."""
        return [name for name, state in self.labels.items() if state == "present"]


@dataclass(frozen=True, slots=True)
class Hit:
    """A film that a search found; `agreement` is (model, rank, cosine) of every model that found it."""

    film: Film
    score: float
    same_patient: bool
    agreement: list[tuple[str, int, float]]

    @property
    def image_id(self) -> str:
        return self.film.image_id


@dataclass(frozen=True)
class SearchResult(Sequence[Hit]):
    """Hits, nearest first, with how the answer came about."""

    hits: list[Hit]
    provenance: dict[str, Any]
    _thumbnail: Callable[[str], bytes] | None = field(default=None, repr=False, compare=False)

    @classmethod
    def of(cls, answer: query_pb2.SearchResponse, thumbnail: Callable[[str], bytes] | None) -> SearchResult:
        said = answer.provenance
        hits = [
            Hit(Film.of(h.image), h.score, h.same_patient, [(a.model, a.rank, a.score) for a in h.agreement])
            for h in answer.hits
        ]
        provenance = {
            "models": {m.name: {"fingerprint": m.fingerprint, "collection": m.collection} for m in said.models},
            "filter": said.filter, "exclude": said.exclude, "exact": said.exact, "versions": dict(said.versions),
            "time": said.time, "elapsed_ms": said.elapsed_ms,
            "notes": list(said.notes),
        }  # fmt: skip
        return cls(hits, provenance, thumbnail)

    def __len__(self) -> int:
        return len(self.hits)

    def __getitem__(self, index: Any) -> Any:
        return self.hits[index]

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.hits)

    def rows(self) -> list[dict[str, Any]]:
        """One flat row per hit."""
        return [
            {
                "rank": rank, "score": round(hit.score, 4), "image_id": hit.image_id, "dataset": hit.film.dataset,
                "patient_id": hit.film.patient_id, "study_id": hit.film.study_id, "view": hit.film.view,
                "sex": hit.film.sex, "age": hit.film.age, "present": ", ".join(hit.film.present),
                "same_patient": hit.same_patient,
            }
            for rank, hit in enumerate(self.hits, 1)
        ]  # fmt: skip

    def to_pandas(self) -> Any:
        """The rows as a pandas DataFrame."""
        import pandas

        return pandas.DataFrame(self.rows())

    def to_arrow(self) -> Any:
        """The rows as a pyarrow Table."""
        import pyarrow

        return pyarrow.Table.from_pylist(self.rows())

    def __str__(self) -> str:
        shown = ("rank", "score", "view", "sex", "age", "patient_id", "present", "image_id")
        table = [shown, *[tuple("" if row[c] is None else str(row[c]) for c in shown) for row in self.rows()]]
        widths = [max(len(line[i]) for line in table) for i in range(len(shown))]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in table
        )

    def _repr_html_(self) -> str:
        """A grid of films for notebooks; the pictures travel inside it. An async result shows its table."""
        if self._thumbnail is None:
            return f"<pre>{html.escape(str(self))}</pre>"
        cells = []
        for rank, hit in enumerate(self.hits, 1):
            picture = base64.b64encode(self._thumbnail(hit.image_id)).decode()
            words = html.escape(f"{rank} · {hit.score:.3f} · {hit.film.view or ''} · {', '.join(hit.film.present)}")
            cells.append(
                '<figure style="margin:4px;width:170px;display:inline-block;vertical-align:top">'
                f'<img style="width:100%;background:#000" src="data:image/webp;base64,{picture}">'
                f'<figcaption style="font:12px sans-serif">{words}</figcaption></figure>'
            )
        return f"<div>{''.join(cells)}</div>"
