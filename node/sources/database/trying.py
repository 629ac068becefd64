"""Whether a database can be read: asked for its columns, its key, its clock and its first rows; nothing comes in."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from node.clock import SystemClock
from node.sources.database.position import MARKED, UNMARKED
from node.sources.database.reading import Job
from node.sources.database.table import find, server_time

ROWS: int = 10


def try_out(job: Job) -> float:
    """By how many seconds its clock is before ours. Raises SourceAway, UserFault."""
    database = job.declared.database
    assert database is not None
    zone = ZoneInfo(job.converter.mapping.source.time_zone)
    with job.dialled.connection() as connection:
        table = find(connection, job.declared, job.converter.needs)
        connection.execute(table.page(MARKED if database.watermark else UNMARKED, None, None, ROWS)).all()
        theirs = server_time(connection, zone)
    ours = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=SystemClock().now_us())
    return (theirs - ours).total_seconds()
