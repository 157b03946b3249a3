"""What a finding says: where it is, what it is, which value by its fingerprint, and what to do."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

from ops.inspect.secrets import TriedSecrets
from ops.scan.matching import Match
from ops.scan.paths import shown
from ops.scan.rules import LABEL_REMEDIES, RULES, Kind, Severity
from ops.scan.values import Form, Value
from zego.secret_store import CURRENT
from zego.server_secret import ServerSecret, ServerSecretError

_DIGEST_DOMAIN: Final = b"zego-token-scan"
_SEPARATOR: Final = ", "


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is.

    :ivar path: printable, and without what was found.
    :ivar line: from 1; ``None``: it is in the file's name.
    :ivar column: of its first byte, from 1, in bytes.
    """

    path: str
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        return self.path if self.line is None else f"{self.path}:{self.line}:{self.column}"


NOWHERE: Final = Place("")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is in a file and should not. Holds nothing of the file's text.

    :ivar label: of the value, where that is one of those in question.
    :ivar form: how that is written.
    :ivar fingerprint: as :class:`~zego.server_secret.ServerSecret` has it; ``None``: the AppID is
        not known, or it is not a ServerSecret.
    :ivar digest: 12 hex digits of HMAC-SHA256(value, "zego-token-scan"), equal where the values
        are, and equal to no fingerprint; ``None``: it is about a name.
    """

    place: Place
    kind: Kind
    severity: Severity
    label: str | None = None
    form: Form | None = None
    fingerprint: str | None = None
    digest: str | None = None

    @property
    def what(self) -> str:
        """As a clause."""
        what = RULES[self.kind].what if self.label is None else f"the value ({self.label})"
        return ", ".join(filter(None, (what, self.form)))

    @property
    def which(self) -> str:
        """Which value it is; empty where it is about a name."""
        if self.fingerprint is not None:
            return f"fingerprint {self.fingerprint}"
        return "" if self.digest is None else f"digest {self.digest}"

    @property
    def remedy(self) -> str:
        labels = (self.label or "").split(_SEPARATOR)
        if CURRENT not in labels:
            for label in labels:
                if label in LABEL_REMEDIES:
                    return LABEL_REMEDIES[label]
        return RULES[self.kind].remedy

    def document(self) -> dict[str, Any]:
        """What ``--json`` prints."""
        fields = asdict(self)
        return {**fields.pop("place"), **fields, "what": self.what, "remedy": self.remedy}


@dataclass(frozen=True, slots=True)
class Known:
    """What is known beforehand.

    :ivar values: what is looked for; each text once.
    :ivar app_id: of the values, and of what looks like a ServerSecret; ``None``: it is not known.
    :ivar unusable: why there is nothing to look for under a label.
    :ivar too_short: labels of values that cannot be looked for.
    """

    values: Sequence[Value] = ()
    app_id: int | None = None
    unusable: Mapping[str, str] = field(default_factory=dict)
    too_short: Sequence[str] = ()

    @classmethod
    def of(cls, secrets: TriedSecrets, app_id: int | None) -> Known:
        """:param app_id: as the person gave it; without it, that of the secrets."""
        app_ids = {one.app_id for one in secrets.by_label.values()} - {None}
        if app_id is None and len(app_ids) == 1:
            (app_id,) = app_ids
        labels: dict[str, list[str]] = {}
        for label, candidate in secrets.by_label.items():
            labels.setdefault(candidate.value, []).append(label)
        values, too_short = [], []
        for text, same in labels.items():
            try:
                fingerprint = secrets.fingerprint(same[0], app_id)
                values.append(Value(_SEPARATOR.join(same), text, fingerprint))
            except ValueError:
                too_short += same
        unusable = {
            label: why for label, why in secrets.problems.items() if label not in secrets.by_label
        }
        return cls(values, app_id, unusable, too_short)

    def shown(self, path: str, also: str = "") -> str:
        """The path without the values; see :func:`ops.scan.paths.shown`.

        :param also: another value that must not be in it.
        """
        return shown(path, filter(None, (*(value.text for value in self.values), also)))

    def finding(
        self, path: str, match: Match, line: int | None = None, column: int | None = None
    ) -> Finding:
        """What may be said of a match."""
        found = Finding(
            Place(self.shown(path, match.text), line, column), match.kind, match.severity
        )
        if (value := match.value) is not None:
            return replace(
                found,
                label=value.label,
                form=match.form,
                fingerprint=value.fingerprint,
                digest=_digest(value.text),
            )
        if not match.text:
            return found
        return replace(found, fingerprint=self._fingerprint(match), digest=_digest(match.text))

    def _fingerprint(self, match: Match) -> str | None:
        if self.app_id is None:
            return None
        try:
            return ServerSecret(self.app_id, match.text).fingerprint
        except ServerSecretError:
            return None


def _digest(text: str) -> str:
    return hmac.new(text.encode(), _DIGEST_DOMAIN, hashlib.sha256).hexdigest()[:12]
