"""Clusters and a map of each model, from one graph."""
