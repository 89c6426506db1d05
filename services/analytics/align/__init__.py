"""Words for encoders that read none: maps from their space to a text space, learned from films and their reports."""
