"""Hilum's services; the tree is the architecture (docs/architecture in README)."""
