"""Films that are near everything: how far they crowd answers, and what takes them out."""
