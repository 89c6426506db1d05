"""Helpers that tests share: `records` builds films, specs and vectors; fixtures live in ``tests/conftest.py``."""
