"""Xero's identity service and the list of connections.

Owns: apps (clients) with their secrets, consents, codes, access and refresh tokens with their
lifetimes, rotation and grace, and which organisations an app is connected to. Thread safe. It does
not know books.
"""

import base64
import secrets
import threading
import urllib.parse
import uuid

from books import new_id

ACCESS_LIFE = 1800
REFRESH_LIFE = 60 * 86400
GRACE = 1800
CODE_LIFE = 300
SCOPES = (
    "offline_access openid profile email accounting.invoices accounting.payments "
    "accounting.contacts accounting.settings accounting.settings.read accounting.invoices.read "
    "accounting.payments.read accounting.contacts.read accounting.attachments"
).split()


class IdentityError(Exception):
    """An OAuth error; becomes HTTP 400 {"error": ...}."""


class Token:
    def __init__(self, value, client, tenants, scopes, expires, grant=None):
        self.value = value
        self.client = client
        self.tenants = tenants  # None: those of the client (custom connection)
        self.scopes = scopes
        self.expires = expires
        self.grant = grant


class Grant:
    """One consent: the organisations it covers and its one set of tokens."""

    def __init__(self, client, tenants, scopes):
        self.event = new_id()
        self.client = client
        self.tenants = tenants
        self.scopes = scopes
        self.current = None
        self.used = None  # when the current refresh token was last handed out
        self.previous = None
        self.superseded = None


class Identity:
    def __init__(self, clock):
        self._clock = clock
        self._lock = threading.RLock()
        self.clients = {}
        self._tokens = {}
        self._refresh = {}  # refresh token -> Grant
        self._codes = {}  # code -> (Grant, redirect uri, expires)
        self.connections = {}  # id -> {client, tenant, name, created, event}

    # -- apps -------------------------------------------------------------------------------------

    def register(self, spec):
        """Adds or changes an app. A custom connection is connected to its one organisation at
        once."""
        kind = spec.get("kind", "client_credentials")
        if kind not in ("client_credentials", "authorization_code"):
            raise ValueError("kind is client_credentials or authorization_code")
        tenants = spec.get("tenants") or []
        if kind == "client_credentials" and len(tenants) != 1:
            raise ValueError("a custom connection has exactly one tenant")
        with self._lock:
            client = {
                "kind": kind,
                "tenants": tenants,
                "secret": spec["client_secret"],
                "id": spec["client_id"],
                "scopes": spec.get("scopes", " ".join(SCOPES)).split(),
                "redirect_uris": spec.get("redirect_uris"),
                "consent": spec.get("consent", "grant"),
                "revoked": False,
            }
            self.clients[client["id"]] = client
            if kind == "client_credentials":
                self.connect(client["id"], tenants[0]["tenant_id"])

    def connect(self, client_id, tenant, event=None):
        with self._lock:
            if self.connected(client_id, tenant):
                return
            name = next(
                (
                    one["name"]
                    for one in self.clients[client_id]["tenants"]
                    if one["tenant_id"] == tenant
                ),
                tenant,
            )
            self.connections[new_id()] = {
                "client": client_id,
                "tenant": tenant,
                "name": name,
                "created": self._clock.utc(),
                "event": event or new_id(),
            }

    def connected(self, client_id, tenant):
        with self._lock:
            return any(
                one["client"] == client_id and one["tenant"] == tenant
                for one in self.connections.values()
            )

    def disconnect(self, tenant, client_id=None):
        """The organisation drops the app (or all apps); tokens go on being refreshed."""
        with self._lock:
            for key, one in list(self.connections.items()):
                if one["tenant"] == tenant and client_id in (None, one["client"]):
                    del self.connections[key]

    def expire_tokens(self, tenant=None):
        with self._lock:
            for token in self._tokens.values():
                if tenant is None or tenant in self._tenants(token):
                    token.expires = min(token.expires, self._clock.now() - 1)

    def revoke(self, tenant):
        """The person takes the consent back: refresh tokens die, a custom connection is
        deactivated."""
        with self._lock:
            for token, grant in list(self._refresh.items()):
                if tenant in grant.tenants:
                    del self._refresh[token]
            for client in self.clients.values():
                if (
                    client["kind"] == "client_credentials"
                    and tenant == client["tenants"][0]["tenant_id"]
                ):
                    client["revoked"] = True
            self.disconnect(tenant)
            self.expire_tokens(tenant)

    # -- consent ----------------------------------------------------------------------------------

    def authorize(self, query):
        """The address to redirect to; raises IdentityError where Xero shows the user an error
        page."""
        with self._lock:
            client = self.clients.get(query.get("client_id"))
            uri = query.get("redirect_uri", "")
            if client is None or client["kind"] != "authorization_code":
                raise IdentityError("unauthorized_client")
            if query.get("response_type") != "code":
                raise IdentityError("unsupported_response_type")
            if not uri.startswith(("https://", "http://localhost")) or (
                client["redirect_uris"] is not None and uri not in client["redirect_uris"]
            ):
                raise IdentityError("invalid_request : Invalid redirect_uri")
            scopes = query.get("scope", "").split()
            if not scopes or set(scopes) - set(client["scopes"]):
                raise IdentityError("unauthorized_client : Invalid scope for client")
            back = {"state": query["state"]} if "state" in query else {}
            if client["consent"] == "refuse":
                return _with_query(uri, {"error": "access_denied", **back})
            grant = Grant(client["id"], [one["tenant_id"] for one in client["tenants"]], scopes)
            for tenant in grant.tenants:
                self.connect(client["id"], tenant, grant.event)
            code = secrets.token_urlsafe(24)
            self._codes[code] = (grant, uri, self._clock.now() + CODE_LIFE)
            return _with_query(uri, {"code": code, "scope": " ".join(scopes), **back})

    # -- tokens -----------------------------------------------------------------------------------

    def token(self, authorization, form):
        """Answers POST /connect/token; returns (client id, JSON answer)."""
        with self._lock:
            client = self._authenticated(authorization)
            kind = form.get("grant_type")
            if kind == "client_credentials":
                return client["id"], self._by_client(client, form)
            if kind == "authorization_code":
                return client["id"], self._by_code(client, form)
            if kind == "refresh_token":
                return client["id"], self._by_refresh(client, form)
            raise IdentityError("unsupported_grant_type")

    def revoke_token(self, authorization, form):
        with self._lock:
            client = self._authenticated(authorization)
            grant = self._refresh.get(form.get("token"))
            if grant is None or grant.client != client["id"]:
                return
            for tenant in grant.tenants:
                self.disconnect(tenant, client["id"])
            for token in (grant.current, grant.previous):
                self._refresh.pop(token, None)

    def _authenticated(self, authorization):
        try:
            scheme, _, value = (authorization or "").partition(" ")
            pair = base64.b64decode(value, validate=True).decode()
        except ValueError:
            raise IdentityError("invalid_client") from None
        client_id, colon, secret = pair.partition(":")
        if scheme.lower() == "basic" and colon and not client_id:
            raise IdentityError("unauthorized_client")
        client = self.clients.get(client_id)
        if (
            scheme.lower() != "basic"
            or client is None
            or not secrets.compare_digest(client["secret"].encode(), secret.encode())
        ):
            raise IdentityError("invalid_client")
        return client

    def _by_client(self, client, form):
        if client["kind"] != "client_credentials" or client["revoked"]:
            raise IdentityError("unauthorized_client")
        scopes = form.get("scope", "").split() or client["scopes"]
        if set(scopes) - set(client["scopes"]):
            raise IdentityError("invalid_scope")
        return self._issue(client["id"], None, scopes)

    def _by_code(self, client, form):
        grant, uri, expires = self._codes.pop(form.get("code"), (None, None, 0))
        if (
            grant is None
            or grant.client != client["id"]
            or uri != form.get("redirect_uri")
            or self._clock.now() > expires
        ):
            raise IdentityError("invalid_grant")
        return self._issue(client["id"], grant, grant.scopes)

    def _by_refresh(self, client, form):
        token = form.get("refresh_token")
        grant = self._refresh.get(token)
        now = self._clock.now()
        if grant is None or grant.client != client["id"] or now - grant.used > REFRESH_LIFE:
            raise IdentityError("invalid_grant")
        if token == grant.current:
            self._refresh.pop(grant.previous, None)
            grant.previous, grant.superseded = token, now
        elif token == grant.previous and now - grant.superseded <= GRACE:
            del self._refresh[grant.current]
        else:
            raise IdentityError("invalid_grant")
        return self._issue(client["id"], grant, grant.scopes)

    def _issue(self, client_id, grant, scopes):
        now = self._clock.now()
        value = ".".join(
            _b64(part)
            for part in (
                '{"alg":"none","typ":"JWT"}',
                '{"client_id":"%s","exp":%d,"authentication_event_id":"%s","jti":"%s"}'
                % (
                    client_id,
                    now + ACCESS_LIFE,
                    grant.event if grant else new_id(),
                    uuid.uuid4().hex,
                ),
                "simulated",
            )
        )
        self._tokens[value] = Token(
            value, client_id, grant and grant.tenants, set(scopes), now + ACCESS_LIFE, grant
        )
        answer = {
            "access_token": value,
            "expires_in": ACCESS_LIFE,
            "token_type": "Bearer",
            "scope": " ".join(scopes),
        }
        if grant and "offline_access" in scopes:
            grant.current = secrets.token_urlsafe(32)
            grant.used = now
            self._refresh[grant.current] = grant
            answer["refresh_token"] = grant.current
        if grant and "openid" in scopes:
            answer["id_token"] = value
        return answer

    # -- who is calling ---------------------------------------------------------------------------

    def bearer(self, authorization):
        """The token of a call, None when it is unknown. The caller looks at `expires`."""
        scheme, _, value = (authorization or "").partition(" ")
        with self._lock:
            return self._tokens.get(value.strip()) if scheme.lower() == "bearer" else None

    def tenant_of(self, token, header):
        """The organisation a call is for; None when the app may not call it (HTTP 403)."""
        with self._lock:
            tenants = self._tenants(token)
            tenant = header.lower() if header else (tenants[0] if token.tenants is None else None)
            if tenant in tenants and self.connected(token.client, tenant):
                return tenant
            return None

    def _tenants(self, token):
        if token.tenants is not None:
            return token.tenants
        return [one["tenant_id"] for one in self.clients[token.client]["tenants"]]

    def list_connections(self, token, event=None):
        with self._lock:
            tenants = self._tenants(token)
            return [
                {
                    "id": key,
                    "authEventId": one["event"],
                    "tenantId": one["tenant"],
                    "tenantType": "ORGANISATION",
                    "tenantName": one["name"],
                    "createdDateUtc": one["created"].isoformat().replace("+00:00", ""),
                    "updatedDateUtc": one["created"].isoformat().replace("+00:00", ""),
                }
                for key, one in self.connections.items()
                if one["client"] == token.client
                and one["tenant"] in tenants
                and event in (None, one["event"])
            ]

    def delete_connection(self, token, connection_id):
        """False: unknown id."""
        with self._lock:
            one = self.connections.get(connection_id)
            if one is None or one["client"] != token.client:
                return False
            del self.connections[connection_id]
            return True


def _b64(text):
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _with_query(uri, fields):
    return uri + ("&" if "?" in uri else "?") + urllib.parse.urlencode(fields)
