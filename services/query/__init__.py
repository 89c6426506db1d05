"""Answers: similar films, films by words, films by filter, and the pages that show them. Runs without torch."""
