"""Filters on films, in the language of AIP-160, for every store.

    view = "PA" AND age >= 40 AND labels.edema = present AND NOT dataset = "nih"

- Fields: dataset, patient_id, study_id, image_id, view, view_source, sex, modality, split, orientation, body_part,
  manufacturer, device, institution, race, ethnicity, burned_in, series_id, accession_id, photometric, licence,
  date_kind, age_binned (= !=); age in years, study_order, rows, columns, bits_stored, pixel_spacing and study_date
  (= != < <= > >=); labels.<finding> = present, absent, uncertain or unknown; ``labels."Pleural Effusion"`` and
  ``labels.pleural_effusion`` are one finding; ``labels.edema.chexpert = present``: what that source says.
- ``cohort = "name"`` and ``cluster = "run/model/resolution/number"``: films that are in a set.
- ``side.<table>.<column> >= 3``, ``= "text"`` in quotes, ``:*``: cells of side tables. ``report:*``: has a report.
- AND, OR, NOT (or ``-``) and parentheses. **OR binds tighter than AND**, as AIP-160 has it:
  ``a AND b OR c`` is ``a AND (b OR c)``. Write parentheses where in doubt. Two conditions side by side need an AND.
- ``field:*`` means that the field is known; ``view:PA`` is the same as ``view = PA``. ``labels:edema`` (a map has a
  key) means that somebody *stated* something of edema, be it present, absent or uncertain: not that it is present.
- A comparison with an unknown value is false, so ``!=`` means *stated and different*. NOT is the plain complement:
  ``NOT sex = F`` includes films whose sex is unknown. ``labels.edema = unknown``: nobody stated edema.
  Sources that contradict each other make a finding uncertain.
- Words need no quotes; other text stands in "…" or '…' with backslash before quotes and backslashes. Dates: 2020-01-31.

    expr = parse(text)                       # None when the text is empty: everything
    expr = all_of(expr, not_(equals("patient_id", pseudonym)))
    store.query(spec, vectors, 10, to_qdrant(resolve(expr, facts)))
    check(expr, facts); select(images.c.image_id).where(to_sql(expr))
"""

from services.core.filters.ast import And, Compare, Expr, Not, Operator, Or, Present, Within, all_of, any_of, not_
from services.core.filters.describe import describe
from services.core.filters.fields import FIELDS, compare, equals, one_of, present
from services.core.filters.parse import parse
from services.core.filters.qdrant import to_qdrant
from services.core.filters.resolve import check, resolve
from services.core.filters.sql import to_sql

__all__ = [
    "FIELDS", "And", "Compare", "Expr", "Not", "Operator", "Or", "Present", "Within", "all_of", "any_of", "check",
    "compare", "describe", "equals", "not_", "one_of", "parse", "present", "resolve", "to_qdrant", "to_sql",
]  # fmt: skip
