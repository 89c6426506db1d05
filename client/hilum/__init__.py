"""Hilum's Python client.

from hilum import Client
Client().search(text="large left pleural effusion")
"""

from hilum.aio import AsyncClient
from hilum.client import Client
from hilum.errors import HilumError
from hilum.explanation import Explanation, Saliency
from hilum.findings import Classification, Classified, Finding
from hilum.jobs import AsyncJob, Job
from hilum.quality import ModelQuality
from hilum.queries import Asked
from hilum.results import Calibrated, Film, Hit, Place, Reason, SearchResult, Understood
from hilum.saving import SavedSearch
from hilum.teaching import TeachingFile
from hilum.things import File, Region, Report, Stored, Study, Vector, Words

__all__ = [
    "Asked", "AsyncClient", "AsyncJob", "Calibrated", "Classification", "Classified", "Client", "Explanation", "File",
    "Film", "Finding", "HilumError", "Hit", "Job", "ModelQuality", "Place", "Reason", "Region", "Report", "Saliency",
    "SavedSearch", "SearchResult", "Stored", "Study", "TeachingFile", "Understood", "Vector", "Words",
]  # fmt: skip
