"""Hilum's Python client: ``from hilum import Client``."""
