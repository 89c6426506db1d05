"""Films far from all others: who they are, what they have in common, what lies beside them; and films there twice."""
