"""The tables of docs/security.md: each statement of an IAM policy in a template, with a reason.

Actions, resources and conditions come from the templates. The reasons are in :data:`REASONS`, by
the statement's Sid: a statement without one fails `make docs`.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from samtranslator.yaml_helper import yaml_parse

from tools.sam_template import ROOT, TEMPLATE

#: Each template with policies, and what its roles are called in the table.
TEMPLATES: Final = (TEMPLATE, ROOT / "deploy" / "pipeline.yaml")
_ROLES: Final[Mapping[str, str]] = {
    "IssuerRole": "issuer",
    "RotatorRole": "rotator",
    "WatcherRole": "watcher",
    "DeploymentRole": "CodeDeploy",
    "IncomingCallRole": "EventBridge",
    "Role": "GitHub Actions",
}
#: Where a resource has its own policy.
_POLICIES: Final = ("ResourcePolicy", "KeyPolicy", "PolicyDocument")

#: Why a role or a principal needs a statement.
REASONS: Final[Mapping[str, str]] = {
    # the issuer
    "ReadTheCurrentSecretAndTheLastOne": (
        "AWSCURRENT seals tokens; AWSPREVIOUS only opens tokens that are diagnosed. "
        "Staged and older values cannot be read"
    ),
    "SeeWhatIsNotedOnIt": (
        "`GET /v1/status` shows the watcher's last verdict, which is a tag on the secret"
    ),
    "DecryptThatSecretOnly": (
        "Secrets Manager decrypts the value for the role. "
        "It cannot use the key directly or for another secret"
    ),
    "ReadTheSharedKeys": (
        "they verify bearer tokens; also the previous key, so that a rotation ends no session"
    ),
    "DecryptTheSharedKeysOnly": "Secrets Manager decrypts the shared keys for the role",
    "ReadTheDenials": "only their partition: not the history of changes, and no write",
    "CountTokens": "budgets (`max_tokens_per_hour`); no denial can be changed",
    "TellOfACall": "the event of a call with `callees`, and no other event",
    "WriteItsOwnLog": "audit events and metrics; it can neither read nor delete logs",
    # the rotator
    "ReadTheVersionsAndStoreOne": (
        "it reads the staged value, tests it with ZEGO, and stores it as the rotation's version"
    ),
    "Promote": "it alone moves AWSCURRENT",
    "NoteHowARotationGoes": "its outcome, for operators, as tags",
    "UseTheKeyForThatSecretOnly": (
        "Secrets Manager encrypts and decrypts the value for the role, of this secret only"
    ),
    # the watcher
    "ReadTheVersions": "it asks ZEGO about AWSCURRENT and, if ZEGO rejects that, about the others",
    "RotateAsConfigured": "a heal is a rotation, with this function and schedule and no others",
    "GiveUpARotation": "it ends a rotation that hangs; AWSCURRENT it cannot move",
    "NoteVerdictsAndRotations": "what it found, also for its next check, as tags",
    "RotateSecretRequiresThisOfItsCaller": (
        "Secrets Manager checks it when the watcher starts a rotation. "
        "A step that belongs to no rotation in flight promotes nothing"
    ),
    "TellOfAChangedVerdict": "the events of changed verdicts, heals and rotations that hang",
    # what AWS does
    "MoveTheAlias": "traffic moves to a new version step by step, and back",
    "WatchTheAlarms": (
        "an alarm stops a deployment. AWS does not document that CodeDeploy reads only its own "
        "alarms, so the resource is `*`"
    ),
    "PostIncomingCalls": "with `IncomingCallUrl`: the event of a call, to that URL only",
    # GitHub Actions
    "TryAToken": "`zego-token doctor --without-secret`, after a deployment",
    "DoNotInvokeTheIssuer": (
        "whoever invokes the function directly chooses the identity that it sees"
    ),
    "DoNotReadTheSecret": (
        "CloudFormation reads it with the deployer's permissions; a step of a job must not"
    ),
    # policies of resources
    "TheRuleSends": "events of calls that could not be delivered",
    "ReaderAccountsReadTheCurrentSecretAndTheLastOne": (
        "`SecretReaderAccounts`: issuers of other accounts; staged values cannot be read"
    ),
    "ReaderAccountsSeeWhatIsNotedOnIt": "the issuers of these accounts show the last verdict too",
    "ReaderAccountsDecryptThroughSecretsManager": "otherwise they could not read the secret",
    "AccountAdministersTheKey": (
        "administrators whose own policies allow it. That does not include reading the secret, but "
        "whoever may change this policy can add it"
    ),
    "SecretsManagerUsesTheKeyForThisAccount": (
        "identities of the account whose own policies allow it, and through Secrets Manager only"
    ),
    "AlarmsOfThisAccountPublish": "with `AlarmEmail`; no other account, no other service",
}

_OPERATORS: Final[Mapping[str, str]] = {
    "StringNotEquals": "is not",
    "ArnNotEquals": "is not",
}


class TemplateStatement(NamedTuple):
    """A statement of a policy in a template.

    :ivar owner: the logical id of the role, or of the resource that has the policy.
    """

    owner: str
    is_role: bool
    content: Mapping[str, Any]

    @property
    def sid(self) -> str:
        """Its Sid, by which it has a reason."""
        return str(self.content["Sid"])


@functools.cache
def statements() -> tuple[TemplateStatement, ...]:
    """Return each statement of the templates; alternatives of a condition are several."""
    return tuple(_statements())


def _statements() -> Iterator[TemplateStatement]:
    for path in TEMPLATES:
        template = yaml_parse(path.read_text(encoding="utf-8"))
        for name, resource in template["Resources"].items():
            properties = resource.get("Properties", {})
            if is_role := resource["Type"] == "AWS::IAM::Role":
                documents = [one["PolicyDocument"] for one in properties["Policies"]]
            else:
                documents = [properties[key] for key in _POLICIES if key in properties]
            for document in documents:
                for content in _alternatives(document["Statement"]):
                    yield TemplateStatement(name, is_role, content)


def roles() -> list[tuple[str, ...]]:
    """The table of what each role may do."""
    return [
        (_ROLES[owner], _effect(one) + _code(one["Action"]), resources, condition, reason)
        for owner, one, resources, condition, reason in _rows(is_role=True)
    ]


def resources() -> list[tuple[str, ...]]:
    """The table of who else may use a resource that has a policy."""
    return [
        (f"`{owner}`", _principal(one), _code(one["Action"]), condition, reason)
        for owner, one, _, condition, reason in _rows(is_role=False)
    ]


def _rows(*, is_role: bool) -> Iterator[tuple[str, Mapping[str, Any], str, str, str]]:
    """Yield one row per statement; alternatives with the same Sid share it."""
    found: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for one in statements():
        if one.is_role is is_role:
            found.setdefault((one.owner, one.sid), []).append(one.content)
    order = [*_ROLES] if is_role else []
    for (owner, sid), alike in sorted(
        found.items(), key=lambda item: order.index(item[0][0]) if is_role else 0
    ):
        resources = _code([one["Resource"] for one in alike])
        conditions = dict.fromkeys(_conditions(one.get("Condition", {})) for one in alike)
        yield owner, alike[0], resources, " or: ".join(conditions), REASONS[sid]


def _alternatives(node: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the statements in a list, whichever branch of a condition they are in."""
    if isinstance(node, list):
        for one in node:
            yield from _alternatives(one)
    elif "Fn::If" in node:
        yield from _alternatives(node["Fn::If"][1:])
    elif "Sid" in node:
        yield node


def _effect(statement: Mapping[str, Any]) -> str:
    return "**not** " if statement["Effect"] == "Deny" else ""


def _principal(statement: Mapping[str, Any]) -> str:
    return _code([*statement["Principal"].values()]).replace("`root`", "the account")


def _conditions(condition: Mapping[str, Mapping[str, Any]]) -> str:
    """Return a condition in words. That a key must be present goes without saying."""
    compared = {key for operator, keys in condition.items() if operator != "Null" for key in keys}
    parts = []
    for operator, keys in condition.items():
        for key, value in keys.items():
            if operator == "Null":
                if key not in compared:
                    parts.append(f"{'no ' if value == 'true' else ''}`{key}`")
            else:
                name = operator.rpartition(":")[2].removesuffix("IfExists")
                either = _code(value).replace("`, `", "` or `")
                parts.append(f"`{key}` {_OPERATORS.get(name, 'is')} {either}")
    return "; ".join(parts)


def _code(value: Any) -> str:
    return ", ".join(f"`{text}`" for text in dict.fromkeys(_texts(value)))


def _texts(value: Any) -> Sequence[str]:
    """Return what a value of a template can be, as a reader of the template names it."""
    match value:
        case str():
            text = re.sub(r"\$\{(?:AWS::)?(\w+)[^}]*\}", r"<\1>", value)
            found: Sequence[str] = [re.sub(r"^arn:<Partition>:[\w-]+:[^:]*:[^:]*:", "", text)]
        case list():
            found = [text for one in value for text in _texts(one)]
        case {"Ref": "AWS::NoValue"}:
            found = []
        case {"Ref": str(name)}:
            found = [f"<{name.removeprefix('AWS::')}>"]
        case {"Fn::GetAtt": [str(name), *_]}:
            found = [f"<{name}>"]
        case {"Fn::Sub": [str(text), *_]} | {"Fn::Sub": str(text)}:
            found = _texts(text)
        case {"Fn::If": [_, *branches]}:
            found = _texts(branches)
        case _:
            raise ValueError(f"a policy has a value that no table can show: {value}")
    return found
