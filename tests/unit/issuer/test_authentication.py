"""Authentication: the user that a bearer token identifies, and the role of a verified ARN."""

from __future__ import annotations

import pytest

from issuer.authentication import from_bearer, from_role
from issuer.jwks import SigningKeys
from issuer.problems import Problem
from tests.support.bearer import (
    AUDIENCE,
    ISSUER,
    JWKS_URI,
    JwksEndpoint,
    claims,
    policy,
    signer,
)
from tests.support.clock import Clock
from tests.support.table import table
from zego import identifiers
from zego.policy.model import BearerIdentity, Caller, RoleIdentity

WEB = BearerIdentity("web", ISSUER, (AUDIENCE,), JWKS_URI, ("RS256",))
PARTNER = BearerIdentity(
    "partner",
    "https://partner.example.com/",
    (AUDIENCE,),
    "https://partner.example.com/jwks",
    ("RS256",),
    hashed_user_ids=True,
)


def bearer_of(said: dict[str, object], *identities: BearerIdentity) -> Caller:
    """The caller that the service reads from a token with these claims."""
    keys = SigningKeys(JwksEndpoint(signer().jwk))
    return from_bearer(f"Bearer {signer().sign(said)}", policy(*(identities or (WEB,))), keys)


class TestUsers:
    def test_the_caller_is_the_identity_the_subject_and_the_claims(self) -> None:
        said = claims(team="red", groups=["a", "b"])
        assert bearer_of(said) == Caller(
            "web", f"{ISSUER} alice", "alice", said, signed_in_at=said["iat"]
        )

    def test_a_user_may_not_read_the_status(self) -> None:
        assert bearer_of(claims(read_status=True)).read_status is False

    def test_a_subject_that_zego_refuses_becomes_a_hashed_user_id(self) -> None:
        caller = bearer_of(claims(sub="auth0|123"))
        assert caller.user_id == identifiers.user_id_for_subject(ISSUER, "auth0|123")
        assert str(caller.user_id).startswith("u_")
        assert caller.subject == f"{ISSUER} auth0|123"

    def test_an_issuer_with_hashed_user_ids_gives_every_subject_one(self) -> None:
        caller = bearer_of(claims(), WEB._replace(hashed_user_ids=True))
        assert caller.user_id == identifiers.user_id_for_subject(ISSUER, "alice", always_hash=True)
        assert caller.user_id != "alice"

    def test_the_same_subject_of_another_issuer_is_another_user(self) -> None:
        ours = bearer_of(claims(), WEB, PARTNER)
        theirs = bearer_of(claims(iss=PARTNER.issuer), WEB, PARTNER)
        assert (ours.identity, theirs.identity) == ("web", "partner")
        assert ours.user_id != theirs.user_id

    @pytest.mark.parametrize(
        "claim", ["user_id", "name", "email", "preferred_username", "zoneinfo"]
    )
    def test_no_other_claim_says_who_the_user_is(self, claim: str) -> None:
        assert bearer_of(claims(**{claim: "bob"})).user_id == "alice"

    def test_the_clock_decides_whether_the_token_is_valid(self) -> None:
        keys, clock = SigningKeys(JwksEndpoint(signer().jwk)), Clock()
        said = claims(iat=int(clock()), exp=int(clock()) + 600)
        header = f"Bearer {signer().sign(said)}"
        assert from_bearer(header, policy(WEB), keys, clock=clock).user_id == "alice"
        clock.turn(660)
        with pytest.raises(Problem) as refused:
            from_bearer(header, policy(WEB), keys, clock=clock)
        assert refused.value.code == "bearer_expired"


ROLE = "arn:aws:iam::111122223333:role/CallBackend"


def role_caller(arn: object, *roles: RoleIdentity) -> Caller:
    known = policy(*(roles or (RoleIdentity("backend", ROLE),)))
    return from_role({"userArn": arn, "accountId": "111122223333"}, known)


class TestRoles:
    def test_an_assumed_role_is_identified_by_account_and_name(self) -> None:
        arn = "arn:aws:sts::111122223333:assumed-role/CallBackend/session-1"
        assert role_caller(arn) == Caller("backend", arn, None, {})

    def test_a_user_may_not_diagnose_tokens(self) -> None:
        assert bearer_of(claims(diagnose_tokens=True)).diagnose_tokens is False

    def test_a_role_that_may_diagnose_tokens_does(self) -> None:
        arn = "arn:aws:sts::111122223333:assumed-role/CallBackend/session-1"
        caller = role_caller(arn, RoleIdentity("ops", ROLE, diagnose_tokens=True))
        assert (caller.diagnose_tokens, caller.read_status) == (True, False)

    def test_a_role_that_may_read_the_status_does(self) -> None:
        arn = "arn:aws:sts::111122223333:assumed-role/CallBackend/session-1"
        assert role_caller(arn, RoleIdentity("ops", ROLE, read_status=True)).read_status

    @pytest.mark.parametrize(
        "session", ["session-1", "alice@example.com", "a=b,c.d_e+f", "0123456789"]
    )
    def test_any_session_of_the_role_is_accepted(self, session: str) -> None:
        arn = f"arn:aws:sts::111122223333:assumed-role/CallBackend/{session}"
        assert role_caller(arn).subject == arn

    @pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
    def test_a_role_is_accepted_in_the_partition_that_the_policy_names(
        self, partition: str
    ) -> None:
        role = RoleIdentity("backend", f"arn:{partition}:iam::111122223333:role/CallBackend")
        arn = f"arn:{partition}:sts::111122223333:assumed-role/CallBackend/s"
        assert role_caller(arn, role).identity == "backend"

    @pytest.mark.parametrize("partition", ["aws-cn", "aws-us-gov"])
    def test_the_same_role_in_another_partition_is_another_role(self, partition: str) -> None:
        with pytest.raises(Problem) as refused:
            role_caller(f"arn:{partition}:sts::111122223333:assumed-role/CallBackend/s")
        assert refused.value.code == "not_granted"

    @pytest.mark.parametrize("iam", [None, {}, {"userArn": None}, {"userArn": 5}, {"userArn": []}])
    def test_without_a_verified_identity_there_is_no_caller(
        self, iam: dict[str, object] | None
    ) -> None:
        with pytest.raises(Problem) as refused:
            from_role(iam, policy(RoleIdentity("backend", ROLE)))
        assert refused.value.code == "iam_identity_missing"
        assert refused.value.type.status == 401

    @table(
        "arn",
        [
            "",
            "arn:aws:iam::111122223333:root",
            "arn:aws:iam::111122223333:user/CallBackend",
            "arn:aws:iam::111122223333:role/CallBackend",
            "arn:aws:sts::111122223333:federated-user/CallBackend",
            "arn:aws:sts::444455556666:assumed-role/CallBackend/s",
            "arn:aws:sts::111122223333:assumed-role/callbackend/s",
            "arn:aws:sts::111122223333:assumed-role/CallBackend2/s",
            "arn:aws:sts::111122223333:assumed-role/CallBackend",
            "arn:aws:sts::111122223333:assumed-role/CallBackend/",
            "arn:aws:sts::111122223333:assumed-role/CallBackend/s/t",
            "arn:aws:sts::111122223333:assumed-role/CallBackend/é",
            "arn:aws:sts::111122223333:assumed-role/CallBackend/a b",
            "arn:aws:sts::111122223333:assumed-role//CallBackend/s",
            "arn:aws:sts::111122223333:assumed-role/team/CallBackend/s",
            "arn:aws:sts::111122223333:assumed-role/Other/CallBackend",
            "arn:aws:sts::111122223333:assumed-role/Other/arn:aws:sts::111122223333:assumed-role/CallBackend/s",
            "arn:aws:sts::11112222333:assumed-role/CallBackend/s",
            "arn:aws:sts::1111222233334:assumed-role/CallBackend/s",
            "arn:aws:sts::١١١١٢٢٢٢٣٣٣٣:assumed-role/CallBackend/s",
            "arn:aws:sts::111122223333:assumed-role/CallBackend/s\n",
            "\narn:aws:sts::111122223333:assumed-role/CallBackend/s",
            "arn:aws:sts::111122223333:assumed-role/*/s",
            "arn:aws:sts::111122223333:assumed-role/CallBackend*/s",
            "arn:aws:sts::*:assumed-role/CallBackend/s",
            "arn:*:sts::111122223333:assumed-role/CallBackend/s",
            "ARN:AWS:STS::111122223333:ASSUMED-ROLE/CallBackend/s",
            "arn:aws:sts:us-east-1:111122223333:assumed-role/CallBackend/s",
            f"{ROLE} arn:aws:sts::111122223333:assumed-role/CallBackend/s",
        ],
    )
    def test_any_other_role_is_refused(self, arn: str) -> None:
        with pytest.raises(Problem) as refused:
            role_caller(arn)
        assert refused.value.code == "not_granted"
        assert "111122223333" not in refused.value.detail
        assert arn in refused.value.reason

    def test_only_the_arn_identifies_the_role(self) -> None:
        iam = {
            "userArn": "arn:aws:sts::444455556666:assumed-role/Other/s",
            "callerId": "arn:aws:sts::111122223333:assumed-role/CallBackend/s",
            "role": ROLE,
            "accountId": "111122223333",
            "cognitoIdentity": {"identityId": ROLE},
        }
        with pytest.raises(Problem) as refused:
            from_role(iam, policy(RoleIdentity("backend", ROLE)))
        assert refused.value.code == "not_granted"
