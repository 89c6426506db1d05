"""Reader studies: people judge which films are alike, and are held against each other and against a model."""
