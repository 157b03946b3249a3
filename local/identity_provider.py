"""A development identity provider: OpenID discovery, signing keys, and a login for any user.

`POST /token` is OAuth 2's resource owner password grant (RFC 6749, 4.3) with one password for all
users, which is acceptable on a development machine only. Each start makes new keys.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import get_default_algorithms
from jwt.utils import base64url_encode

from local.aws.http_api_access import Cors
from local.loopback import HttpRequest, HttpResponse, LoopbackServer

AUDIENCE = "zego-token-service-local"
PASSWORD = "development"  # noqa: S105  not confidential: the same for every user
LIFETIME_SECONDS = 3600
ALGORITHMS = ("RS256", "ES256", "EdDSA")

_JSON = ("content-type", "application/json")
_NO_STORE = ("cache-control", "no-store")


class IdentityProvider(LoopbackServer):
    """An OpenID provider with one signing key per algorithm.

    `allowed_origins` are the origins whose pages may log in, and `on_refused_origin`, if set, is
    called with each other. `sign` makes valid and invalid bearer tokens for tests.
    """

    open_to_pages = True

    def __init__(
        self,
        *,
        port: int = 0,
        allowed_origins: Sequence[str] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(port=port)
        self.allowed_origins = allowed_origins
        self.on_refused_origin: Callable[[str], None] | None = None
        self._clock = clock
        self._algorithms = get_default_algorithms()
        self._keys: dict[str, Any] = {}
        self._kids: dict[str, str] = {}
        self.rotate_keys()

    def rotate_keys(self) -> None:
        """Replaces all signing keys at once. Providers usually publish a new key earlier."""
        self._keys = {
            "RS256": rsa.generate_private_key(public_exponent=65537, key_size=2048),
            "ES256": ec.generate_private_key(ec.SECP256R1()),
            "EdDSA": ed25519.Ed25519PrivateKey.generate(),
        }
        self._kids = {name: f"{name.lower()}-{secrets.token_hex(4)}" for name in ALGORITHMS}

    @property
    def issuer(self) -> str:
        """The value of the `iss` claim: its URL."""
        return self.url

    @property
    def jwks_uri(self) -> str:
        """The URL of its public keys."""
        return f"{self.url}/.well-known/jwks.json"

    def claims(self, username: str, **changes: object) -> dict[str, Any]:
        """Returns the claims of a token for `username`, valid for one hour, with `changes`."""
        now = int(self._clock())
        return {
            "iss": self.issuer,
            "aud": AUDIENCE,
            "sub": username,
            "iat": now,
            "nbf": now,
            "exp": now + LIFETIME_SECONDS,
            "name": username,
            "email_verified": True,
            "team": "local",
        } | changes

    def sign(
        self,
        claims: Mapping[str, Any],
        *,
        algorithm: str = "RS256",
        kid: str | None = None,
        headers: Mapping[str, Any] | None = None,
        key: Any = None,
    ) -> str:
        """Returns a JWT of `claims`. Any algorithm of RFC 7518 and 8037, also `none` and HS256.

        `kid` and `key` are the provider's own for the algorithm unless given; HS256 takes `key` as
        bytes. `headers` are merged into the JOSE header.
        """
        own = "RS256" if algorithm.startswith(("RS", "PS")) else algorithm
        key = self._keys.get(own) if key is None else key
        kid = self._kids.get(own) if kid is None else kid
        header = {"alg": algorithm, "typ": "JWT", "kid": kid} | dict(headers or {})
        signed = f"{_base64url_json(header)}.{_base64url_json(claims)}"
        signature = self._algorithms[algorithm].sign(signed.encode(), key)
        return f"{signed}.{base64url_encode(signature).decode()}"

    def bearer(self, username: str) -> str:
        """Returns a valid bearer token for `username`."""
        return self.sign(self.claims(username))

    def jwks(self) -> dict[str, Any]:
        """Returns the public keys as a JWK Set (RFC 7517)."""
        return {"keys": [self._jwk(name) for name in ALGORITHMS]}

    def respond(self, request: HttpRequest) -> HttpResponse:
        """Responds to one request, with the CORS headers if its origin is allowed."""
        cors = Cors(
            self.allowed_origins,
            methods=("POST",),
            max_age_seconds=600,
            on_refused=self.on_refused_origin,
        )
        if preflight := cors.preflight(request):
            return preflight
        return self._answer(request).with_headers(cors.on_answer(request))

    def _answer(self, request: HttpRequest) -> HttpResponse:
        match request.method, request.path:
            case "GET", "/.well-known/openid-configuration":
                return _json(200, self._discovery())
            case "GET", "/.well-known/jwks.json":
                return _json(200, self.jwks(), ("cache-control", "public, max-age=300"))
            case "POST", "/token":
                return self._token(request)
        return _json(404, {"error": "not_found", "error_description": "This page does not exist."})

    def _token(self, request: HttpRequest) -> HttpResponse:
        if request.media_type != "application/x-www-form-urlencoded":
            return _refusal("invalid_request", "The request must be a form.")
        form = parse_qs(request.body.decode("utf-8", "replace"), keep_blank_values=True)
        if any(len(values) > 1 for values in form.values()):
            return _refusal("invalid_request", "A parameter is repeated.")
        given = {name: values[0] for name, values in form.items()}
        for name in ("grant_type", "username", "password"):
            if not given.get(name):
                return _refusal("invalid_request", f"{name} is missing.")
        if given["grant_type"] != "password":
            return _refusal("unsupported_grant_type", "Use grant_type=password.")
        if given["password"] != PASSWORD:
            return _refusal("invalid_grant", f"The password of every user is {PASSWORD!r}.")
        token = {
            "access_token": self.bearer(given["username"]),
            "token_type": "Bearer",
            "expires_in": LIFETIME_SECONDS,
        }
        return _json(200, token, _NO_STORE)

    def _discovery(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "jwks_uri": self.jwks_uri,
            "token_endpoint": f"{self.url}/token",
            "grant_types_supported": ["password"],
            "response_types_supported": [],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": list(ALGORITHMS),
            "token_endpoint_auth_methods_supported": ["none"],
        }

    def _jwk(self, algorithm: str) -> dict[str, Any]:
        public_key = self._keys[algorithm].public_key()
        jwk: dict[str, Any] = json.loads(self._algorithms[algorithm].to_jwk(public_key))
        jwk.pop("key_ops", None)
        return jwk | {"kid": self._kids[algorithm], "alg": algorithm, "use": "sig"}


def _refusal(error: str, description: str) -> HttpResponse:
    """Returns an error response (RFC 6749, 5.2)."""
    return _json(400, {"error": error, "error_description": description}, _NO_STORE)


def _json(status: int, value: object, *headers: tuple[str, str]) -> HttpResponse:
    return HttpResponse(status, (_JSON, *headers), json.dumps(value).encode())


def _base64url_json(value: object) -> str:
    return base64url_encode(json.dumps(value, separators=(",", ":")).encode()).decode()
