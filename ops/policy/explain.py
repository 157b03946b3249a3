"""Explains what an access policy gives a caller, and why: `zego-token policy explain`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ops.errors import ExitCode, InputError
from ops.output import BAD, GOOD, QUIET, Output
from zego import strict_json
from zego.policy import claims, file, identify
from zego.policy.decide import Mismatch, decide, mismatch, values_of
from zego.policy.identify import BearerToken
from zego.policy.keys import TableError
from zego.policy.model import (
    AccessPolicy,
    BearerIdentity,
    Caller,
    Grant,
    Refusal,
    Rule,
    TokenRequest,
)
from zego.policy.patterns import Pattern, Values

_ROLE: Final = re.compile(
    r"arn:(aws[a-z-]*):(?:iam::([0-9]{12}):role/(?:[^/*]+/)*([\w+=,.@-]+)"
    r"|sts::([0-9]{12}):assumed-role/([\w+=,.@-]+)/[\w+=,.@-]+)",
    re.ASCII,
)
#: The longest value of a claim that is shown.
_LONGEST: Final = 60
_NOT_CHECKED: Final = (
    "Not checked: the bearer token's signature, denials (zego-token denials) and budgets of tokens,"
    "\nand whether the deployed service has this policy (zego-token doctor --policy)."
)


@dataclass(frozen=True, slots=True)
class ProofOfCaller:
    """How the caller proves who it is: one of these.

    :ivar bearer: a bearer token.
    :ivar claims: the claims of one. Without its header, nothing is known of its algorithm and type.
    :ivar role: the ARN of an IAM role or of its session.
    """

    bearer: str | None = None
    claims: bytes | None = None
    role: str | None = None


def explain(
    out: Output, policy: AccessPolicy, proof: ProofOfCaller, wanted: Mapping[str, Any], now: float
) -> ExitCode:
    """Show which identity the caller has, how each rule decides, and what the caller gets.

    :param wanted: the request, as in the body of a request to the API.
    :param now: when the request is made, in Unix seconds.
    """
    try:
        request = file.token_request(wanted)
    except TableError as error:
        raise InputError(f"{error}.") from None
    out.tell("policy", "", sha256=policy.sha256, rules=len(policy.rules))
    caller = _by_role(policy, proof.role) if proof.role else _by_token(out, policy, proof, now)
    if isinstance(caller, Refusal):
        return _decided(out, caller)
    user = request.user_id if caller.user_id is None else caller.user_id
    if user is None:
        raise InputError(f"The caller is {caller.identity}, which names users: use --user.")
    if caller.user_id is not None and request.user_id is not None:
        raise InputError("The bearer token names the user: leave out --user.")
    out.tell(
        "identity",
        f"Identity {caller.identity}: the user is {user}",
        name=caller.identity,
        fits=True,
        user_id=user,
    )
    values = values_of(caller, user)
    for number, rule in enumerate(policy.rules, start=1):
        because = mismatch(rule, caller, user, request.room_id, values)
        why = "matches" if because is None else _why(rule, because, caller, user, request, values)
        out.tell(
            "rule",
            f"rules[{number}] {rule.name!r}: {why}",
            style=QUIET if because else "",
            number=number,
            name=rule.name,
            matches=because is None,
            because=because,
            detail=why,
        )
        if because is None:
            break
    return _decided(out, decide(policy, caller, request, now=now), request.callees)


def _by_role(policy: AccessPolicy, arn: str) -> Caller | Refusal:
    match = _ROLE.fullmatch(arn)
    if match is None:
        raise InputError(
            "--role is not the ARN of an IAM role or of its session.",
            "Use arn:aws:iam::<account>:role/<name>, or what aws sts get-caller-identity prints.",
        )
    partition, account, name = match[1], match[2] or match[4], match[3] or match[5]
    identity = policy.roles.get(f"arn:{partition}:iam::{account}:role/{name}")
    if identity is None:
        reason = "no identity has this role"
        return Refusal("not_granted", "", reason)
    return Caller(identity.name, arn, None, {}, identity.read_status, identity.diagnose_tokens)


def _by_token(
    out: Output, policy: AccessPolicy, proof: ProofOfCaller, now: float
) -> Caller | Refusal:
    bearer = identify.parse(proof.bearer) if proof.bearer else _claims(proof.claims or b"", now)
    if isinstance(bearer, Refusal):
        return bearer
    found = _candidates(policy, bearer, is_whole=proof.bearer is not None)
    if isinstance(found, Refusal):
        return found
    for identity in found:
        if not proof.bearer:  # its type is not known
            typ = (identity.token_types or identify.TOKEN_TYPES)[0]
            bearer = bearer._replace(header={"typ": typ})
        refusal = identify.mismatch(identity, bearer, now)
        if refusal is None:
            return identify.identify([identity], bearer, now)
        # The decision on a single identity gives the reason.
        why = f" ({refusal.code}). {refusal.reason}" if len(found) > 1 else ""
        out.tell(
            "identity",
            f"Identity {identity.name}: does not fit{why}",
            name=identity.name,
            fits=False,
            code=refusal.code,
            detail=refusal.reason,
        )
    return identify.identify(found, bearer, now)


def _candidates(
    policy: AccessPolicy, bearer: BearerToken, *, is_whole: bool
) -> tuple[BearerIdentity, ...] | Refusal:
    """The identities that a token may have.

    :param is_whole: whether its header is known.
    """
    if is_whole:
        return identify.candidates(policy, bearer)
    same = tuple(one for one in policy.bearers if one.issuer == bearer.claims.get("iss"))
    return same or identify.candidates(policy, bearer._replace(header={"alg": "RS256"}))


def _claims(content: bytes, now: float) -> BearerToken:
    try:
        given = strict_json.loads_object(content)
    except ValueError as error:
        raise InputError(
            f"--claims is not a JSON object: {error}.",
            'It contains what a bearer token says: {"iss": "...", "aud": "...", "sub": "alice"}.',
        ) from None
    return BearerToken({}, {"iat": int(now), "exp": int(now) + 3600} | given, b"", b"")


def _why(
    rule: Rule,
    because: Mismatch,
    caller: Caller,
    user: str,
    request: TokenRequest,
    values: Values,
) -> str:
    """Why a rule does not match, in words."""
    match because:
        case "callers":
            return f"is for {' and '.join(sorted(rule.callers))}"
        case "claims":
            return "; ".join(_unmet(rule, caller))
        case "unless_claims":
            held = (f"{name} is {_shown(caller.claims.get(name))}" for name in rule.unless_claims)
            return f"denies nothing, because {' and '.join(held)}"
        case "users":
            return f"the user {user} matches none of {_patterns(rule.users, values)}"
        case "rooms":
            rooms = _patterns(rule.rooms, values)
            return f"the room {request.room_id} matches none of {rooms}"
        case "identity_tokens":
            return "does not give tokens without a room"


def _unmet(rule: Rule, caller: Caller) -> Iterator[str]:
    holds = claims.resembles if rule.deny else claims.equals
    for name, wanted in rule.claims.items():
        claim = caller.claims.get(name)
        if not holds(name, claim, wanted):
            expected = " or ".join(map(_shown, wanted))
            yield f"{name} is {_shown(claim)}, not {expected}"


def _patterns(patterns: tuple[Pattern, ...], values: Values) -> str:
    return (
        ", ".join(
            pattern.text
            if pattern.fill_in(values) is not None
            else f"{pattern.text} (no fitting value)"
            for pattern in patterns
        )
        or "no pattern"
    )


def _shown(value: object) -> str:
    if value is None:
        return "missing"
    text = json.dumps(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _decided(out: Output, decision: Grant | Refusal, callees: tuple[str, ...] = ()) -> ExitCode:
    if isinstance(decision, Refusal):
        by = f" by {decision.rule!r}" if decision.rule else ""
        out.tell(
            "decision",
            f"Refused{by} ({decision.code}): {decision.reason}",
            style=BAD,
            granted=False,
            rule=decision.rule,
            code=decision.code,
            reason=decision.reason,
        )
    else:
        room = "every room" if decision.room_id is None else f"room {decision.room_id}"
        privileges = sorted(decision.privileges)
        streams = decision.stream_ids
        of = "" if streams is None else f", streams {', '.join(streams)}"
        calls = f", calls {', '.join(callees)}" if callees else ""
        out.tell(
            "decision",
            f"Granted by {decision.rule!r}: {room} for {decision.user_id}, "
            f"{' and '.join(privileges)}{of}{calls}, for {decision.lifetime_seconds} s",
            style=GOOD,
            granted=True,
            rule=decision.rule,
            user_id=decision.user_id,
            room_id=decision.room_id,
            privileges=privileges,
            stream_ids=streams,
            callees=callees,
            lifetime_seconds=decision.lifetime_seconds,
        )
    out.tell("not_checked", _NOT_CHECKED, style=QUIET, detail=_NOT_CHECKED)
    return ExitCode.DONE if isinstance(decision, Grant) else ExitCode.REFUSED
