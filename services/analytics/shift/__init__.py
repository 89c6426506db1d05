"""Whether vectors tell where films come from, what that explains, and what taking it out costs."""
