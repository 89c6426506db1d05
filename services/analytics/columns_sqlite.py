"""The process that reads SQLite for `columns`: what to read comes as JSON on stdin, an Arrow stream goes to stdout."""

from __future__ import annotations

import json
import sys
from typing import Any

import adbc_driver_sqlite.dbapi as sqlite
import pyarrow as pa

_ROWS = 32_768  # of a batch; a batch of wide rows is smaller
_FIRST = {"string": "''", "double": "0.5", "int64": "0", "bool": "0"}


def main() -> None:
    asked: dict[str, Any] = json.load(sys.stdin)
    types = [pa.type_for_alias(name) for name in asked["types"]]
    # The driver tells types by the rows that come first: one that has every type leads, and is left out again.
    leading = ", ".join(_FIRST[name] for name in asked["types"])
    with sqlite.connect(f"file:{asked['file']}") as db, db.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout=30000")
        cursor.execute("PRAGMA query_only=ON")
        cursor.adbc_statement.set_options(**{"adbc.sqlite.query.batch_rows": str(_rows(len(types)))})
        cursor.execute(f"SELECT {leading} UNION ALL SELECT * FROM ({asked['sql']})", asked["given"] or None)
        with pa.output_stream(sys.stdout.buffer) as out:
            names = [f"c{n}" for n in range(len(types))]
            wanted = pa.schema(list(zip(names, types, strict=True)))
            with pa.ipc.new_stream(out, wanted) as stream:
                skip = 1
                for batch in cursor.fetch_record_batch():
                    columns = [c.cast(t) for c, t in zip(batch.slice(skip).columns, types, strict=True)]
                    stream.write_batch(pa.RecordBatch.from_arrays(columns, schema=wanted))
                    skip = 0


def _rows(columns: int) -> int:
    return max(256, _ROWS // max(1, columns // 8))


if __name__ == "__main__":
    try:
        main()
    except Exception as error:  # what a database says of a statement may name somebody; its kind does not
        sys.exit(f"reading facts failed: {type(error).__name__}")
