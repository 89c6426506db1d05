"""Teaching files for other programs: one module per format, each a function of a gathered `Case`."""
