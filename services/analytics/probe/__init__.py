"""Probes: how well a finding can be read from a model's vectors by a simple classifier."""
