"""SQL facts: `db` opens, one module per noun reads and writes.

from services.core.facts import images, jobs, models, runs
facts = open_facts(settings.facts)
"""

from services.core.facts.db import Facts, now, open_facts

__all__ = ["Facts", "now", "open_facts"]
