"""Times in ISO 8601.

Owns: reading one into seconds since 1970 and writing one in UTC.
"""

import datetime


def seconds(text):
    """Raises ValueError; a time without an offset is UTC."""
    moment = datetime.datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.timezone.utc)
    return moment.timestamp()


def utc_text(at):
    moment = datetime.datetime.fromtimestamp(at, datetime.timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
