"""What every server shares: edges, the error table, jobs, metrics."""
