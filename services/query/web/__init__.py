"""The web UI: pages rendered here, small ES modules for what moves, nothing from anywhere else."""
