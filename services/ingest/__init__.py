"""Films in: list, gate, decode once, encode with every model, store durably, commit facts."""
