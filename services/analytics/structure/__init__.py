"""Structure: layouts held against each other, clusters and whether they come back, what they are rich in, classes."""
