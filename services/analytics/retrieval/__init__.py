"""How good answers are: films ask, and what is relevant to them should come first."""
