"""Tokens sealed with another secret than intended, and values that are not secrets."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from tests.unit.zego.diagnosis.builders import (
    APP_ID,
    APP_SIGN,
    CBC,
    CURRENT,
    GCM,
    NO_SECRETS,
    NOW,
    OTHER_SECRET,
    SECRET,
    case,
    expecting,
    token,
    unopened,
)
from zego.diagnosis.model import TriedSecret


def given(value: str, app_id: int | None = None, label: str = "given") -> dict[str, Any]:
    return {"secrets": {label: TriedSecret(value, app_id)}}


def as_(label: str) -> dict[str, Any]:
    """A token that the given secret opens, with a current secret that does not open it."""
    return {
        "secrets": {
            "AWSCURRENT": TriedSecret(OTHER_SECRET, APP_ID),
            label: TriedSecret(SECRET, APP_ID),
        },
        "opened_by": label,
    }


#: An AppSign of which no part is the ServerSecret.
OWN_APP_SIGN = hashlib.sha256(b"AppSign").hexdigest()
APP_SIGN_GIVEN: dict[str, Any] = {
    "secrets": CURRENT | {"AppSign": TriedSecret(OWN_APP_SIGN)},
    "opened_by": "AppSign",
}

CASES = [
    case("GCM", GCM, verdict="good"),
    case("CBC", CBC, verdict="good"),
    unopened("without a secret", GCM, verdict="unknown", secrets=NO_SECRETS),
    unopened("expired, without a secret", token(expire=NOW - 1), "expired", secrets=NO_SECRETS),
    # --- Which one opens it ----------------------------------------------------------------------
    case("AWSPREVIOUS", GCM, "made-with-previous", **as_("AWSPREVIOUS")),
    case("AWSPREVIOUS and CBC", CBC, "made-with-previous", **as_("AWSPREVIOUS")),
    case("AWSPENDING", GCM, "made-with-staged", **as_("AWSPENDING")),
    case("CANDIDATE", GCM, "made-with-staged", **as_("CANDIDATE")),
    case("a name of one's own", GCM, verdict="good", **as_("old laptop")),
    case(
        "AWSPREVIOUS, and expired",
        token(expire=NOW - 10),
        "made-with-previous",
        "expired",
        **as_("AWSPREVIOUS"),
    ),
    case(
        "AWSPREVIOUS that is the current one",
        GCM,
        secrets=CURRENT | {"AWSPREVIOUS": CURRENT["AWSCURRENT"]},
        verdict="good",
    ),
    unopened("another secret", GCM, "other-secret", **given(OTHER_SECRET)),
    unopened("another secret and CBC", CBC, "other-secret", **given(OTHER_SECRET)),
    unopened(
        "another secret, and expired",
        token(expire=1),
        "other-secret",
        "expire-is-a-lifetime",
        **given(OTHER_SECRET),
    ),
    unopened(
        "two other secrets",
        GCM,
        "other-secret",
        secrets={
            "AWSCURRENT": TriedSecret(OTHER_SECRET),
            "AWSPREVIOUS": TriedSecret("f" + SECRET[1:]),
        },
    ),
    case(
        "a secret of another project",
        GCM,
        "other-project",
        secrets={"AWSCURRENT": TriedSecret(SECRET, 5)},
    ),
    case("another AppID than the client's", GCM, "app-id-mismatch", expected=expecting(app_id=5)),
    # --- A secret that is misshapen, and makes no good tokens ------------------------------------
    unopened("an AppSign is given", GCM, "secret-app-sign", **given(OTHER_SECRET * 2)),
    unopened("a secret in quotes is given", GCM, "secret-quoted", **given(f"'{OTHER_SECRET}'")),
    unopened(
        "a secret with a newline is given", GCM, "secret-white-space", **given(OTHER_SECRET + "\n")
    ),
    unopened("a short secret is given", GCM, "secret-malformed", **given(SECRET[:31])),
    unopened("an empty secret is given", GCM, "secret-malformed", **given("")),
    unopened("a placeholder is given", GCM, "secret-malformed", **given("replace-me")),
    unopened("a secret that is not ASCII is given", GCM, "secret-malformed", **given("é" * 32)),
    unopened(
        "a secret that is not Unicode is given", GCM, "secret-malformed", **given("\ud83d" * 32)
    ),
    case(
        "a secret with AppID 0",
        GCM,
        "other-project",
        secrets={"AWSCURRENT": TriedSecret(SECRET, 0)},
    ),
    case(
        "the right one is given in quotes",
        GCM,
        "secret-quoted",
        verdict="good",
        **given(f'"{SECRET}"'),
        opened_by="given",
    ),
    case(
        "the right one is given with a newline",
        CBC,
        "secret-white-space",
        verdict="good",
        **given(f"{SECRET}\r\n"),
        opened_by="given",
    ),
    case(
        "the previous one is given in quotes",
        GCM,
        "made-with-previous",
        "secret-quoted",
        **given(f'"{SECRET}"', label="AWSPREVIOUS"),
        opened_by="AWSPREVIOUS",
    ),
    case(
        "one that opens it, one in quotes",
        GCM,
        "secret-quoted",
        secrets=CURRENT | {"env": TriedSecret(f"'{SECRET}'")},
        verdict="good",
    ),
    case(
        "sealed with a misshapen one",
        token(key=" " + SECRET[:31]),
        "secret-white-space",
        **given(" " + SECRET[:31]),
        opened_by="given",
    ),
    case(
        "sealed with a misshapen one, and another given",
        token(key=" " + SECRET[:31]),
        "secret-white-space",
        secrets={"env": TriedSecret(f" {OTHER_SECRET}"), "given": TriedSecret(" " + SECRET[:31])},
        opened_by="given",
    ),
    case(
        "sealed with half of one",
        token(key=SECRET[:16]),
        "secret-malformed",
        **given(SECRET[:16]),
        opened_by="given",
    ),
    # --- A secret that is mishandled -------------------------------------------------------------
    case(
        "an AppSign as the key",
        token(key=APP_SIGN[:32]),
        "made-with-app-sign",
        "secret-app-sign",
        **given(APP_SIGN),
        opened_by="given",
    ),
    case(
        "an AppSign hex-decoded",
        token(key=bytes.fromhex(APP_SIGN)),
        "made-with-app-sign",
        "secret-app-sign",
        **given(APP_SIGN),
        opened_by="given",
    ),
    case("hex-decoded to AES-128", token(key=bytes.fromhex(SECRET)), "hex-decoded-secret"),
    case("hex-decoded, with CBC", token("cbc", key=bytes.fromhex(SECRET)), "hex-decoded-secret"),
    case(
        "hex-decoded and filled up",
        token(key=bytes.fromhex(SECRET) + bytes(16)),
        "hex-decoded-secret",
    ),
    case("read with a double quote", token(key=f'"{SECRET}"'[:32]), "altered-secret"),
    case("read with a single quote", token(key=f"'{SECRET}'"[:32]), "altered-secret"),
    case("read with a space", token(key=f" {SECRET}"[:32]), "altered-secret"),
    case("read with a line's end", token(key=f"\n{SECRET}"[:32]), "altered-secret"),
    case(
        "read with a byte order mark", token(key=f"\ufeff{SECRET}".encode()[:32]), "altered-secret"
    ),
    case("in upper case", token("cbc", key=SECRET.upper()), "altered-secret"),
    case(
        "in lower case",
        token(key=SECRET),
        "altered-secret",
        **given(SECRET.upper()),
        opened_by="given",
    ),
    case(
        "hashed with SHA-256", token(key=hashlib.sha256(SECRET.encode()).digest()), "altered-secret"
    ),
    case("hashed with MD5", token(key=hashlib.md5(SECRET.encode()).hexdigest()), "altered-secret"),
    case("cut to 16 bytes", token(key=SECRET[:16]), "altered-secret"),
    case("cut to 24 bytes", token(key=SECRET[:24]), "altered-secret"),
    case("decoded as base64", token(key=base64.b64decode(SECRET)), "altered-secret"),
    *(
        case(f"the secret's {name}", token(key=key), "altered-secret")
        for name, key in (
            ("SHA-1 in hex, cut", hashlib.sha1(SECRET.encode()).hexdigest()[:32]),
            ("SHA-512, cut", hashlib.sha512(SECRET.encode()).digest()[:32]),
            ("SHA-512 in hex, cut", hashlib.sha512(SECRET.encode()).hexdigest()[:32]),
            ("base64, cut", base64.b64encode(SECRET.encode())[:32]),
            (
                "SHA-256 in base64, cut",
                base64.b64encode(hashlib.sha256(SECRET.encode()).digest())[:32],
            ),
            ("UTF-16, cut", SECRET.encode("utf-16-le")[:32]),
        )
    ),
    *(
        case(f"the AppSign's {name}", token(key=key), "made-with-app-sign", **APP_SIGN_GIVEN)
        for name, key in (
            ("last 32 characters", OWN_APP_SIGN[32:]),
            ("capitals", OWN_APP_SIGN.upper()[:32]),
            ("first 16 bytes", bytes.fromhex(OWN_APP_SIGN)[:16]),
            ("SHA-256", hashlib.sha256(OWN_APP_SIGN.encode()).digest()),
            ("MD5 in hex", hashlib.md5(OWN_APP_SIGN.encode()).hexdigest()),
        )
    ),
]
