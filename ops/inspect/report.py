"""The diagnosis of each token: as data for programs, and as a report or one line for users."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from ops.errors import ExitCode
from ops.explain import causes_of
from ops.inspect.codes import CodeExplanation, SeenCode
from ops.inspect.secrets import TriedSecrets
from ops.inspect.tokens import Token
from ops.output import (
    BAD,
    QUIET,
    STYLES,
    UNSURE,
    Output,
    advice,
    date_and_time,
    line,
    prose,
    relative,
    wrapped,
)
from zego import duration, strict_json
from zego.diagnosis.model import Diagnosis, Expected, Finding
from zego.diagnosis.secrets import diagnose

if TYPE_CHECKING:
    from rich.text import Text

#: The exit code and sentence of each verdict. For several tokens, the first that occurs counts.
_VERDICTS: Final[Mapping[str, tuple[ExitCode, str]]] = {
    "refused": (ExitCode.REFUSED, "ZEGO refuses this token."),
    "unknown": (ExitCode.UNDECIDED, "No problem is visible without the secret."),
    "good": (ExitCode.DONE, "The token is valid if ZEGO accepts the secret that opens it."),
}
#: The findings that another secret may end.
_ABOUT_SECRET: Final = re.compile("made-with-|secret-|other-secret|other-project")
_SEVERITY_STYLES: Final = {"refused": BAD, "warning": UNSURE, "note": QUIET}

_FORMS: Final[Mapping[str, str]] = {
    "token04": "Token04",
    "kit-token": "kit token (for UIKit)",
    "jwt": "JWT",
    "older-token": "token of an older generation",
    "other": "not a ZEGO token",
}
_SDKS: Final[Mapping[str, str]] = {"web": "web", "native": "native", "zim": "ZIM", "uikit": "UIKit"}
_NOT_OPENED: Final = (
    "No secret was given. To open the token, use --stage, --stack, --secret-id, --local,"
    " --secret-file or --ask-secret."
)
#: The secret may have been reset since.
_REFUSED_ANYWAY: Final = (
    "If ZEGO refuses it anyway, check whether it still accepts that secret: zego-token doctor."
)
_PRIVILEGES: Final = {"1": "log in", "2": "publish"}

#: The width of the column with the names of facts.
_NAMES: Final = 12
#: How many characters to show of one claim, which may have thousands.
_LONGEST_CLAIM: Final = 160
_STREAMS: Final = 5
#: 1000 years, in seconds: a longer lifetime is not shown as a span of time.
_LONGEST_LIFETIME: Final = 1000 * 365 * 86400


@dataclass(frozen=True, slots=True)
class Inspection:
    """One token and its diagnosis.

    :ivar at: the time for which it was examined, in Unix seconds.
    :ivar codes: about each code that the client showed.
    """

    token: Token
    diagnosis: Diagnosis
    secrets: TriedSecrets
    at: float
    codes: tuple[CodeExplanation, ...] = ()

    @property
    def secret_fingerprint(self) -> str | None:
        """The fingerprint of the secret that opens it; ``None``: none does, or it is invalid."""
        label, claims = self.diagnosis.opened_by, self.diagnosis.claims
        if label is None:
            return None
        return self.secrets.fingerprint(label, (claims or {}).get("app_id"))

    def document(self) -> dict[str, Any]:
        token = self.token
        return {
            "line": token.line,
            "token_sha256": token.sha256,
            "length": len(token.text),
            **self.diagnosis.document(),
            "secret_fingerprint": self.secret_fingerprint,
            "secrets_tried": list(self.secrets.by_label),
            "secret_problems": dict(self.secrets.problems),
            "codes_seen": [code.document() for code in self.codes],
        }


def inspect(
    out: Output,
    tokens: Iterable[Token],
    secrets: TriedSecrets,
    expected: Expected,
    codes: Iterable[SeenCode] = (),
    *,
    clock: Callable[[], float] | None = time.time,
) -> ExitCode:
    """Report on each token as it comes in, and return the exit code for all of them.

    For one token, the screen shows a report; for several, one line per token.

    :param codes: that the client showed.
    :param clock: ``None``: examine all tokens for the time in ``expected``.
    """
    verdicts = set[str]()

    def inspections() -> Iterator[Inspection]:
        for token in tokens:
            for_it = expected if clock is None else replace(expected, now=clock())
            diagnosis = diagnose(token.text, secrets.by_label, for_it)
            verdicts.add(diagnosis.verdict)
            explanations = (CodeExplanation.of(code, diagnosis, expected.sdk) for code in codes)
            yield Inspection(token, diagnosis, secrets, for_it.now, tuple(explanations))

    found = inspections()
    if out.as_json:
        for inspection in found:
            out.tell("inspection", "", **inspection.document())
    else:
        first = next(found)
        second = next(found, None)
        if second is None:
            out.show(*_report(first, out.width))
        else:
            _show_many(out, chain((first, second), found))
    return next(code for verdict, (code, _) in _VERDICTS.items() if verdict in verdicts)


# --- One token --------------------------------------------------------------------------------


def _headline(diagnosis: Diagnosis) -> tuple[ExitCode, str]:
    code, says = _VERDICTS[diagnosis.verdict]
    findings = diagnosis.findings
    if diagnosis.verdict == "good" and any(one.severity == "warning" for one in findings):
        says = "ZEGO accepts it if it accepts the secret, but see the warnings."
    is_opened = diagnosis.verdict == "refused" and diagnosis.opened_by is not None
    if is_opened and not any(_ABOUT_SECRET.match(one.kind) for one in findings):
        says += " Another secret would not change that."
    return code, says


def _report(inspection: Inspection, width: int) -> Iterator[Text]:
    findings, verdict = inspection.diagnosis.findings, inspection.diagnosis.verdict
    target = inspection.secrets.target
    code, says = _headline(inspection.diagnosis)
    headline = wrapped(f"{verdict.upper()}  {says}", width)
    headline.stylize(STYLES[code], 0, len(verdict))
    yield headline
    others: Sequence[Finding] = findings
    if findings and findings[0].severity == "refused":  # it explains the refusal
        decisive, *others = findings
        if codes := _codes(decisive):
            yield wrapped(f"A client shows: {codes}", width)
        yield line("")
        cause = decisive.cause
        if decisive.kind == "not-a-token" and inspection.token.line is None:
            cause += " No file has this name."
        yield wrapped(cause, width, style="bold")
        yield advice(decisive.remedy, width, target)
    if others:
        yield line("")
    if others and others is not findings:
        yield line("Also:", QUIET)
    for finding in others:
        yield from _other(finding, width, target)
    if verdict == "good":
        yield advice(_REFUSED_ANYWAY, width, target)
    for about in inspection.codes:
        yield from _about_code(about, width)
    yield line("")
    for name, value in _facts(inspection):
        yield _fact(name, value, width)


def _other(finding: Finding, width: int, target: str) -> Iterator[Text]:
    margin = " " * 9
    text = wrapped(finding.cause, width, first=f"{finding.severity:<9}", then=margin)
    text.stylize(_SEVERITY_STYLES[finding.severity], 0, len(finding.severity))
    yield text
    yield advice(finding.remedy, width, target, margin=margin)
    if codes := _codes(finding):
        yield wrapped(f"Codes: {codes}", width, first=margin, then=margin, style=QUIET)


def _about_code(about: CodeExplanation, width: int) -> Iterator[Text]:
    """Whether the token explains a code, and if not, what does."""
    yield line("")
    yield wrapped(about.explanation, width, style="bold")
    if about.causes:
        yield from causes_of(about.causes, width)
    if not about.explained_by:
        yield advice(f"More about the code: zego-token explain {about.seen.given}", width)


def _codes(finding: Finding) -> str:
    """The codes that clients show for it, by SDK."""
    return "; ".join(
        f"{_SDKS[sdk]} {', '.join(map(str, codes))}" for sdk, codes in finding.codes.items()
    )


def _facts(inspection: Inspection) -> Iterator[tuple[str, str]]:
    """The facts about a token, by name."""
    token, diagnosis = inspection.token, inspection.diagnosis
    beginning = f"{token.beginning}..., " if token.beginning else ""
    where = f", from line {token.line}" if token.line and token.line > 1 else ""
    yield "token", f"{beginning}{len(token.text)} characters{where}"
    yield "sha256", token.sha256
    cipher = f", {diagnosis.cipher.upper()}" if diagnosis.cipher else ""
    yield "form", f"{_FORMS[diagnosis.form]}{cipher}"
    if diagnosis.header_expires_at is not None:
        unproven = "" if diagnosis.opened_by else " (not sealed, so not proven)"
        yield "expires", f"{_when(diagnosis.header_expires_at, inspection.at)}{unproven}"
    yield from _secrets(inspection)
    if diagnosis.claims is not None:
        yield from _claims(diagnosis.claims)


def _when(moment: int, now: float) -> str:
    try:
        return f"{date_and_time(moment)}, {relative(moment, now)}"
    except ValueError:
        return f"{moment}, not a valid time"


def _secrets(inspection: Inspection) -> Iterator[tuple[str, str]]:
    """Which secret opens it, which do not, and which are invalid."""
    diagnosis, secrets = inspection.diagnosis, inspection.secrets
    if diagnosis.opened_by is not None:
        fingerprint = inspection.secret_fingerprint
        known = f", fingerprint {fingerprint}" if fingerprint else ""
        yield "opened by", f"{diagnosis.opened_by}{known}"
    elif secrets.by_label and diagnosis.cipher is not None:
        tried = ((label, secrets.fingerprint(label)) for label in secrets.by_label)
        which = ", ".join(f"{label} {found}" if found else label for label, found in tried)
        yield "opened by", f"none of the secrets tried: {which}"
    elif diagnosis.cipher is not None:
        yield "opened by", _NOT_OPENED
    if diagnosis.cipher is not None:
        yield from _problems(secrets)


def _problems(secrets: TriedSecrets) -> Iterator[tuple[str, str]]:
    """The labels without a valid ServerSecret: tried anyway, or not."""
    for label, problem in secrets.problems.items():
        yield "invalid" if label in secrets.by_label else "not tried", f"{label}: {problem}"


def _claims(claims: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The sealed claims in words; a claim of the wrong type as JSON."""
    for name, claim in (("AppID", "app_id"), ("user", "user_id")):
        if claim in claims:
            yield name, _shown(claims[claim])
    if "payload" in claims:
        yield from _payload(claims["payload"])
    issued, expires = claims.get("ctime"), claims.get("expire")
    if "ctime" in claims:
        yield "issued", _moment(issued)
    if type(issued) is int and type(expires) is int and 0 < expires - issued < _LONGEST_LIFETIME:
        yield "lifetime", duration(expires - issued)
    elif "expire" in claims:
        yield "ends", _moment(expires)


def _moment(claim: object) -> str:
    """A sealed time, if it is valid."""
    with suppress(ValueError):
        if type(claim) is int:
            return date_and_time(claim)
    return _shown(claim)


def _payload(payload: object) -> Iterator[tuple[str, str]]:
    if payload == "":
        yield "room", "any (no payload)"
        return
    try:
        grant = strict_json.loads_object(payload) if isinstance(payload, str) else None
    except ValueError:
        grant = None
    if grant is None:
        yield "payload", _shown(payload)
        return
    yield "room", _shown(grant.get("room_id"))
    yield "privileges", _privileges(grant.get("privilege"))
    streams = grant.get("stream_id_list")
    if isinstance(streams, list):
        more = f" and {len(streams) - _STREAMS} more" if len(streams) > _STREAMS else ""
        yield "streams", (", ".join(map(_shown, streams[:_STREAMS])) or "none") + more
    else:
        yield "streams", "any" if streams is None else _shown(streams)


def _privileges(claim: object) -> str:
    if not isinstance(claim, dict) or claim.keys() - _PRIVILEGES:
        return _shown(claim)
    says = {1: "yes", 0: "no"}
    return ", ".join(
        f"{words}: {says.get(claim.get(key, 0), _shown(claim.get(key)))}"
        for key, words in _PRIVILEGES.items()
    )


def _shown(claim: object) -> str:
    """A claim, shortened if it is long; quoted if parts of the text would not be visible."""
    is_plain = isinstance(claim, str) and claim and claim == claim.strip() and claim.isprintable()
    text = str(claim) if is_plain else json.dumps(claim)
    if len(text) <= _LONGEST_CLAIM:
        return text
    return f"{text[:_LONGEST_CLAIM]}... ({len(text)} characters)"


def _fact(name: str, value: str, width: int) -> Text:
    text = wrapped(
        value,
        width,
        first=f"{name:<{_NAMES}}",
        then=" " * _NAMES,
        breaks_words=name != "sha256",  # which users copy
    )
    text.stylize(QUIET, 0, _NAMES)
    return text


# --- Many tokens ------------------------------------------------------------------------------

_OF_MANY: Final = "{1} of {2} tokens can explain {0}."
_ROW: Final = "{:>4}  {:<7}  {:<8}  {:<12}  {:<12}  {}"


def _show_many(out: Output, inspections: Iterator[Inspection]) -> None:
    """Show one line per token, and at the end each cause once, with its number of tokens."""
    verdicts = Counter[str]()
    counts = Counter[str]()
    causes: dict[str, tuple[Finding, Inspection]] = {}
    explained = Counter[SeenCode]()
    heading = _ROW.format("line", "verdict", "begins", "sha256", "expires", "finding")
    out.show(line(heading, QUIET))
    for inspection in inspections:
        out.show(_row(inspection))
        verdicts[inspection.diagnosis.verdict] += 1
        for code in inspection.codes:
            explained[code.seen] += bool(code.explained_by)
        for finding in inspection.diagnosis.findings[:1]:
            counts[finding.kind] += 1
            causes.setdefault(finding.kind, (finding, inspection))
    said = ", ".join(f"{number} {verdict}" for verdict, number in verdicts.most_common())
    out.show(line(""), wrapped(f"{verdicts.total()} tokens: {said}.", out.width, style="bold"))
    if verdicts["unknown"]:
        out.show(wrapped(_NOT_OPENED, out.width))
    for seen, number in explained.items():
        out.show(wrapped(_OF_MANY.format(seen, number, verdicts.total()), out.width))
    for kind, number in counts.most_common():
        finding, inspection = causes[kind]
        out.show(line(""), *_cause(finding, number, inspection, out.width))
    secrets = inspection.secrets
    if verdicts["good"]:
        out.show(line(""), advice(_REFUSED_ANYWAY, out.width, secrets.target))
    for what, problem in _problems(secrets):
        out.show(_fact(what, problem, out.width))


def _row(inspection: Inspection) -> Text:
    token, diagnosis = inspection.token, inspection.diagnosis
    verdict, expires_at = diagnosis.verdict, diagnosis.header_expires_at
    expires = "-"
    if expires_at is not None and abs(expires_at - inspection.at) < _LONGEST_LIFETIME:
        expires = relative(expires_at, inspection.at)
    row = _ROW.format(
        token.line or "",
        verdict,
        token.beginning,
        token.sha256[:12],
        expires,
        diagnosis.findings[0].kind if diagnosis.findings else "",
    )
    text = prose(row.rstrip(), then=" " * 15)
    text.stylize(STYLES[_VERDICTS[verdict][0]], 6, 6 + len(verdict))
    return text


def _cause(finding: Finding, number: int, first: Inspection, width: int) -> Iterator[Text]:
    times = f"{number} times, first in" if number > 1 else "in"
    heading = line(finding.kind, _SEVERITY_STYLES[finding.severity])
    yield heading.append(f"  {times} line {first.token.line}")
    yield wrapped(finding.cause, width, first="  ", then="  ")
    yield advice(finding.remedy, width, first.secrets.target, margin="  ")
