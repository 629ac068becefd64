"""Tables that a node's next start will make, seen as empty by connections that only read.

The start of a node makes the row tables of its catalogue, and adds the columns of newer versions. A home that was just
founded, or whose catalogue has grown while the node is stopped, lacks them: here temporary views stand in for them, so
that every read finds what it will find after the start. The file itself is not touched.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from node.store.rowsql import OF_EACH_ROW, TAKEN_OVER, RowTable, make_views, quoted
from node.store.session import Session
from sync.schema import RowSchema

_COLUMNS = """SELECT made.name, held.name
    FROM main.sqlite_schema AS made JOIN pragma_table_info(made.name, 'main') AS held WHERE made.type = 'table'"""

_NO_HEIRS = "CREATE TEMP VIEW heir AS SELECT NULL AS predecessor, NULL AS successor, NULL AS pattern WHERE 0"

_HEARD_AS_OPEN = "CREATE TEMP VIEW heard AS SELECT rowid, *, 1 AS open FROM main.heard"


def stand_in(session: Session, schemas: Iterable[RowSchema]) -> None:
    """Makes the views that are needed: none beside a running node. Raises StoreFault."""
    there: dict[str, set[str]] = {}
    for table, column in session.rows(_COLUMNS):
        there.setdefault(table, set()).add(column)
    hiding = {"heir", RowTable.name_of(TAKEN_OVER)} <= there.keys()
    views = [view for schema in schemas for view in _views(schema, there.get(RowTable.name_of(schema.dataset)), hiding)]
    if "heir" not in there:
        views.insert(0, _NO_HEIRS)
    if "open" not in there["heard"]:
        views.append(_HEARD_AS_OPEN)
    if not views:
        return
    # query_only forbids temporary views too; the database itself is opened read-only all the same.
    session.run("PRAGMA query_only=OFF")
    for view in views:
        session.run(view)
    session.run("PRAGMA query_only=ON")


def _views(schema: RowSchema, held: set[str] | None, hiding: bool) -> Sequence[str]:
    """The statements of what stands in for a table and for its views; none where the table has every column."""
    name = RowTable.name_of(schema.dataset)
    wanted = {**{c: f'"{c}"' for c in ("_origin", *OF_EACH_ROW)}, **{c: quoted(c) for c in schema.names}}
    if held is not None and wanted.keys() <= held:
        return ()
    there = held or set()
    cells = ", ".join(sql if column in there else f"NULL AS {sql}" for column, sql in wanted.items())
    source = "WHERE 0" if held is None else f'FROM main."{name}"'
    return f'CREATE TEMP VIEW "{name}" AS SELECT {cells} {source}', *make_views(schema, hiding, temporary=True)
