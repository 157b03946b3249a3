"""The certified oidc-provider on loopback, and tokens signed by jose and jsonwebtoken.

They run in one process of Node, `oidc_provider.mjs`, which ends with its standard input, and so
also if this process is killed. `tests/npm/identity_provider/` pins their packages.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookiejar import CookieJar
from pathlib import Path
from typing import IO, Any, Final, Self

from tests.support.node import find_node
from tools import npm_packages

PINS: Final = npm_packages.PINS / "identity_provider"
AUDIENCE: Final = "https://calls.example.com"
REDIRECT_URI: Final = "http://127.0.0.1/signed-in"
CLIENT_SECRET: Final = "only-for-tests"
SCOPES: Final = "calls:join calls:publish"

_PROGRAM: Final = Path(__file__).with_suffix(".mjs")
_PATIENCE_SECONDS: Final = 60


@dataclass(frozen=True)
class Key:
    """A signing key of the provider: its id, and its public part as the JWKS lists it."""

    kid: str
    algorithm: str
    jwk: Mapping[str, Any] = field(repr=False)


class OidcProvider:
    """The provider. It starts and stops as a context manager, and first has one key per algorithm.

    For each algorithm there are two clients: `service-<algorithm>` gets access tokens by client
    credentials, and users sign in to `app-<algorithm>`. Access tokens are for `AUDIENCE`.

    :ivar issuer: its URL.
    :ivar process: Node, with the provider in it.
    """

    def __init__(self, *algorithms: str) -> None:
        self._algorithms = algorithms
        self.process: subprocess.Popen[str]
        self.issuer: str

    def __enter__(self) -> Self:
        node = find_node()
        packages = npm_packages.fetch("oidc-provider", PINS).parents[1]
        self.process = subprocess.Popen(
            [node, _PROGRAM, packages],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # it warns of a configuration for tests
            text=True,
        )
        self.issuer = self._read()["issuer"]
        if self._algorithms:
            self.publish(*map(self.new_key, self._algorithms))
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()

    def new_key(self, algorithm: str, *, named: bool = True) -> Key:
        """Generate a key. The provider does not publish it yet.

        :param named: whether the key says which algorithm it is for.
        """
        made = self._ask("key", algorithm=algorithm, named=named)
        return Key(made["kid"], algorithm, made["jwk"])

    def publish(self, *keys: Key) -> None:
        """Start the provider again with these keys. The first key of an algorithm signs."""
        names = [*dict.fromkeys(key.algorithm for key in keys)]
        kids = [key.kid for key in keys]
        self._ask("provide", kids=kids, algorithms=names, audience=AUDIENCE)

    def discovery(self) -> dict[str, Any]:
        """Return the provider's own description."""
        return _json(self._open(f"{self.issuer}/.well-known/openid-configuration"))

    def service_token(
        self, algorithm: str, *, scope: str = SCOPES, bound_to_a_key: bool = False
    ) -> str:
        """Return a service's access token, by client credentials."""
        url = f"{self.issuer}/token"
        headers = {}
        if bound_to_a_key:
            headers["dpop"] = self._ask("proof", method="POST", url=url)["token"]
        form = {"grant_type": "client_credentials", "scope": scope, "resource": AUDIENCE}
        token: str = self._tokens(f"service-{algorithm}", form, headers)["access_token"]
        return token

    def sign_in(self, algorithm: str, user: str) -> dict[str, Any]:
        """Sign a user in, as a browser does: authorization code with PKCE.

        :return: the response of the token endpoint: `access_token` and `id_token`.
        """
        verifier = secrets.token_urlsafe(32)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest())
        browser = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(CookieJar()), _StopAtTheApp()
        )
        wanted = {
            "client_id": f"app-{algorithm}",
            "redirect_uri": REDIRECT_URI,
            "response_type": "code",
            "scope": f"openid {SCOPES}",
            "resource": AUDIENCE,
            "code_challenge": challenge.decode().rstrip("="),
            "code_challenge_method": "S256",
        }
        page = browser.open(f"{self.issuer}/auth?{urllib.parse.urlencode(wanted)}")
        for form in ({"prompt": "login", "login": user, "password": "any"}, {"prompt": "consent"}):
            action = re.search(r'action="([^"]+)"', page.read().decode())
            assert action, page.url
            url = urllib.parse.urljoin(page.url, action[1])
            page = browser.open(url, urllib.parse.urlencode(form).encode())
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(page.headers["location"]).query)
        form = {
            "grant_type": "authorization_code",
            "code": query["code"][0],
            "redirect_uri": REDIRECT_URI,
            "code_verifier": verifier,
            "resource": AUDIENCE,
        }
        return self._tokens(f"app-{algorithm}", form)

    def logout_token(self, algorithm: str, user: str) -> str:
        """Return the back-channel logout token that the provider sends to `app-<algorithm>`."""
        token: str = self._ask("logout", client_id=f"app-{algorithm}", user=user)["token"]
        return token

    def sign(self, key: Key, claims: Mapping[str, Any], **header: object) -> str:
        """Return a token that jose signed. ``None`` drops a header."""
        said = {"alg": key.algorithm, "kid": key.kid} | header
        kept = {name: value for name, value in said.items() if value is not None}
        token: str = self._ask("jose", kid=key.kid, header=kept, claims=claims)["token"]
        return token

    def sign_with_secret(self, secret: str, claims: Mapping[str, Any], **header: object) -> str:
        """Return a token that jose signed with a secret."""
        said = {"alg": "HS256"} | header
        token: str = self._ask("jose", secret=secret, header=said, claims=claims)["token"]
        return token

    def session(self, secret: str, claims: Mapping[str, Any], **options: object) -> str:
        """Return `jwt.sign(claims, secret, options)` of jsonwebtoken, as Express apps do."""
        token: str = self._ask("jsonwebtoken", secret=secret, claims=claims, options=options)[
            "token"
        ]
        return token

    def encrypt(self, secret: str, claims: Mapping[str, Any]) -> str:
        """Return an encrypted token (JWE)."""
        token: str = self._ask("encrypt", secret=secret, claims=claims)["token"]
        return token

    def _tokens(
        self, client: str, form: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        credentials = base64.b64encode(f"{client}:{CLIENT_SECRET}".encode()).decode()
        request = urllib.request.Request(
            f"{self.issuer}/token",
            urllib.parse.urlencode(form).encode(),
            {"authorization": f"Basic {credentials}"} | dict(headers or {}),
        )
        return _json(self._open(request))

    def _open(self, request: str | urllib.request.Request) -> IO[bytes]:
        try:
            answer: IO[bytes] = urllib.request.urlopen(request, timeout=_PATIENCE_SECONDS)
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{error.code}: {error.read().decode()}") from None
        return answer

    def _ask(self, operation: str, **wanted: object) -> dict[str, Any]:
        assert self.process.stdin
        self.process.stdin.write(json.dumps({"operation": operation, **wanted}) + "\n")
        self.process.stdin.flush()
        answer = self._read()
        assert "error" not in answer, answer["error"]
        return answer

    def _read(self) -> dict[str, Any]:
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line, f"{_PROGRAM.name} ended"
        answer: dict[str, Any] = json.loads(line)
        return answer


class _StopAtTheApp(urllib.request.HTTPRedirectHandler):
    """Follows redirects within the provider, and returns the one to the app."""

    def redirect_request(
        self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        if newurl.startswith(REDIRECT_URI):
            return None
        return super().redirect_request(req, fp, code, msg, headers, newurl)

    def http_error_303(self, req: Any, fp: Any, code: int, msg: str, headers: Any) -> Any:
        return super().http_error_302(req, fp, code, msg, headers) or fp


def _json(answer: IO[bytes]) -> dict[str, Any]:
    with answer:
        document: dict[str, Any] = json.load(answer)
    return document
