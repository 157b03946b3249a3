"""Good tokens that were damaged on their way, and envelopes that were built wrongly."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import struct
from urllib.parse import quote

from cryptography.hazmat.decrepit.ciphers.modes import CFB, OFB
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC as CBC_MODE

from tests.unit.zego.diagnosis.builders import (
    APP_ID,
    CBC,
    GCM,
    IV,
    NO_SECRETS,
    NOW,
    ROOM,
    SECRET,
    UNPADDED,
    binary,
    case,
    claims,
    expecting,
    kit_details,
    of_binary,
    sealed,
    token,
    unopened,
)


def url(text: str) -> str:
    return quote(text, safe="")


def wrapped(text: str, columns: int, end: str) -> str:
    return end.join(text[at : at + columns] for at in range(0, len(text), columns))


def answer(made: str) -> str:
    return json.dumps({"token": made, "app_id": APP_ID, "expires_at": NOW})


def as_php_writes(text: str) -> str:
    return text.replace("/", "\\/")


def base64url(made: str) -> str:
    return made.replace("+", "-").replace("/", "_").rstrip("=")


def envelope(
    *, expires_at: int = NOW + 3540, iv: bytes = IV["gcm"], sealed: bytes = b"s" * 32, end: bytes
) -> str:
    head = struct.pack(">qH", expires_at, len(iv)) + iv + struct.pack(">H", len(sealed))
    return of_binary(head + sealed + end)


KIT = f"{GCM}#{kit_details(userID='alice', roomID='')}"


def replaced(text: str, at: int) -> str:
    return text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]


def from_passphrase(digest: str) -> bytes:
    """What OpenSSL's `enc -aes-256-cbc` makes of claims, with the secret as its passphrase."""
    salt, derived, last = b"8 bytes.", b"", b""
    while len(derived) < 48:
        last = hashlib.new(digest, last + SECRET.encode() + salt).digest()
        derived += last
    made = sealed(json.dumps(claims()).encode(), "cbc", derived[:32], iv=derived[32:48])
    return b"Salted__" + salt + binary(made)[28:]


def with_iv(used: bytes, written: bytes) -> str:
    """A GCM token that was sealed with another IV than is written."""
    ciphertext = AESGCM(SECRET.encode()).encrypt(used, json.dumps(claims()).encode(), None)
    head = struct.pack(">qH", NOW + 3540, len(written)) + written
    return of_binary(head + struct.pack(">H", len(ciphertext)) + ciphertext + b"\1")


def with_cbc_iv(used: bytes) -> str:
    made = binary(sealed(json.dumps(claims()).encode(), "cbc", iv=used))
    return of_binary(made[:10] + IV["cbc"] + made[26:])


def with_mode(mode: CFB | OFB) -> str:
    encryptor = Cipher(AES(SECRET.encode()), mode).encryptor()
    made = encryptor.update(json.dumps(claims()).encode())
    head = struct.pack(">qH", NOW + 3540, 16) + IV["cbc"]
    return of_binary(head + struct.pack(">H", len(made)) + made)


def padded_to_32() -> str:
    """With a padding of more than a block, which PKCS#7 of AES never has."""
    size = len(json.dumps(claims(user_id="")))
    user_id = "u" * (-(size + 20) % 32)
    text = json.dumps(claims(user_id=user_id)).encode() + bytes([20]) * 20
    encryptor = Cipher(AES(SECRET.encode()), CBC_MODE(binary(CBC)[10:26])).encryptor()
    return in_envelope(encryptor.update(text))


def in_envelope(ciphertext: bytes) -> str:
    return of_binary(binary(CBC)[:26] + struct.pack(">H", len(ciphertext)) + ciphertext)


LITTLE_ENDIAN = of_binary(
    struct.pack("<qH", NOW, 12) + IV["gcm"] + struct.pack("<H", 40) + b"s" * 41
)
NOT_OPENED = unopened

AROUND = [
    case("a response", answer(GCM), "whole-answer"),
    case("a response of PHP", as_php_writes(answer(GCM)), "whole-answer"),
    case(
        "a response of /calls/initiate",
        json.dumps({"zegoRoom": {"roomId": "r", "appId": APP_ID, "token": GCM}, "callId": "c"}),
        "whole-answer",
    ),
    case("a response of a batch", json.dumps({"results": [{"token": GCM}]}), "whole-answer"),
    case("a response with two tokens", json.dumps({"id_token": "eyJ", "t": CBC}), "whole-answer"),
    case("a response as a JSON string", json.dumps(answer(GCM)), "whole-answer", "quoted"),
    case("a response in a URL", url(answer(GCM)), "whole-answer", "url-encoded"),
    case("a response in a log line", f"2026-01-01 INFO response {answer(GCM)} 12 ms", "surrounded"),
    case("an object that was logged", f"{{ token: '{GCM}' }}", "surrounded"),
    case("Bearer", f"Bearer {GCM}", "surrounded"),
    case("Bearer and a newline", f"Bearer {GCM}\n", "surrounded", "white-space"),
    case("a header line", f"Authorization: Bearer {GCM}\r\n", "surrounded", "white-space"),
    case("an assignment", f'export ZEGO_TOKEN="{GCM}"', "surrounded", "quoted"),
    case("a line of JSON", f'"token": "{GCM}",', "surrounded", "quoted"),
    case("an arrow of a log", f"token → {GCM}", "surrounded"),
    case("angle brackets", f"<{GCM}>", "surrounded"),
    case(
        "a URL",
        f"https://a.example/join?token={url(GCM)}&room=room1",
        "surrounded",
        "url-encoded",
    ),
    case("a kit token in a log line", f"kit: {KIT}", "surrounded", "kit-token", form="kit-token"),
    case("URL-encoded", url(GCM), "url-encoded"),
    case("URL-encoded twice", url(url(GCM)), "url-encoded"),
    case("URL-encoded in part", GCM.replace("=", "%3D"), "url-encoded"),
    case("URL-encoded and in quotes", f'"{url(GCM)}"', "url-encoded", "quoted"),
    case("in quotes, URL-encoded", url(f'"{GCM}"'), "url-encoded", "quoted"),
    case("URL-encoded CBC", url(CBC), "url-encoded"),
    case("slashes as PHP writes them", as_php_writes(GCM), "escaped"),
    case(
        "as System.Text.Json and Gson write it",
        GCM.replace("+", "\\u002B").replace("=", "\\u003d"),
        "escaped",
    ),
    case("a JSON string within a JSON string", json.dumps(json.dumps(GCM)), "quoted"),
    case("hexadecimal escapes", GCM.replace("=", r"\x3d"), "escaped"),
    case("a newline as an escape", GCM + r"\n", "escaped", "white-space"),
    case("HTML's entities", GCM.replace("=", "&#x3D;").replace("+", "&#43;"), "escaped"),
    case("HTML's quotes", f"&quot;{GCM}&quot;", "escaped", "quoted"),
    case("HTML's space", f"{GCM[:40]}&nbsp;{GCM[40:]}", "escaped", "white-space"),
    case("HTML's name of an entity", GCM.replace("=", "&equals;"), "escaped"),
    case(
        "quoted-printable mail",
        GCM.replace("=", "=3D")[:70] + "=\r\n" + GCM.replace("=", "=3D")[70:],
        "escaped",
    ),
    case("base64 once more", base64.b64encode(GCM.encode()).decode(), "base64-twice"),
    case(
        "a response in a JSON string, URL-encoded three times",
        url(url(url(json.dumps(answer(GCM))))),
        "whole-answer",
        "url-encoded",
        "quoted",
    ),
    case("in double quotes", f'"{GCM}"', "quoted"),
    case("in single quotes", f"'{CBC}'", "quoted"),
    case("a quote behind it", f"{GCM}'", "quoted"),
    case("quotes and a comma", f'"{GCM}",', "quoted"),
    case("quotes and a semicolon", f"'{GCM}';", "quoted"),
    case("a mail's smart quotes", f"“{GCM}”", "quoted"),
    case("German quotes", f"„{GCM}“", "quoted"),
    case("Markdown's backticks", f"`{GCM}`", "quoted"),
    case("a shell's $'..'", f"$'{GCM}'", "surrounded", "quoted"),
    case("Python's bytes", f"b'{GCM}'", "surrounded", "quoted"),
    case("quotes and a newline", f'"{GCM}"\n', "quoted", "white-space"),
]

WITHIN = [
    case("+ became a space", GCM.replace("+", " "), "plus-lost"),
    case("%2B became + and then a space", url(GCM).replace("%2B", " "), "url-encoded", "plus-lost"),
    case("a newline at the end", GCM + "\n", "white-space"),
    case("a space in front", " " + CBC, "white-space"),
    case("a space within", GCM[:99] + " " + GCM[99:], "white-space"),
    case("a no-break space", GCM + "\u00a0", "white-space"),
    case("wrapped at 64 columns", wrapped(ROOM, 64, "\r\n"), "white-space"),
    case("wrapped at 76 columns", wrapped(ROOM, 76, "\n"), "white-space"),
    case("wrapped within its padding", GCM[:-1] + "\n=", "white-space"),
    case("a shell's line continued", GCM[:80] + "\\\n" + GCM[80:], "escaped", "white-space"),
    case("a byte order mark", "\ufeff" + GCM, "invisible"),
    case("a zero-width space", GCM[:50] + "\u200b" + GCM[50:], "invisible"),
    case(
        "a soft hyphen and a newline",
        GCM[:50] + "\u00ad" + GCM[50:] + "\n",
        "white-space",
        "invisible",
    ),
    case("a terminal's bracketed paste", f"\x1b[200~{GCM}\x1b[201~", "invisible"),
    case("a NUL behind it", GCM + "\0", "invisible"),
    case("a Cyrillic letter", GCM[:40] + "\u0430" + GCM[41:], "non-ascii"),
    case(
        "a Cyrillic letter, behind Bearer",
        f"Bearer {GCM[:40]}\u0430{GCM[41:]}",
        "surrounded",
        "non-ascii",
    ),
    case("a character that was not UTF-8", GCM[:40] + "\ufffd" + GCM[41:], "non-ascii"),
    case("an unpaired surrogate", GCM[:40] + "\ud83d" + GCM[41:], "non-ascii"),
    case("without the 04", GCM[2:], "prefix-missing"),
    case("without the 0", GCM[1:], "prefix-missing"),
    case("without the 04, and URL-encoded", url(GCM[2:]), "url-encoded", "prefix-missing"),
    case("the 04 twice", "04" + GCM, "prefix-twice"),
    case("base64url", base64url(CBC), "base64url", "padding-missing"),
    case("base64url with padding", base64url(CBC) + "==", "base64url"),
    case(
        "base64url, wrapped",
        wrapped(base64url(GCM), 64, "\n"),
        "white-space",
        "base64url",
        "padding-missing",
    ),
    case("without padding", GCM.rstrip("="), "padding-missing"),
    case("without half of its padding", GCM[:-1], "padding-missing"),
    case("CBC without padding", CBC.rstrip("="), "padding-missing"),
    case("twice", GCM + GCM, "doubled"),
    case("twice without padding", UNPADDED + UNPADDED, "doubled"),
    case("twice, each without its padding", (CBC.rstrip("=")) * 2, "padding-missing", "doubled"),
    case("two tokens", GCM + CBC, "doubled"),
    case("two tokens, a line each", f"{UNPADDED}\n{GCM}\n", "white-space", "doubled"),
    case("two tokens and a comma", f"{GCM},{CBC}", "doubled"),
    case("a comma behind it", GCM + ",", "trailing-text"),
    case("a comma behind one without padding", UNPADDED + ",", "trailing-text"),
    case("a parameter behind it", GCM + "&room=room1", "trailing-text"),
    case("a line behind it", GCM + "\nuser: alice", "trailing-text"),
    case("a word behind one without padding", UNPADDED + " ok", "trailing-text"),
    unopened("the 04 alone", "04", "truncated", "secret-not-judged"),
    unopened("cut within its expiry", GCM[:8], "truncated", "secret-not-judged"),
    unopened("cut within its IV", GCM[:24], "truncated", "secret-not-judged"),
    case("cut at 255 characters", ROOM[:255], "truncated"),
    case("cut at 256 characters", ROOM[:256], "truncated"),
    case("cut at 254 characters", ROOM[:254], "truncated"),
    case("cut by one character", UNPADDED[:-1], "truncated"),
    case("cut CBC", CBC[:150], "truncated"),
    case("cut and in quotes", f'"{ROOM[:255]}', "quoted", "truncated"),
    unopened(
        "cut, and expired",
        token(expire=NOW - 3600)[:100],
        "truncated",
        "expired",
        "secret-not-judged",
    ),
    unopened("as a log shortens it", GCM[:12] + "...", "shortened", "secret-not-judged"),
    unopened("with an ellipsis", f"{GCM[:12]}…{GCM[-6:]}", "shortened", "secret-not-judged"),
    unopened("with asterisks", f"{GCM[:12]}****{GCM[-6:]}", "shortened", "secret-not-judged"),
    unopened("redacted", f"{GCM[:12]}[redacted]", "shortened", "secret-not-judged"),
    unopened(
        "shortened, and expired",
        token(expire=NOW - 9)[:30] + "…",
        "shortened",
        "expired",
        "secret-not-judged",
    ),
    unopened("all small letters", GCM.lower(), "damaged", "secret-not-judged"),
    unopened("all capital letters", GCM.upper(), "damaged", "secret-not-judged"),
    case("a character that base64 does not have", GCM[:99] + "!" + GCM[100:], "damaged"),
    case("a bit behind its end", GCM[:-3] + "R==", "damaged"),
    case("three = at its end", GCM + "=", "damaged"),
    case("a character of the IV changed", replaced(GCM, 20), "damaged"),
    case("the first character of the ciphertext changed", replaced(GCM, 35), "tag-mismatch"),
    case("the same, with CBC", replaced(CBC, 42), "iv-misplaced"),
    case(
        "a character changed",
        GCM[:99] + ("A" if GCM[99] != "A" else "B") + GCM[100:],
        "tag-mismatch",
    ),
]

ENVELOPES = [
    case("GCM without its mode", of_binary(binary(GCM)[:-1]), "mode-missing"),
    case("bytes behind GCM", of_binary(binary(GCM) + b"abc"), "trailing-bytes"),
    case("bytes behind CBC", of_binary(binary(CBC) + b"abc"), "trailing-bytes"),
    case(
        "two bytes behind CBC, of which one may be a mode",
        of_binary(binary(CBC) + b"\0\0"),
        "trailing-bytes",
    ),
    case(
        "a passphrase, as of CryptoJS",
        in_envelope(from_passphrase("md5")),
        "altered-secret",
        "iv-misplaced",
        "sealed-length-field",
    ),
    case(
        "a passphrase, as of OpenSSL, alone",
        of_binary(from_passphrase("sha256")),
        "altered-secret",
        "iv-misplaced",
        "expiry-field",
        "iv-length-field",
        "sealed-length-field",
    ),
    case(
        "IV and ciphertext in hex, joined by a colon",
        "04" + ":".join(part.hex() for part in (binary(CBC)[10:26], binary(CBC)[28:])),
        "expiry-field",
        "iv-length-field",
        "sealed-length-field",
        "hex-encoded",
    ),
    case(
        "IV and ciphertext in base64, joined by a dot",
        ".".join(
            base64.b64encode(part).decode() for part in (binary(CBC)[10:26], binary(CBC)[28:])
        ),
        "prefix-missing",
        "expiry-field",
        "iv-length-field",
        "sealed-length-field",
        "sealed-encoded",
    ),
    case(
        "the expiry in the upper half of its field",
        of_binary(struct.pack(">II", NOW + 3540, 0) + binary(GCM)[8:]),
        "expiry-field",
    ),
    case(
        "the expiry as a floating-point number",
        of_binary(struct.pack(">d", NOW + 3540) + binary(GCM)[8:]),
        "expiry-field",
    ),
    *(
        case(f"{name} in front", of_binary(front + binary(GCM)), "leading-bytes")
        for name, front in (
            ("a version", b"\4"),
            ("a version of two bytes", b"\0\4"),
            ("an HMAC", hashlib.sha256(b"").digest()),
        )
    ),
    case(
        "bytes as Latin-1, in UTF-8",
        of_binary(binary(CBC).decode("latin-1").encode()),
        "bytes-as-text",
    ),
    *(
        case(f"GCM with {name} as its IV", with_iv(used, written), "iv-misplaced")
        for name, used, written in (
            ("zeros", bytes(12), IV["gcm"]),
            ("16 zeros", bytes(16), IV["gcm"]),
            ("the start of the key", SECRET[:12].encode(), IV["gcm"]),
            ("its digits", IV["gcm"].hex().encode(), IV["gcm"]),
            ("one that is written in hex", IV["gcm"], IV["gcm"].hex().encode()),
            ("one that is written in base64", IV["gcm"], base64.b64encode(IV["gcm"])),
            ("12 bytes of 16", IV["cbc"][:12], IV["cbc"]),
        )
    ),
    *(
        case(f"CBC with {name} as its IV", with_cbc_iv(used), "iv-misplaced")
        for name, used in (("zeros", bytes(16)), ("the start of the key", SECRET[:16].encode()))
    ),
    *(
        case(f"AES-{mode.name}", with_mode(mode), "wrong-mode")
        for mode in (CFB(IV["cbc"]), OFB(IV["cbc"]))
    ),
    case("PKCS#7 to 32 bytes", padded_to_32(), "wrong-padding"),
    case("a lifetime", of_binary(struct.pack(">q", 3600) + binary(GCM)[8:]), "expiry-field"),
    case(
        "a ciphertext in base64, as of PHP",
        in_envelope(base64.b64encode(binary(CBC)[28:])),
        "sealed-encoded",
    ),
    case("a ciphertext in hex", in_envelope(binascii.hexlify(binary(CBC)[28:])), "sealed-encoded"),
    unopened("little-endian", LITTLE_ENDIAN, "malformed-envelope", "secret-not-judged"),
    unopened(
        "a hash in base64 behind a 04",
        "04" + base64.b64encode(bytes(range(64))).decode(),
        "malformed-envelope",
        "secret-not-judged",
    ),
    case("a mode that does not exist", of_binary(binary(GCM)[:-1] + b"\2"), "mode-byte"),
    case("an IV of 16 bytes with GCM", of_binary(binary(CBC) + b"\1"), "mode-byte"),
    unopened(
        "an IV of 8 bytes",
        envelope(iv=b"12345678", end=b"\1"),
        "malformed-envelope",
        "secret-not-judged",
    ),
    unopened(
        "an IV longer than the token",
        of_binary(struct.pack(">qH", NOW, 9999) + b"s" * 99),
        "malformed-envelope",
        "expired",
        "secret-not-judged",
    ),
    unopened(
        "nothing but a tag",
        envelope(sealed=b"t" * 16, end=b"\1"),
        "malformed-envelope",
        "secret-not-judged",
    ),
    unopened(
        "half a block of CBC",
        envelope(iv=IV["cbc"], sealed=b"s" * 24, end=b""),
        "malformed-envelope",
        "secret-not-judged",
    ),
]

KIT_TOKENS = [
    case("a kit token", KIT, "kit-token", form="kit-token", verdict="good"),
    case(
        "a kit token for UIKit",
        KIT,
        form="kit-token",
        verdict="good",
        expected=expecting(sdk="uikit"),
    ),
    case("a kit token for web", KIT, "kit-token", form="kit-token", expected=expecting(sdk="web")),
    case("a kit token for ZIM", KIT, "kit-token", form="kit-token", expected=expecting(sdk="zim")),
    case("a URL-encoded kit token", url(KIT), "url-encoded", "kit-token", form="kit-token"),
    case(
        "a kit token in base64url",
        f"{base64url(CBC)}#{kit_details().rstrip('=')}",
        "base64url",
        "padding-missing",
        "kit-token",
        form="kit-token",
    ),
    case(
        "details in base64url",  # of which this name needs both characters
        f"{GCM}#{base64url(kit_details(userName='~?>~~'))}",
        "kit-token",
        form="kit-token",
        verdict="good",
    ),
    case(
        "details that are not JSON",
        f"{GCM}#alice",
        "kit-details-malformed",
        "kit-token",
        form="kit-token",
    ),
    case("no details", f"{GCM}#", "kit-details-malformed", "kit-token", form="kit-token"),
    case(
        "details with an AppID as text",
        f"{GCM}#{kit_details(appID=str(APP_ID))}",
        "kit-token",
        form="kit-token",
        verdict="good",
    ),
    case(
        "details without a room",
        f"{GCM}#{kit_details(roomID=...)}",
        "kit-token",
        form="kit-token",
        verdict="good",
    ),
    case(
        "details of an invitation, behind a token for a room",
        f"{ROOM}#{kit_details(roomID='')}",
        "kit-token",
        form="kit-token",
        verdict="good",
    ),
    case(
        "details of another project, as text",
        f"{GCM}#{kit_details(appID='1')}",
        "kit-mismatch",
        "kit-token",
        form="kit-token",
    ),
    case(
        "details with an AppID that is not a number",
        f"{GCM}#{kit_details(appID='one')}",
        "kit-details-malformed",
        "kit-token",
        form="kit-token",
    ),
    case(
        "details of another user",
        f"{GCM}#{kit_details(userID='bob')}",
        "kit-mismatch",
        "kit-token",
        form="kit-token",
    ),
    case(
        "details of a third user",
        f"{GCM}#{kit_details(userID='bob')}",
        "kit-mismatch",
        "kit-token",
        form="kit-token",
        expected=expecting(user_id="alice"),
    ),
    case(
        "details of another user behind a token that is cut off",
        f"{GCM[:-9]}#{kit_details(userID='bob')}",
        "truncated",
        "kit-mismatch",
        "kit-token",
        form="kit-token",
        expected=expecting(user_id="alice"),
    ),
    case(
        "details of another project",
        f"{GCM}#{kit_details(appID=5)}",
        "kit-mismatch",
        "kit-token",
        form="kit-token",
    ),
    case(
        "details of another room",
        f"{ROOM}#{kit_details(roomID='room2')}",
        "kit-mismatch",
        "kit-token",
        form="kit-token",
    ),
    case(
        "details of the same room",
        f"{ROOM}#{kit_details()}",
        form="kit-token",
        verdict="good",
        expected=expecting(sdk="uikit", room_id="room1", user_id="alice", app_id=APP_ID),
    ),
    unopened(
        "details of another user than was expected",
        KIT,
        "kit-mismatch",
        "kit-token",
        form="kit-token",
        secrets=NO_SECRETS,
        expected=expecting(user_id="bob"),
    ),
    unopened(
        "a cut kit token",
        f"{GCM[:99]}#{kit_details()}",
        "truncated",
        "kit-token",
        "secret-not-judged",
        form="kit-token",
    ),
    case(
        "details, and a payload that is an object",
        f"{token(payload={})}#{kit_details()}",
        "payload-wrong-type",
        "kit-token",
        form="kit-token",
    ),
    case("no kit token for UIKit", GCM, "kit-details-missing", expected=expecting(sdk="uikit")),
]
