"""Writes the identity of an access policy that accepts a given bearer token.

``docs/identity-providers.md`` explains each provider's identity; a test compares the two.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ops.errors import CommandError
from ops.output import relative
from zego import identifiers, strict_json

PAGE: Final = "docs/identity-providers.md"

_GUID: Final = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
#: Claims that name the user, if `sub` is absent.
_USER_CLAIMS: Final = ("user_id", "uid", "userId", "id", "_id", "username", "email")
#: Claims that name the client, if `aud` is absent.
_CLIENT_CLAIMS: Final = ("azp", "client_id", "cid", "appid")
#: Claims that tell the sessions of an app from other tokens that it signs with the same secret.
_PURPOSE_CLAIMS: Final = ("type", "token_type", "typ", "token_use", "purpose", "scp", "role")
#: Scopes of OpenID Connect, which say nothing about an API.
_STANDARD_SCOPES: Final = frozenset(
    {"openid", "profile", "email", "address", "phone", "offline_access"}
)
_HMAC: Final = ("HS256", "HS384", "HS512")
_SESSION_SECRET: Final = "app/session-secret"  # noqa: S105  the secret's name


@dataclass(frozen=True, slots=True)
class WrittenIdentity:
    """An identity, as TOML with comments.

    :ivar provider: who issued the token, as far as it was recognised.
    :ivar user_id: the user id that its user has; ``None`` if a backend names the users.
    """

    toml: str
    name: str
    provider: str
    user_id: str | None
    expired: bool


@dataclass(frozen=True, slots=True)
class _Provider:
    """An identity provider, recognised by its tokens' issuer.

    :ivar jwks_uri: with the parts of the issuer filled in; ``None``: by discovery.
    :ivar audience_claim: the claim that names the audience if it is not ``aud``.
    :ivar user_id_claim: the claim that names the user if the token has it.
    :ivar required_claims: the claims to require if the token has them.
    :ivar asks_scopes: whether its documents ask APIs to check the scopes.
    """

    name: str
    title: str
    issuer: str
    jwks_uri: str | None
    audience_claim: str = "aud"
    user_id_claim: str = "sub"
    required_claims: tuple[str, ...] = ()
    asks_scopes: bool = False


_WELL_KNOWN: Final = "{issuer}/.well-known/jwks.json"
_ENTRA: Final = "https://login.microsoftonline.com/{0}/discovery"
_PROVIDERS: Final = (
    _Provider(
        "auth0",
        "Auth0",
        r"https://[\w.-]+\.auth0\.com/",
        "{issuer}.well-known/jwks.json",
    ),
    _Provider(
        "cognito",
        "Amazon Cognito",
        r"https://cognito-idp\.[\w-]+\.amazonaws\.com(?:\.cn)?/[\w-]+",
        _WELL_KNOWN,
        required_claims=("token_use",),
    ),
    _Provider(
        "firebase",
        "Firebase",
        r"https://securetoken\.google\.com/[\w-]+",
        "https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com",
    ),
    _Provider(
        "clerk",
        "Clerk",
        r"https://(?:clerk\.[\w.-]+|[\w-]+\.clerk\.accounts\.dev)",
        _WELL_KNOWN,
        audience_claim="azp",
    ),
    _Provider(
        "supabase",
        "Supabase",
        r"https://[\w-]+\.supabase\.co/auth/v1",
        _WELL_KNOWN,
        required_claims=("role",),
    ),
    _Provider(
        "keycloak",
        "Keycloak",
        r"https?://[^/]+(?:/[\w-]+)*/realms/[^/]+",
        "{issuer}/protocol/openid-connect/certs",
        audience_claim="azp",
        required_claims=("typ",),
    ),
    _Provider(
        "entra",
        "Microsoft Entra ID",
        rf"https://login\.microsoftonline\.com/({_GUID})/v2\.0",
        f"{_ENTRA}/v2.0/keys",
        user_id_claim="oid",
        asks_scopes=True,
    ),
    _Provider(
        "entra_v1",
        "Microsoft Entra ID",
        rf"https://sts\.windows\.net/({_GUID})/",
        f"{_ENTRA}/keys",
        user_id_claim="oid",
        asks_scopes=True,
    ),
    _Provider(
        "okta",
        "Okta",
        r"https://[\w-]+\.okta(?:preview|-emea)?\.com/oauth2/[\w-]+",
        "{issuer}/v1/keys",
        user_id_claim="uid",
        asks_scopes=True,
    ),
    _Provider(
        "google",
        "Google",
        r"https://accounts\.google\.com",
        "https://www.googleapis.com/oauth2/v3/certs",
        required_claims=("hd",),
    ),
)
_OTHER: Final = _Provider("users", "Another provider", "", None)
_APP: Final = _Provider("app", "An app that signs with a secret", "", None)

#: Issuers whose tokens no API can accept, and what to send instead.
_NOT_FOR_APIS: Final = {
    r"https://session\.firebase\.google\.com/.+": "This is a session cookie of Firebase. Send the"
    " ID token, which getIdToken() returns.",
    r".+\.iam\.gserviceaccount\.com": "This is a custom token of Firebase. Sign in with it, then"
    " send the ID token, which getIdToken() returns.",
    r"https://[\w-]+\.okta(?:preview|-emea)?\.com": "The org authorization server of Okta issued"
    " this token, for Okta alone. Use a custom one, such as default.",
    r"accounts\.google\.com": "Google issues this form of iss to old clients. Use a current sign-in"
    " library: its tokens have https://accounts.google.com.",
    "supabase": "This is the anon key or the service role key of a Supabase project. Send the"
    " user's access token.",
}


def write_identity(token: str, now: float) -> WrittenIdentity:
    """Write the identity for a token.

    :param now: Unix seconds.
    :raises CommandError: the service cannot accept this kind of token; the message says why.
    """
    header, claims = _parse(token)
    _refuse_what_is_no_bearer(header, claims)
    return _Draft(header, claims).finish(now)


class _Draft:
    """An identity in the making: its keys, and what a person has to check."""

    def __init__(self, header: Mapping[str, Any], claims: Mapping[str, Any]) -> None:
        self.claims = claims
        self.algorithm = str(header["alg"])
        self.is_shared = self.algorithm in _HMAC
        self.issuer = claims.get("iss")
        self.provider, self.issuer_parts = _recognise(self.issuer, is_shared=self.is_shared)
        self.is_backend = _is_backend(claims)
        self.user_claim = "" if self.is_backend else _user_claim(self.provider, claims)
        self.keys: dict[str, object] = {}
        self.checks: list[str] = []

    def finish(self, now: float) -> WrittenIdentity:
        self._add_issuer()
        self._add_audience()
        self._add_keys()
        self._add_required_claims()
        self._add_user()
        expires_at = self.claims.get("exp")
        if expires_at is None:
            self.checks.append("exp: this token has none, so the service refuses it.")
        expired = None
        if isinstance(expires_at, int | float) and expires_at <= now:
            expired = f"The token expired {relative(expires_at, now)}."
        user_id = None
        if not self.is_backend:
            user = str(self.claims[self.user_claim])
            user_id = identifiers.user_id_for_subject(str(self.issuer), user, always_hash=False)
        comments = [
            f"{self.provider.title}. See {PAGE}. The token's signature was not checked.",
            *([expired] if expired else []),
            *([f"User id of the token's user: {user_id}"] if user_id else []),
        ]
        return WrittenIdentity(
            toml="\n".join(_toml(self._name(), self.keys, comments, self.checks)),
            name=self._name(),
            provider=self.provider.title,
            user_id=user_id,
            expired=expired is not None,
        )

    def _name(self) -> str:
        name = self.provider.name
        if self.is_backend:
            return f"{name}_backend"
        return f"{name}_{self.claims['token_use']}" if name == "cognito" else name

    def _add_issuer(self) -> None:
        if isinstance(self.issuer, str):
            self.keys["issuer"] = self.issuer
            if not self.is_shared and not self.issuer.startswith("https://"):
                self.checks.append(
                    "issuer: outside make run it must be an https URL. Configure the provider's"
                    " public address."
                )
        elif not self.is_shared:
            raise CommandError(
                "This token has no iss, so the service cannot know whose keys verify it.",
                "Set the issuer where the token is signed.",
            )

    def _add_audience(self) -> None:
        named = (self.provider.audience_claim, "aud", *_CLIENT_CLAIMS)
        claim = next((name for name in named if self.claims.get(name)), None)
        if claim is None:
            return
        value = self.claims[claim]
        audience = [str(one) for one in (value if isinstance(value, list) else [value])]
        if claim != "aud":
            self.keys["audience_claim"] = claim
        self.keys["audience"] = [one for one in audience if not one.endswith("/userinfo")]
        self.checks.append("audience: is this your API, or your app?")

    def _add_keys(self) -> None:
        if self.is_shared:
            self.keys["shared_key"] = _SESSION_SECRET
            self.checks.append(
                "shared_key: store the HMAC key in Secrets Manager under this name. Whoever can"
                " read it can sign in as any user."
            )
        elif self.provider.jwks_uri is not None:
            self.keys["jwks_uri"] = self.provider.jwks_uri.format(
                *self.issuer_parts, issuer=self.issuer
            )
        else:
            document = f"{str(self.issuer).rstrip('/')}/.well-known/openid-configuration"
            self.checks.append(f"{document}: does it exist? If not, set jwks_uri.")
        if self.algorithm != ("HS256" if self.is_shared else "RS256"):
            self.keys["algorithms"] = [self.algorithm]

    def _add_required_claims(self) -> None:
        names = self.provider.required_claims
        required = {name: self.claims[name] for name in names if name in self.claims}
        if self.is_shared and not {"issuer", "audience"} & {*self.keys}:
            required = _purpose(self.claims, self.checks)
        if required:
            self.keys["required_claims"] = required

    def _add_user(self) -> None:
        if self.is_backend:
            self.keys["names_users"] = True
            self.checks.append(
                "names_users: this token names no user, because a backend got it for itself. Its"
                " requests name the user of each ZEGO token, so its rules need users."
            )
            return
        if self.user_claim != "sub":
            self.keys["user_id_claim"] = self.user_claim
        if self.provider.asks_scopes and (scopes := _scopes(self.claims)):
            self.keys["scope"] = scopes


def _parse(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    parts = token.split(".")
    if len(parts) == 5:
        raise CommandError(
            "This token is encrypted (JWE), so only its issuer can read it.",
            "Turn encryption off for this API at the provider. Auth.js (NextAuth) encrypts its"
            " sessions: let a route of your app request tokens as a backend (docs/backends.md).",
        )
    if token.startswith("04") and len(parts) == 1:
        raise CommandError(
            "This is a token of ZEGO, not a bearer token.", "To read it: zego-token inspect."
        )
    try:
        if len(parts) != 3:
            raise ValueError("not three parts")
        header, claims = (
            strict_json.loads_object(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
            for part in parts[:2]
        )
    except ValueError:
        raise CommandError(
            "This is not a JWT but an opaque token, which only its issuer can read.",
            "Ask the provider for a JWT: Auth0 issues one if the app requests an audience, Okta"
            " from a custom authorization server. Of Google, send the ID token. A session cookie is"
            f" opaque too: see {PAGE}.",
        ) from None
    return header, claims


def _refuse_what_is_no_bearer(header: Mapping[str, Any], claims: Mapping[str, Any]) -> None:
    kind = str(header.get("typ", "")).lower().removeprefix("application/")
    purpose = str(claims.get("typ") or claims.get("token_type") or claims.get("token_use")).lower()
    if "events" in claims or kind == "logout+jwt":
        raise CommandError("This is a logout token, which proves no sign-in.")
    if purpose in ("refresh", "offline"):
        raise CommandError("This is a refresh token.", "Use the access token.")
    if "cnf" in claims:
        raise CommandError(
            "This token is bound to a key of the client (cnf: DPoP or mTLS), so it is not enough by"
            " itself, and the service refuses it.",
            "Turn sender-constrained tokens off for this API at the provider.",
        )
    if header.get("alg") in (None, "none"):
        raise CommandError("This token is not signed.")
    for pattern, advice in _NOT_FOR_APIS.items():
        if re.fullmatch(pattern, str(claims.get("iss", ""))):
            raise CommandError("The service cannot accept this token.", advice)


def _recognise(issuer: object, *, is_shared: bool) -> tuple[_Provider, tuple[str, ...]]:
    for provider in _PROVIDERS:
        if isinstance(issuer, str) and (match := re.fullmatch(provider.issuer, issuer)):
            return provider, match.groups()
    return (_APP if is_shared else _OTHER), ()


def _purpose(claims: Mapping[str, Any], checks: list[str]) -> dict[str, object]:
    for name in _PURPOSE_CLAIMS:
        if isinstance(claims.get(name), str | int):
            checks.append(f"required_claims: do only your sessions have this {name}?")
            return {name: claims[name]}
    checks.append(
        "required_claims: nothing in this token tells sessions from other tokens that the app signs"
        " with the same secret. Add this claim to the sessions when you sign them."
    )
    return {"type": "session"}


def _user_claim(provider: _Provider, claims: Mapping[str, Any]) -> str:
    for name in (provider.user_id_claim, "sub", *_USER_CLAIMS):
        if claims.get(name) not in (None, ""):
            return name
    raise CommandError(
        "No claim of this token names its user: it has no sub.",
        "Add the claim sub, with the user's id, where the token is signed.",
    )


def _is_backend(claims: Mapping[str, Any]) -> bool:
    """Whether a client got the token for itself, by client credentials."""
    client = next((claims[name] for name in _CLIENT_CLAIMS if claims.get(name)), None)
    return (
        claims.get("gty") == "client-credentials"  # Auth0
        or claims.get("idtyp") == "app"  # Entra ID
        or str(claims.get("preferred_username", "")).startswith("service-account-")  # Keycloak
        or (client is not None and client == claims.get("sub"))
    )


def _scopes(claims: Mapping[str, Any]) -> list[str]:
    value = claims.get("scp", claims.get("scope", ""))
    given = value.split(" ") if isinstance(value, str) else value
    return [str(one) for one in given if one and one not in _STANDARD_SCOPES]


def _toml(
    name: str, keys: Mapping[str, object], comments: list[str], checks: list[str]
) -> Iterator[str]:
    yield from (f"# {_printable(text)}" for text in comments)
    yield f"[identities.{name}]"
    for key, value in keys.items():
        yield f"{key} = {_value(value)}"
    if checks:
        yield "# To check:"
        yield from (f"# - {_printable(text)}" for text in checks)


def _value(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case int() | float():
            return str(value)
        case list():
            return f"[{', '.join(map(_value, value))}]"
        case dict():
            pairs = ", ".join(f"{_key(name)} = {_value(one)}" for name, one in value.items())
            return f"{{ {pairs} }}"
    return f'"{_escaped(str(value))}"'


def _key(name: str) -> str:
    return name if re.fullmatch(r"[\w-]+", name, re.ASCII) else f'"{_escaped(name)}"'


def _escaped(text: str) -> str:
    """The text within the quotes of a TOML string (TOML 1.0, String)."""
    return "".join(
        f"\\{c}" if c in '"\\' else c if c.isprintable() else f"\\U{ord(c):08X}" for c in text
    )


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)
