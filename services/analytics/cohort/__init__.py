"""Films chosen by a specification: judged criterion by criterion, capped, matched, drawn, frozen, and explained."""
