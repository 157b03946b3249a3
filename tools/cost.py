"""What a month of the service costs: the tables of docs/cost.md.

They are computed from AWS' list prices, from the alarms and rules in the template and from
:data:`INPUTS`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Any, Final, NamedTuple

from tools.sam_template import transform

#: The day on which the prices were compared with AWS' pages.
PRICED_ON: Final = "2026-11-29"
#: US dollars in us-east-1, before taxes and without the free tier: (price, per how many, of what).
PRICES: Final[Mapping[str, tuple[float, int, str]]] = {
    "API Gateway, HTTP API": (1.00, 10**6, "requests"),
    "Lambda, requests": (0.20, 10**6, "requests"),
    "Lambda, arm64": (0.0000133334, 1, "GB-seconds"),
    "Lambda SnapStart, snapshots kept": (0.0000015046, 1, "GB-seconds"),
    "CloudWatch, logs received": (0.50, 1, "GB"),
    "CloudWatch, custom metrics": (0.30, 1, "metrics"),
    "CloudWatch, metrics in alarms": (0.10, 1, "metrics"),
    "CloudWatch, contributor rules": (0.50, 1, "rules"),
    "Secrets Manager, secrets": (0.40, 1, "secrets"),
    "Secrets Manager, requests": (0.05, 10**4, "requests"),
    "DynamoDB, read units": (0.125, 10**6, "read units"),
    "DynamoDB, write units": (0.625, 10**6, "write units"),
    "EventBridge, custom events": (1.00, 10**6, "events"),
    "EventBridge, API destinations": (0.20, 10**6, "requests"),
    "KMS, keys": (1.00, 1, "keys"),
    "KMS, requests": (0.03, 10**4, "requests"),
    "AWS WAF, web ACLs": (5.00, 1, "web ACLs"),
    "AWS WAF, rules": (1.00, 1, "rules"),
    "AWS WAF, requests": (0.60, 10**6, "requests"),
    "CloudFront, HTTPS requests": (0.0100, 10**4, "requests"),
    "CloudFront, data sent": (0.085, 1, "GB"),
}

SECONDS: Final = 730 * 3600
MEMORY_GB: Final = 0.5
_GIVEN_SECRET: Final = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:zego-AbCdEf"  # noqa: S105  a name
#: What the service uses, besides what the template shows: (how much, of what).
INPUTS: Final[Mapping[str, tuple[float, str]]] = {
    "own_log_bytes": (950, "bytes that the issuer logs for a token; a test measures them"),
    "other_log_bytes": (
        1_200,
        "bytes that Lambda and API Gateway log for it, and CloudWatch's 26 for each line; assumed",
    ),
    "response_bytes": (1_000, "bytes of a response, with its headers"),
    "billed_ms": (10, "milliseconds that Lambda bills for a token, with cold starts; assumed"),
    "environments": (
        2,
        "Lambda environments that each million tokens keep busy, all month; assumed",
    ),
    "denial_reads": (120, "reads of the denials by each environment in an hour"),
    "read_units": (6, "read units of such a read, one for each 4 KB: about 100 denials"),
    "watcher_ms": (1_500, "milliseconds of a check by the watcher, every 5 minutes; assumed"),
    "watcher_calls": (4, "calls to Secrets Manager of such a check"),
    "watcher_metrics": (6, "metrics of the watcher and the rotator in a quiet month"),
    "issuer_metrics": (19, "metrics of the issuer: 9, one for each of 8 codes, and 2 of its logs"),
    "call_metrics": (2, "metrics of the issuer about the events of calls"),
    "snapshots": (2, "versions of the issuer that are kept, with SnapStart"),
    "edge_rules": (3, "rules in the web ACL of deploy/edge.yaml"),
}


class Line(NamedTuple):
    """A line of the bill: one of :data:`PRICES`, and how much of it is used in a month."""

    price: str
    quantity: float
    part: str = "the stack"

    @property
    def usd(self) -> float:
        price, per, _ = PRICES[self.price]
        return self.quantity * price / per


@dataclass(frozen=True)
class Month:
    """A month of a stack.

    :ivar tokens: how many it issues.
    :ivar has_budgets: whether each token is by a rule with ``max_tokens_per_hour``.
    :ivar has_secret: whether it made the secret, and so rotates and watches it.
    :ivar has_calls: whether each token is of a call with callees, posted to ``IncomingCallUrl``.
    """

    tokens: int
    has_secret: bool = True
    has_snap_start: bool = False
    has_edge: bool = False
    has_budgets: bool = False
    has_calls: bool = False

    def bill(self) -> Iterator[Line]:
        """Yield every line, also those for nothing."""
        used = {name: quantity for name, (quantity, _) in INPUTS.items()}
        checks = SECONDS / 300 if self.has_secret else 0
        environment_hours = self.tokens / 10**6 * used["environments"] * SECONDS / 3600
        reads = environment_hours * 60
        calls = reads + checks * used["watcher_calls"]
        milliseconds = self.tokens * used["billed_ms"] + checks * used["watcher_ms"]
        metrics = used["watcher_metrics"] if self.has_secret else 0
        metrics += used["issuer_metrics"] if self.tokens else 0
        metrics += used["call_metrics"] if self.has_calls else 0
        logged = self.tokens * (used["own_log_bytes"] + used["other_log_bytes"])
        yield Line("Secrets Manager, secrets", self.has_secret + self.has_calls)
        yield Line("Secrets Manager, requests", calls)
        yield Line("KMS, keys", self.has_secret)
        yield Line("KMS, requests", calls)
        alarms = _properties("AWS::CloudWatch::Alarm", self.has_secret, self.has_calls)
        rules = _properties("AWS::CloudWatch::InsightRule", self.has_secret, self.has_calls)
        yield Line("CloudWatch, metrics in alarms", sum(map(_metrics, alarms)))
        yield Line("CloudWatch, custom metrics", metrics)
        yield Line("CloudWatch, contributor rules", len(rules))
        yield Line("CloudWatch, logs received", logged / 10**9)
        yield Line("API Gateway, HTTP API", self.tokens)
        yield Line("Lambda, requests", self.tokens + checks)
        yield Line("Lambda, arm64", milliseconds / 1_000 * MEMORY_GB)
        denials = environment_hours * used["denial_reads"] * used["read_units"]
        yield Line("DynamoDB, read units", denials, "denials")
        if self.has_budgets:
            yield Line("DynamoDB, write units", self.tokens, "budgets")
        if self.has_calls:
            yield Line("EventBridge, custom events", self.tokens, "calls")
            yield Line("EventBridge, API destinations", self.tokens, "calls")
        if self.has_snap_start:
            kept = used["snapshots"] * MEMORY_GB * SECONDS
            yield Line("Lambda SnapStart, snapshots kept", kept, "SnapStart")
        if self.has_edge:
            yield Line("AWS WAF, web ACLs", 1, "the edge")
            yield Line("AWS WAF, rules", used["edge_rules"], "the edge")
            yield Line("AWS WAF, requests", self.tokens, "the edge")
            yield Line("CloudFront, HTTPS requests", self.tokens, "the edge")
            yield Line(
                "CloudFront, data sent", self.tokens * used["response_bytes"] / 10**9, "the edge"
            )

    def usd(self) -> float:
        """Return the sum of the bill."""
        return sum(line.usd for line in self.bill())


@cache
def _properties(resource_type: str, has_secret: bool, has_calls: bool) -> list[Mapping[str, Any]]:
    """Return the properties of a stack's resources of a type."""
    given = {} if has_secret else {"ServerSecretArn": _GIVEN_SECRET}
    url = {"IncomingCallUrl": "https://sockets.example.com/"} if has_calls else {}
    resources = transform({"Stage": "dev", **given, **url})["Resources"].values()
    return [one["Properties"] for one in resources if one["Type"] == resource_type]


def _metrics(alarm: Mapping[str, Any]) -> int:
    """Return how many metrics an alarm watches: AWS bills each."""
    if "MetricName" in alarm:
        return 1
    return max(1, sum("MetricStat" in metric for metric in alarm["Metrics"]))


def totals() -> Iterator[tuple[str, ...]]:
    """Yield, for each number of tokens, the sums without and with each optional part."""
    yield "none, in a stack that only reads the secret", *_sums(0, has_secret=False)
    for tokens in (0, 10**6, 10**7):
        yield f"{tokens:,}" if tokens else "none", *_sums(tokens)


def _sums(tokens: int, *, has_secret: bool = True) -> Iterator[str]:
    for has_edge, has_snap_start in product((False, True), repeat=2):
        usd = Month(tokens, has_secret, has_snap_start, has_edge).usd()
        yield f"{usd:.0f}"


def bill() -> Iterator[tuple[str, ...]]:
    """Yield the lines of a million tokens, with every optional part."""
    month = Month(10**6, has_snap_start=True, has_edge=True, has_budgets=True, has_calls=True)
    for line in month.bill():
        price, per, what = PRICES[line.price]
        one = what.removesuffix("s")
        unit = f"a {one}" if per == 1 else f"{per:,} {what}"
        quantity = f"{line.quantity:,.2f}".removesuffix(".00")
        used = f"{quantity} {one if quantity == '1' else what}"
        usd = f"{price:.10f}".rstrip("0").rstrip(".")
        yield line.part, line.price, used, f"{usd} for {unit}", f"{line.usd:.2f}"


def inputs() -> Iterator[tuple[str, ...]]:
    """Yield the inputs."""
    for quantity, what in INPUTS.values():
        yield f"{quantity:,}", what
