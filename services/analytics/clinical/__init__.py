"""Films and clinical tables of the same patients: one space, its clusters, and what becomes of the patients."""
