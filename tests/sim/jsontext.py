"""JSON with exact numbers.

Owns: reading and writing of JSON where every number with a fraction is a decimal.Decimal and is
printed as the plain digits it has (no exponent, no float in between), and Xero's notation of dates.
"""

import datetime
import json
import re
import uuid
from decimal import Decimal
from json.encoder import encode_basestring

_EPOCH = datetime.date(1970, 1, 1)
_MS_DATE = re.compile(r"^/Date\((-?\d+)(?:[+-]\d{4})?\)/$")


class DuplicateMember(ValueError):
    """An object names one member twice: no two readers would agree on what it says."""


def _object(pairs):
    result = dict(pairs)
    if len(result) != len(pairs):
        raise DuplicateMember("an object has a member twice")
    return result


def _constant(name):
    raise ValueError(f"{name} is not JSON")


def parse(data):
    """Bytes or text to Python; raises ValueError on anything that is not strict JSON in UTF-8."""
    if isinstance(data, (bytes, bytearray)):
        data = bytes(data).decode("utf-8")
    try:
        value = json.loads(
            data, parse_float=Decimal, parse_constant=_constant, object_pairs_hook=_object
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if "\\ud" in data.lower():
        text(value).encode()  # half of a surrogate pair is no text: UnicodeEncodeError
    return value


def text(value):
    """Python to JSON text; Decimals as plain numbers."""
    out = []
    _write(value, out.append)
    return "".join(out)


def _write(value, put):
    if isinstance(value, str):
        put(encode_basestring(value))
    elif value is None:
        put("null")
    elif value is True:
        put("true")
    elif value is False:
        put("false")
    elif isinstance(value, Decimal):
        put(format(value, "f"))
    elif isinstance(value, int):
        put(str(value))
    elif isinstance(value, dict):
        put("{")
        separator = ""
        for name, member in value.items():
            put(separator + encode_basestring(name) + ":")
            _write(member, put)
            separator = ","
        put("}")
    elif isinstance(value, (list, tuple)):
        put("[")
        separator = ""
        for member in value:
            put(separator)
            _write(member, put)
            separator = ","
        put("]")
    else:
        raise TypeError(f"no JSON for {type(value).__name__}")


def ms_date(day):
    """A date as Xero writes it: /Date(ms+0000)/, midnight UTC."""
    return f"/Date({(day - _EPOCH).days * 86400000}+0000)/"


def ms_time(seconds, zone="+0000"):
    return f"/Date({int(seconds * 1000)}{zone})/"


def new_guid():
    return str(uuid.uuid4())


def date_string(day):
    return f"{day.isoformat()}T00:00:00"


def parse_date(value):
    """The calendar day a date member means, as Xero takes it: a time with an offset is moved to UTC
    first, so it may be the day before. Raises ValueError."""
    try:
        return _day(value)
    except OverflowError:
        raise ValueError(value) from None


def _day(value):
    match = _MS_DATE.match(value)
    if match:
        return _EPOCH + datetime.timedelta(milliseconds=int(match.group(1)))
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        return datetime.date.fromisoformat(value)
    if not re.match(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}", value):
        raise ValueError(value)
    moment = datetime.datetime.fromisoformat(value)
    if moment.tzinfo:
        moment = moment.astimezone(datetime.timezone.utc)
    return moment.date()
