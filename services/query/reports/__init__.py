"""Reports by words, by meaning and by film, and the words of a report to seek films with.

search = SearchReports(facts, store, encode)
answer = search(ReportQuery(by=Words("large effusion, no pneumothorax")))
text = report_query(facts, "mimic", "s-…")  # for a search of films by words
"""

from services.query.reports.asked import How, ReportAnswer, ReportHit, ReportQuery
from services.query.reports.search import SearchReports
from services.query.reports.words import report_query

__all__ = ["How", "ReportAnswer", "ReportHit", "ReportQuery", "SearchReports", "report_query"]
