"""One kNN graph, all analyses: sample → vectors → graph → clusters · map · metrics → report · atlas."""
