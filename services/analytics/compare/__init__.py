"""Models beside one another on the same films: what each holds near, how alike the spaces are, where they part."""
