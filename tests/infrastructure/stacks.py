"""The stack as CloudFormation would make it, with each way to have a secret and to rotate it."""

from __future__ import annotations

import functools
from typing import Any, Final, NamedTuple

from tools.sam_template import transform

GIVEN_SECRET: Final = "arn:aws:secretsmanager:us-east-1:444455556666:secret:zego/secret-AbCdEf"
GIVEN_KEY: Final = "arn:aws:kms:us-east-1:444455556666:key/00000000-0000-4000-8000-000000000000"
#: A secret of the stack's own account and region, which it can be asked to rotate.
OWN_SECRET: Final = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:zego/secret-AbCdEf"
OWN_KEY: Final = "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-4000-8000-000000000000"

BEHIND_AN_EDGE: Final = {
    "DomainName": "tokens.example.com",
    "DomainCertificateArn": "arn:aws:acm:eu-west-1:111122223333:certificate/"
    "00000000-0000-4000-8000-000000000000",
    "OriginHeaderSha256": f"{'0' * 64},{'f' * 64}",
    "DisableExecuteApi": "Yes",
}

INCOMING_CALL_URL: Final = "https://sockets.example.com/incoming-calls"


class Stack(NamedTuple):
    """A transformed template, and short ways into it."""

    template: dict[str, Any]

    def all(self, resource_type: str) -> dict[str, Any]:
        """The resources of a type, by their logical ids."""
        return {
            name: resource
            for name, resource in self.template["Resources"].items()
            if resource["Type"] == resource_type
        }

    def one(self, resource_type: str) -> dict[str, Any]:
        """The only resource of a type."""
        (resource,) = self.all(resource_type).values()
        assert isinstance(resource, dict)
        return resource

    def properties(self, logical_id: str) -> dict[str, Any]:
        """A resource's properties."""
        properties = self.template["Resources"][logical_id]["Properties"]
        assert isinstance(properties, dict)
        return properties


def stack(**parameters: str) -> Stack:
    """A stack with these parameters."""
    return _stack(tuple(sorted(parameters.items())))


@functools.cache
def _stack(parameters: tuple[tuple[str, str], ...]) -> Stack:
    return Stack(transform(dict(parameters)))


def stack_behind_an_edge() -> Stack:
    """A stack that only an edge may call, while the edge's header is being replaced."""
    return stack(**BEHIND_AN_EDGE)


def stack_that_posts_incoming_calls(**parameters: str) -> Stack:
    """A stack with IncomingCallUrl."""
    return stack(IncomingCallUrl=INCOMING_CALL_URL, **parameters)


def stack_with_given_secret() -> Stack:
    """A stack that reads a secret of another account and region."""
    return stack(ServerSecretArn=GIVEN_SECRET, ServerSecretKmsKeyArn=GIVEN_KEY)


def stack_that_rotates_a_given_secret(**parameters: str) -> Stack:
    """A stack with RotateGivenSecret: it rotates a secret that it did not create."""
    given = {"ServerSecretArn": OWN_SECRET, "ServerSecretKmsKeyArn": OWN_KEY}
    return stack(**given, RotateGivenSecret="Yes", **parameters)
