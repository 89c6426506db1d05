"""Hilum's Python client.

from hilum import Client
Client().search(text="large left pleural effusion")
"""

from hilum.aio import AsyncClient
from hilum.client import Client
from hilum.errors import HilumError
from hilum.explanation import Explanation, Saliency
from hilum.findings import Classification, Classified, Finding
from hilum.jobs import Job
from hilum.results import Film, Hit, SearchResult

__all__ = [
    "AsyncClient", "Classification", "Classified", "Client", "Explanation", "Film", "Finding", "HilumError", "Hit",
    "Job", "Saliency", "SearchResult",
]  # fmt: skip
