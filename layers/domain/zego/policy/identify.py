"""Finds out whose a bearer token is: which identity of the access policy it fits, or why none.

A caller of this module verifies the signature between the two steps: :func:`candidates` names the
identities whose keys may verify the token, and :func:`identify` picks the one whose conditions the
token meets. All candidates of a token have the same keys.

A refusal's detail is for whoever sent the token: it says which condition failed, and names common
mistakes. Its reason is for the audit log: what came, and what each identity expects.
Sources: RFC 6750, RFC 7515, RFC 7519, RFC 7662, RFC 8725, RFC 9068.
"""

from __future__ import annotations

import functools
import math
import re
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from zego import identifiers, printable, strict_json
from zego.policy.claims import SCOPES, equals, items
from zego.policy.decide import LEEWAY_SECONDS
from zego.policy.hints import brief, came, near_miss, shown
from zego.policy.model import (
    ALGORITHMS,
    HMAC_ALGORITHMS,
    AccessPolicy,
    BearerIdentity,
    Caller,
    Refusal,
    implies,
)

MAX_BYTES: Final = 8 * 1024
#: The types of a token, by its header ``typ``, if the policy names none; it may also be absent.
TOKEN_TYPES: Final = ("JWT", "at+jwt")

_COMPACT: Final = re.compile(r"([\w-]+)\.([\w-]+)\.([\w-]*)", re.ASCII)
#: Headers that change how a token is read, and that this service does not support: RFC 7515,
#: 4.1.11; RFC 7516; RFC 7797.
_EXTENSIONS: Final = ("crit", "b64", "enc", "zip")
#: Claims in which providers and libraries say what a token is for: Keycloak (typ), Simple JWT for
#: Django (token_type), Flask-JWT-Extended (type), Cognito (token_use).
_PURPOSE_CLAIMS: Final = ("typ", "type", "token_type", "token_use")
#: How such a claim begins, in lower case, if the token does not prove who sent it: refreshToken.
_OTHER_PURPOSES: Final = ("refresh", "offline", "logout")
#: Claims of other audiences than ``aud``.
_AUDIENCE_CLAIMS: Final = ("aud", "azp", "client_id", "cid", "appid")
#: Times from this one on are in the year 5138 or, more likely, in milliseconds.
_MILLISECONDS: Final = 10**11
_UNIT: Final = " It seems to be in milliseconds: JWT has seconds (RFC 7519)."


class BearerToken(NamedTuple):
    """A parsed bearer token. Nothing in it is trusted before its signature is verified."""

    header: Mapping[str, Any]
    claims: Mapping[str, Any]
    signed: bytes
    signature: bytes

    @property
    def algorithm(self) -> object:
        """The header ``alg``, which may be any JSON value."""
        return self.header.get("alg")


#: What another token is, by its number of dots, and what to do.
_HINTS: Final[Mapping[int, str]] = {
    0: " This one is opaque: only its issuer can read it. Let the identity provider issue access"
    " tokens as JWTs, which may need an audience in the request, or send the ID token.",
    4: " This one is encrypted (JWE): let the identity provider only sign it.",
}


def parse(token: str) -> BearerToken | Refusal:
    """Parse a token: three base64url parts, of which the first two are JSON objects."""
    if len(token) > MAX_BYTES:
        detail = f"A bearer token may have at most {MAX_BYTES} bytes."
        return Refusal("bearer_too_large", detail, f"{detail} This one has {len(token)}.")
    match = _COMPACT.fullmatch(token)
    try:
        if match is None:
            raise ValueError("not three parts")
        padded = (part + "=" * (-len(part) % 4) for part in match.groups())
        header, claims, signature = map(urlsafe_b64decode, padded)
        bearer = BearerToken(
            header=strict_json.loads_object(header),
            claims=strict_json.loads_object(claims),
            signed=token[: match.end(2)].encode(),
            signature=signature,
        )
    except ValueError:
        return _malformed(
            "A bearer token must be a JWT: three base64url parts, the first two JSON objects."
            + _HINTS.get(token.count("."), "")
        )
    for name in _EXTENSIONS:
        if name in bearer.header:
            return _malformed(f"The bearer token needs an extension that is not supported: {name}.")
    return bearer


def candidates(policy: AccessPolicy, bearer: BearerToken) -> tuple[BearerIdentity, ...] | Refusal:
    """The identities whose keys may verify a token, by its issuer and its algorithm."""
    algorithm = bearer.algorithm
    is_shared = isinstance(algorithm, str) and algorithm in HMAC_ALGORITHMS
    issuer = bearer.claims.get("iss")
    if is_shared and "iss" not in bearer.claims:
        same_issuer = [one for one in policy.bearers if one.issuer is None]
    else:
        same_issuer = [one for one in policy.bearers if one.issuer == issuer is not None]
    if not same_issuer:
        return _unknown_issuer(policy, issuer, is_shared=is_shared)
    same_keys = [one for one in same_issuer if bool(one.shared_key) == is_shared]
    fitting = tuple(one for one in same_keys if algorithm in one.algorithms)
    return fitting or _refused_algorithm(algorithm, same_keys or same_issuer)


def identify(
    identities: Sequence[BearerIdentity], bearer: BearerToken, now: float
) -> Caller | Refusal:
    """The caller of a token whose signature is verified.

    :param identities: the token's candidates; the first whose conditions it meets is the caller's.
    :param now: Unix seconds.
    """
    refusals: list[tuple[int, BearerIdentity, Refusal]] = []
    for identity in identities:
        for step, check in enumerate(_CHECKS):
            refusal = check(identity, bearer, now)
            if refusal is not None:
                refusals.append((step, identity, refusal))
                break
        else:
            return _caller(identity, bearer)
    # The identity that the token fits best is most likely the one that is meant.
    _, _, best = max(refusals, key=lambda refusal: refusal[0])
    reasons = (
        f"{identity.name}: {refusal.reason.removesuffix('.')}" for _, identity, refusal in refusals
    )
    return best._replace(reason=f"{'; '.join(reasons)}.")


def mismatch(identity: BearerIdentity, bearer: BearerToken, now: float) -> Refusal | None:
    """Why a token does not fit one identity; ``None`` if it does. It ignores issuer and keys."""
    for check in _CHECKS:
        if (refusal := check(identity, bearer, now)) is not None:
            return refusal
    return None


def covers(earlier: BearerIdentity, later: BearerIdentity) -> bool:
    """Whether the earlier of two identities of one issuer accepts every token that the later does.

    Then no token has the later one. A yes is always right.
    """
    return (
        set(later.algorithms) <= set(earlier.algorithms)
        and later.user_id_claim == earlier.user_id_claim
        and later.session_start_claim == earlier.session_start_claim
        and _types(later.token_types) <= _types(earlier.token_types)
        and (
            not earlier.audience
            or (
                later.audience_claim == earlier.audience_claim
                and bool(later.audience)
                and set(later.audience) <= set(earlier.audience)
            )
        )
        and implies(later.required_claims, earlier.required_claims)
        and set(earlier.scope) <= set(later.scope)
        and (
            earlier.max_age_seconds is None
            or (
                later.max_age_seconds is not None
                and later.max_age_seconds <= earlier.max_age_seconds
            )
        )
    )


def user_id(identity: BearerIdentity, claims: Mapping[str, object]) -> str | None:
    """The user id that verified claims give; ``None`` for a backend, whose requests name users."""
    if identity.names_users:
        return None
    return identifiers.user_id_for_subject(
        identity.issuer or "",
        str(claims[identity.user_id_claim]),
        always_hash=identity.hashed_user_ids,
    )


def _caller(identity: BearerIdentity, bearer: BearerToken) -> Caller:
    given = bearer.claims
    return Caller(
        identity.name,
        f"{identity.issuer or identity.name} {given[identity.user_id_claim]}",
        user_id(identity, given),
        given,
        signed_in_at=_seconds(given.get(_sign_in_claim(identity, given))),
    )


def _sign_in_claim(identity: BearerIdentity, given: Mapping[str, object]) -> str:
    name = identity.session_start_claim
    return "iat" if given.get(name) is None else name


# --- Before the signature is verified ---------------------------------------------------------


def _unknown_issuer(policy: AccessPolicy, issuer: object, *, is_shared: bool) -> Refusal:
    if not isinstance(issuer, str):
        detail = "The bearer token must have the claim iss, a string."
        return Refusal("bearer_missing_claim", detail, f"{detail} iss is {shown(issuer)}.")
    known = [one.issuer for one in policy.bearers if one.issuer is not None]
    detail = "The access policy does not name this token's issuer (iss)."
    hint = near_miss([issuer], known)
    if is_shared and not hint and any(one.issuer is None for one in policy.bearers):
        hint = " If your application signed it, set issuer for its identity with shared_key."
    detail += hint
    return Refusal(
        "bearer_untrusted_issuer", detail, f"{detail} {came('iss', issuer, sorted(set(known)))}"
    )


def _refused_algorithm(algorithm: object, identities: Sequence[BearerIdentity]) -> Refusal:
    accepted = list(dict.fromkeys(name for one in identities for name in one.algorithms))
    detail = f"Tokens of this issuer must be signed with {' or '.join(accepted)}."
    if isinstance(algorithm, str):
        if algorithm in HMAC_ALGORITHMS and not identities[0].shared_key:
            detail += f" {algorithm} needs an identity with shared_key."
        elif algorithm in ALGORITHMS and identities[0].shared_key:
            detail += f" {algorithm} needs an identity with jwks_uri or discovery."
        elif algorithm in (*HMAC_ALGORITHMS, *ALGORITHMS):
            detail += f" This one is signed with {algorithm}."
    return Refusal(
        "bearer_algorithm_refused", detail, f"{detail} {came('alg', algorithm, accepted)}"
    )


# --- After the signature is verified ----------------------------------------------------------


def _has_its_claims(identity: BearerIdentity, bearer: BearerToken, _now: float) -> Refusal | None:
    """The claims that a token must have, and the types of those that decide."""
    claims = bearer.claims
    needed = ["exp", identity.user_id_claim]
    if identity.audience:
        needed.insert(0, identity.audience_claim)
    if not identity.shared_key:
        needed.append("iat")
    for name in needed:
        if claims.get(name) in (None, ""):
            detail = f"The bearer token must have the claim {printable(name)}."
            if name == identity.audience_claim:
                detail += _other_audience(identity, claims)
            return Refusal("bearer_missing_claim", detail, detail)
    user = claims[identity.user_id_claim]
    if identity.user_id_claim == "sub" and not isinstance(user, str):
        return _malformed(
            f"The bearer token's sub must be a string, not {strict_json.type_name(user)}."
        )
    if not isinstance(user, str) and type(user) is not int:
        return _malformed(
            f"The bearer token's {printable(identity.user_id_claim)} must be a string or a whole"
            f" number, not {strict_json.type_name(user)}."
        )
    return None


def _is_valid_now(identity: BearerIdentity, bearer: BearerToken, now: float) -> Refusal | None:
    times = {}
    for name in ("exp", "iat", "nbf", identity.session_start_claim):
        value = bearer.claims.get(name, 0)
        seconds = _seconds(value)
        absent = value is None and name == identity.session_start_claim
        if seconds is None and not absent:
            return _malformed(f"The bearer token's {printable(name)} is not a time in seconds.")
        times[name] = seconds or 0.0
    if times["exp"] <= now - LEEWAY_SECONDS:
        detail = "Get a new token from your identity provider or your app."
        reason = f"exp is {times['exp']:.0f}, and it is {now:.0f} now."
        return Refusal("bearer_expired", detail, reason)
    for name in ("iat", "nbf"):
        if times[name] > now + LEEWAY_SECONDS:
            return _in_the_future(name, times[name], now)
    if times["exp"] >= _MILLISECONDS:
        return _malformed(f"The bearer token's exp is too far in the future.{_UNIT}")
    return None


def _in_the_future(name: str, seconds: float, now: float) -> Refusal:
    detail = f"The token's {printable(name)} is in the future."
    detail += _UNIT if seconds >= _MILLISECONDS else ""
    reason = f"{detail} It is {seconds:.0f}, and it is {now:.0f} now."
    return Refusal("bearer_not_yet_valid", detail, reason)


def _is_a_credential(identity: BearerIdentity, bearer: BearerToken, _now: float) -> Refusal | None:
    """RFC 8725, 3.11: a token of another type does not prove who sent it."""
    sent, claims = bearer.header.get("typ"), bearer.claims
    if _media_type(sent) not in _types(identity.token_types):
        taken = TOKEN_TYPES if identity.token_types is None else identity.token_types
        detail = f"The bearer token's type (typ) must be {' or '.join(map(printable, taken))}."
        if _media_type(sent) == "at+jwt":
            detail += " It is an access token (RFC 9068)."
        return Refusal("bearer_wrong_type", detail, f"{detail} {came('typ', sent, taken)}")
    for name in _PURPOSE_CLAIMS:
        value = claims.get(name)
        if isinstance(value, str) and value.lower().startswith(_OTHER_PURPOSES):
            other = next(one for one in _OTHER_PURPOSES if value.lower().startswith(one))
            detail = f"The token is a {other} token by its {name}. Send the access token."
            return Refusal("bearer_wrong_type", detail, detail)
    if "cnf" in claims:
        detail = "The token is bound to its sender's key (cnf), which this service does not check."
        return Refusal("bearer_wrong_type", detail, detail)
    if "events" in claims:
        detail = "The token reports an event, such as a logout (events). Send the access token."
        return Refusal("bearer_wrong_type", detail, detail)
    return None


def _is_for_this_service(
    identity: BearerIdentity, bearer: BearerToken, _now: float
) -> Refusal | None:
    if not identity.audience:
        return None
    name = identity.audience_claim
    value = bearer.claims[name]
    audience = value if isinstance(value, list) else [value]
    if not all(isinstance(one, str) for one in audience):
        return _malformed(
            f"The bearer token's {printable(name)} must be a string or an array of strings."
        )
    if any(one in identity.audience for one in audience):
        return None
    detail = f"The access policy does not name the token's audience ({printable(name)})."
    detail += near_miss(audience, identity.audience)
    detail += _other_audience(identity, bearer.claims)
    if not identity.token_types and _is_unwanted_id_token(identity, bearer.claims):
        detail += " The token seems to be an ID token: send an access token for this service."
    return Refusal(
        "bearer_wrong_audience", detail, f"{detail} {came(name, value, identity.audience)}"
    )


def _has_the_required_claims(
    identity: BearerIdentity, bearer: BearerToken, _now: float
) -> Refusal | None:
    for name, wanted in identity.required_claims.items():
        value = bearer.claims.get(name)
        if not equals(name, value, wanted):
            detail = f"The token's claim {printable(name)} does not have a value that is required."
            if name == "token_use":
                detail += f" It is an {brief(value)} token."
            return Refusal("bearer_claims_refused", detail, f"{detail} {came(name, value, wanted)}")
    if not identity.scope:
        return None
    granted = [one for name in SCOPES for one in items(name, bearer.claims.get(name))]
    missing = [one for one in identity.scope if one not in granted]
    if missing:
        detail = f"The token lacks the scope {' and '.join(map(printable, missing))}."
        name = next((one for one in sorted(SCOPES) if one in bearer.claims), "scope")
        reason = f"{detail} {came(name, bearer.claims.get(name), identity.scope)}"
        return Refusal("bearer_claims_refused", detail, reason)
    return None


def _is_recent(identity: BearerIdentity, bearer: BearerToken, now: float) -> Refusal | None:
    if identity.max_age_seconds is None:
        return None
    name = _sign_in_claim(identity, bearer.claims)
    since = _seconds(bearer.claims.get(name))
    if since is None:
        detail = f"The bearer token must have {printable(identity.session_start_claim)} or iat."
        return Refusal("bearer_missing_claim", detail, detail)
    age = now - since
    if age < -LEEWAY_SECONDS:
        return _in_the_future(name, since, now)
    if age <= identity.max_age_seconds + LEEWAY_SECONDS:
        return None
    detail = "The sign-in is too long ago for this service. Sign in again."
    reason = f"{printable(name)} is {age:.0f} s ago; max_age_seconds is {identity.max_age_seconds}."
    return Refusal("bearer_too_old", detail, reason)


_Check = Callable[[BearerIdentity, BearerToken, float], Refusal | None]
#: In this order. What fails late fits best.
_CHECKS: Final[tuple[_Check, ...]] = (
    _has_its_claims,
    _is_valid_now,
    _is_a_credential,
    _is_for_this_service,
    _has_the_required_claims,
    _is_recent,
)


def _seconds(value: object) -> float | None:
    """A NumericDate (RFC 7519, 2); ``None`` for other values. A huge integer becomes infinity."""
    if isinstance(value, float):
        return None if math.isinf(value) else value
    if type(value) is not int:
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


@functools.cache
def _types(token_types: tuple[str, ...] | None) -> frozenset[str | None]:
    """The types of an identity's tokens, for a comparison; ``None`` is a token without a type."""
    taken = (None, *TOKEN_TYPES) if token_types is None else token_types
    return frozenset(map(_media_type, taken))


def _media_type(typ: object) -> str | None:
    """A token's type for a comparison: RFC 7515, 4.1.9, lets "application/" be left out.

    A type that is not a text fits no identity.
    """
    if typ is None or isinstance(typ, str):
        return typ and typ.lower().removeprefix("application/")
    return ""


def _malformed(detail: str) -> Refusal:
    return Refusal("bearer_malformed", detail, detail)


def _other_audience(identity: BearerIdentity, claims: Mapping[str, Any]) -> str:
    """The hint that another claim has the audience."""
    for name in _AUDIENCE_CLAIMS:
        if name != identity.audience_claim and claims.get(name) in identity.audience:
            return f' Its {name} fits: set audience_claim = "{name}" if these tokens are meant.'
    return ""


def _is_unwanted_id_token(identity: BearerIdentity, claims: Mapping[str, Any]) -> bool:
    """Whether a token looks like an ID token, and the identity does not require one."""
    if "id" in identity.required_claims.get("token_use", ()):
        return False
    return (
        claims.get("token_use") == "id"
        or any(name in claims for name in ("nonce", "at_hash", "c_hash"))
        or ("azp" in claims and claims["azp"] == claims.get("aud"))
    )
