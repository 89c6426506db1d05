"""What a score means: P(shares the finding | score), learned from labelled films."""
