"""Hilum for assistants: the Model Context Protocol over stdio, for reading alone."""
