"""Generated from proto/hilum/v1 by `make proto`; do not edit."""
