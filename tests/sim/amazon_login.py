"""Login with Amazon, as far as the Selling Partner API needs it.

Owns: applications with their secrets, the sellers who authorised them (one refresh token for each
pair), and access tokens with their lifetimes: a seller's, or of an application alone for operations
that need no seller. Thread safe. It knows no orders.
"""

import secrets
import threading

ACCESS_LIFE = 3600
NOTIFICATIONS = "sellingpartnerapi::notifications"
REVOKED = (
    "The request has an invalid grant parameter : refresh_token. User may have revoked or didn't "
    "grant the permission."
)


class LoginError(Exception):
    """An OAuth error: HTTP status, `error` and `error_description`."""

    def __init__(self, status, error, description):
        super().__init__(error)
        self.status = status
        self.body = {"error_description": description, "error": error}


class Grant:
    """A seller's authorisation of one application; SELLER is None for an application alone."""

    def __init__(self, client, seller, refresh_token):
        self.client = client
        self.seller = seller
        self.refresh_token = refresh_token


class Access:
    """An access token."""

    def __init__(self, grant, expires):
        self.grant = grant
        self.expires = expires


class Login:
    def __init__(self, clock):
        self._clock = clock
        self._lock = threading.Lock()
        self._clients = {}  # id -> secret
        self._grants = {}  # refresh token -> Grant
        self._tokens = {}  # access token -> Access

    def register(self, client_id, secret):
        with self._lock:
            self._clients[client_id] = secret

    def authorise(self, client_id, seller, refresh_token):
        """The seller authorises the application; an earlier authorisation of it ends."""
        with self._lock:
            if client_id not in self._clients:
                raise KeyError(f"no Amazon application {client_id}")
            self._drop(seller, client_id)
            self._grants[refresh_token] = Grant(client_id, seller, refresh_token)

    def revoke(self, seller, client_id=None):
        """The seller takes the authorisation back: the refresh token and its access tokens die."""
        with self._lock:
            self._drop(seller, client_id)

    def expire_tokens(self, seller):
        with self._lock:
            for token in self._tokens.values():
                if token.grant.seller == seller:
                    token.expires = min(token.expires, self._clock.now() - 1)

    def token(self, form):
        """Answers POST /auth/o2/token: (Grant, JSON answer). Raises LoginError."""
        for name in ("grant_type", "client_id", "client_secret"):
            if not form.get(name):
                raise LoginError(
                    400,
                    "invalid_request",
                    f"The request is missing a required parameter : {name}",
                )
        with self._lock:
            secret = self._clients.get(form["client_id"])
            if secret is None or not secrets.compare_digest(
                secret.encode(), form["client_secret"].encode()
            ):
                raise LoginError(401, "invalid_client", "Client authentication failed")
            if form["grant_type"] == "client_credentials":
                return self._issue(self._alone(form))
            if form["grant_type"] != "refresh_token":
                raise LoginError(
                    400,
                    "unsupported_grant_type",
                    "The authorization grant type is not supported by the authorization server",
                )
            grant = self._grants.get(form.get("refresh_token"))
            if grant is None or grant.client != form["client_id"]:
                raise LoginError(400, "invalid_grant", REVOKED)
            return self._issue(grant)

    @staticmethod
    def _alone(form):
        if form.get("scope") != NOTIFICATIONS:
            raise LoginError(400, "invalid_scope", "The request has an invalid scope")
        return Grant(form["client_id"], None, None)

    def _issue(self, grant):
        value = "Atza|" + secrets.token_urlsafe(48)
        self._tokens[value] = Access(grant, self._clock.now() + ACCESS_LIFE)
        told = {"access_token": value, "token_type": "bearer", "expires_in": ACCESS_LIFE}
        return grant, {**told, "refresh_token": grant.refresh_token} if grant.seller else told

    def access(self, value):
        """The access token, also an expired one; None when it was never issued or is revoked."""
        with self._lock:
            return self._tokens.get(value)

    def _drop(self, seller, client_id):
        for token, grant in list(self._grants.items()):
            if grant.seller == seller and client_id in (None, grant.client):
                del self._grants[token]
        for value, token in list(self._tokens.items()):
            if token.grant.seller == seller and client_id in (None, token.grant.client):
                del self._tokens[value]
