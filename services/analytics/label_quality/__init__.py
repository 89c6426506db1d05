"""Which labels are likely wrong, and what wrong labels would do."""
