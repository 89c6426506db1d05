"""Stated facts → the canonical record. Ids of people and studies become keyed pseudonyms here, and nowhere later."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import date, timedelta

from services.core.ids import day_shift, image_id, pseudonym
from services.core.types import ImageRecord
from services.ingest.decode import Decoded
from services.ingest.sources.tables import Row
from services.ingest.stated import Stated

_TOLD = [field.name for field in fields(Stated)]


@dataclass(frozen=True, slots=True)
class Identities:
    """How this job names films, patients and studies.

    keep_ids: the dataset is already de-identified, so its own ids and its dates are kept as they are. Otherwise ids are
    pseudonyms, and each patient's dates are moved by days of its own: the order of studies and the time between them
    hold. A date of nobody is left out.
    """

    dataset: str
    secret: bytes
    keep_ids: bool = False

    def film(self, key: str) -> str:
        """image_id from the dataset's own key."""
        return image_id(self.dataset, key)

    def study(self, study_id: str | None) -> str | None:
        return self._person("study", study_id)

    def person(self, kind: str, value: str) -> str:
        """What the archive calls a ``patient`` or a ``study``."""
        return str(self._person(kind, value))

    def settle(self, stated: Stated, patient_id: str | None = None) -> Stated:
        """The same facts under the names that the archive may keep. patient_id: the pseudonym of the film's patient
        where `stated` names none."""
        patient = self._person("patient", stated.patient_id)
        when = stated.study_date if self.keep_ids else self._moved(stated, patient or patient_id)
        return replace(
            stated,
            patient_id=patient,
            study_id=self.study(stated.study_id),
            series_id=self._person("series", stated.series_id),
            accession_id=self._person("accession", stated.accession_id),
            institution=self._person("institution", stated.institution),
            study_date=when,
            date_kind=stated.date_kind if self.keep_ids else "shifted" if when else None,
        )

    def _moved(self, stated: Stated, patient: str | None) -> str | None:
        if stated.study_date is None or patient is None:
            return None
        try:
            day = date.fromisoformat(stated.study_date)
            return (day + timedelta(days=day_shift(self.secret, patient))).isoformat()
        except (ValueError, OverflowError):  # a day before the year 1, say
            return None

    def _person(self, kind: str, value: str | None) -> str | None:
        if value is None or self.keep_ids:
            return value
        return pseudonym(self.secret, kind, self.dataset, value)


def new_record(who: Identities, key: str, decoded: Decoded, row: Row | None, bytes_sha256: str) -> ImageRecord:
    """The record of a decoded film. Where the table and the header both speak, the table's word counts."""
    rows, columns = decoded.film.display.shape
    blank = ImageRecord(
        who.film(key), who.dataset, rows=rows, columns=columns, bytes_sha256=bytes_sha256,
        pixel_sha256=decoded.pixel_sha256, phash=decoded.phash,
    )  # fmt: skip
    return _told(blank, who.settle(row.stated.over(decoded.stated) if row else decoded.stated))


def retold(who: Identities, record: ImageRecord, row: Row | None) -> ImageRecord:
    """A stored film's record after a table has spoken (again); what the table leaves out stays."""
    return _told(record, who.settle(row.stated, record.patient_id)) if row else record


def _told(record: ImageRecord, stated: Stated) -> ImageRecord:
    told = {name: value for name in _TOLD if (value := getattr(stated, name)) is not None}
    if labels := told.get("labels"):
        told["labels"] = tuple(sorted(labels, key=lambda label: (label.name, label.source)))
    return replace(record, **told)
