"""A frozen cohort as files that others can read, check and cite: one module per format, the same bytes each time."""
