"""The kernel: imports no sibling, and never grpc, fastapi or torch."""
