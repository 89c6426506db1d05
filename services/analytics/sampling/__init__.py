"""One sample of an archive for every model: drawn by strata, kept by name, and held against what it was drawn from."""
