"""What an archive says of its films: fields, findings, people, side tables, and what looks wrong."""
