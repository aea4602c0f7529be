"""AWS Signature Version 4, verified.

Owns: reading an Authorization header and computing the signature that the request should carry.
It knows no service.
"""

import datetime
import hashlib
import hmac
import re
import urllib.parse

SKEW = 900  # seconds between the request's time and ours
_HEADER = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/, ]+)/(\d{8})/([^/, ]+)/([^/, ]+)/aws4_request, ?"
    r"SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})"
)


class BadSignature(Exception):
    """`code` is AWS' name of the error."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


def verify(call, secrets, region, service, now):
    """The key id that signed the call; raises BadSignature. SECRETS: key id -> (secret, session
    token or None). NOW is the real time: it is the caller's clock that is compared."""
    given = call.headers.get("Authorization")
    if not given:
        raise BadSignature("MissingAuthenticationToken", "Request is missing Authentication Token")
    match = _HEADER.fullmatch(given)
    if match is None:
        raise BadSignature("IncompleteSignature", "the Authorization header is not of AWS4")
    key, day, signed_region, signed_service, names, signature = match.groups()
    if key not in secrets:
        raise BadSignature(
            "InvalidClientTokenId", "The security token included in the request is invalid."
        )
    secret, session = secrets[key]
    if session is not None and call.headers.get("X-Amz-Security-Token") != session:
        raise BadSignature(
            "InvalidClientTokenId", "The security token included in the request is invalid."
        )
    if (signed_region, signed_service) != (region, service):
        raise BadSignature(
            "SignatureDoesNotMatch", f"Credential should be scoped to {region}/{service}"
        )
    names = names.split(";")
    _check_names(call, names)
    stamp = call.headers.get("X-Amz-Date", "")
    _check_time(stamp, day, now)
    scope = f"{day}/{region}/{service}/aws4_request"
    request = hashlib.sha256(canonical(call, names).encode()).hexdigest()
    text = "\n".join(("AWS4-HMAC-SHA256", stamp, scope, request))
    if not hmac.compare_digest(signature, sign(secret, day, region, service, text)):
        raise BadSignature(
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided.",
        )
    return key


def sign(secret, day, region, service, text):
    """The signature of a string to sign."""
    key = ("AWS4" + secret).encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def canonical(call, names):
    """The canonical request over these headers."""
    path, _, query = call.target.partition("?")
    pairs = sorted(
        (urllib.parse.quote(name, safe="-_.~"), urllib.parse.quote(value, safe="-_.~"))
        for name, value in urllib.parse.parse_qsl(query, keep_blank_values=True)
    )
    headers = "".join(
        f"{name}:{' '.join((call.headers.get(name) or '').split())}\n" for name in names
    )
    return "\n".join(
        (
            call.method,
            urllib.parse.quote(path, safe="/-_.~"),
            "&".join(f"{name}={value}" for name, value in pairs),
            headers,
            ";".join(names),
            hashlib.sha256(call.body).hexdigest(),
        )
    )


def _check_names(call, names):
    """AWS wants the host and all x-amz-* headers signed."""
    sent = {name.lower() for name in call.headers.keys()}
    wanted = {"host"} | {name for name in sent if name.startswith("x-amz-")}
    if names != sorted(set(names)) or not wanted <= set(names) or not set(names) <= sent:
        raise BadSignature("SignatureDoesNotMatch", "the signed headers are not those of the call")


def _check_time(stamp, day, now):
    try:
        moment = datetime.datetime.strptime(stamp, "%Y%m%dT%H%M%SZ")
    except ValueError:
        raise BadSignature("IncompleteSignature", "X-Amz-Date is no time") from None
    seconds = moment.replace(tzinfo=datetime.timezone.utc).timestamp()
    if not stamp.startswith(day) or abs(seconds - now) > SKEW:
        raise BadSignature("SignatureDoesNotMatch", f"Signature expired: {stamp}")
