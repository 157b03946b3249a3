"""Texts that are not a Token04 and were taken for one."""

from __future__ import annotations

import base64
import json

from tests.unit.zego.diagnosis.builders import (
    APP_SIGN,
    CURRENT,
    GCM,
    SECRET,
    claims,
    kit_details,
    no_token,
)
from zego.diagnosis.model import TriedSecret


def base64url(values: object) -> str:
    text = json.dumps(values, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def jwt(**header: object) -> str:
    return f"{base64url(header)}.{base64url({'sub': 'alice', 'app_id': 1})}.c2lnbmF0dXJlLW9mLWl0"


HS256 = jwt(alg="HS256", typ="JWT")
JWE = f"{base64url({'alg': 'RSA-OAEP-256', 'enc': 'A256GCM'})}.a2V5.aXY.c2VhbGVk.dGFn"

CASES = [
    no_token("nothing", "", "empty"),
    no_token("white space alone", " \r\n\t ", "empty"),
    no_token("an empty JSON string", '""', "empty"),
    no_token("a byte order mark alone", "\ufeff", "empty"),
    no_token("a million characters", "04AAAA" + "A" * 1_000_000, "too-long"),
    # --- No value, as text -----------------------------------------------------------------------
    no_token("undefined", "undefined", "no-value"),
    no_token("undefined in quotes", "'undefined'", "no-value"),
    no_token("null", "null", "no-value"),
    no_token("Python's None", "None", "no-value"),
    no_token("Go's nil", "<nil>", "no-value"),
    no_token("NaN", "NaN", "no-value"),
    no_token("true", "true", "no-value"),
    no_token("an object", "[object Object]", "no-value"),
    no_token("a response", "[object Response]", "no-value"),
    no_token("a promise", "[object Promise]", "no-value"),
    no_token("a promise that was logged", "Promise { <pending> }", "no-value"),
    no_token("a coroutine", "<coroutine object fetch_token at 0x7f01>", "no-value"),
    no_token("a function", "async function getToken() { return 1 }", "no-value"),
    no_token("an arrow function", "() => fetchToken()", "no-value"),
    no_token("PHP's array", "Array", "no-value"),
    no_token("Bearer undefined", "Bearer undefined", "no-value"),
    no_token("a URL with undefined", "https://a.example/r?token=undefined&room=1", "no-value"),
    no_token("a response with the text null", '{"token": "null"}', "no-value"),
    # --- Placeholders ----------------------------------------------------------------------------
    no_token("a variable of a shell", "$ZEGO_TOKEN", "placeholder"),
    no_token("a variable of a template", "${TOKEN}", "placeholder"),
    no_token("double braces", "{{ token }}", "placeholder"),
    no_token("a variable of Windows", "%ZEGO_TOKEN%", "placeholder"),
    no_token("angle brackets", "<your token>", "placeholder"),
    no_token("your token here", "YOUR_TOKEN_HERE", "placeholder"),
    no_token("code that was not run", "process.env.ZEGO_TOKEN", "placeholder"),
    # --- Responses -------------------------------------------------------------------------------
    no_token("a page", "<!DOCTYPE html>\n<html lang='zh'><title>登录</title></html>", "html-page"),
    no_token("an error of a proxy", "<html><h1>502 Bad Gateway</h1></html>", "html-page"),
    no_token(
        "a refusal of the service",
        json.dumps({"type": "about:blank", "title": "Unauthorized", "status": 401}),
        "answer-without-token",
    ),
    no_token("a response in Chinese", '{"code": 401, "msg": "未登录"}', "answer-without-token"),
    no_token("a response with no token", '{"token": null}', "answer-without-token"),
    no_token("an empty list", "[]", "answer-without-token"),
    no_token("claims in the clear", json.dumps(claims()), "answer-without-token"),
    # --- JWTs ------------------------------------------------------------------------------------
    no_token("a JWT", HS256, "jwt", form="jwt"),
    no_token("a JWT with RSA", jwt(alg="RS256"), "jwt", form="jwt"),
    no_token(
        "a JWT without a signature", jwt(alg="none").rpartition(".")[0] + ".", "jwt", form="jwt"
    ),
    no_token("a JWT that names no algorithm", jwt(typ="JWT"), "jwt", form="jwt"),
    no_token("a JWT with a strange algorithm", jwt(alg="s3cr3t-value"), "jwt", form="jwt"),
    no_token("an encrypted JWT", JWE, "jwt", form="jwt"),
    no_token("a JWT's header alone", HS256.partition(".")[0], "jwt", form="jwt"),
    no_token("a JWT's beginning, as in a log", "eyJhbGciOi...", "jwt", form="jwt"),
    no_token("a JWT behind Bearer", f"Bearer {HS256}\n", "jwt", form="jwt"),
    no_token("a JWT in a header line", f"Authorization: Bearer {HS256}", "jwt", form="jwt"),
    no_token("a JWT in quotes", f'"{HS256}",', "jwt", form="jwt"),
    no_token("a JWT in a response", json.dumps({"access_token": HS256}), "jwt", form="jwt"),
    no_token("a JWT in a URL", f"https://a.example/?t={HS256}", "jwt", form="jwt"),
    no_token("a JWT that is wrapped", HS256[:64] + "\n" + HS256[64:], "jwt", form="jwt"),
    no_token("a JWT made into a kit token", f"{HS256}#{kit_details()}", "jwt", form="jwt"),
    no_token(
        "a JWT and a misshapen secret",
        HS256,
        "jwt",
        "secret-quoted",
        secrets={"AWSCURRENT": TriedSecret(f'"{SECRET}"')},
        form="jwt",
    ),
    # --- Other strings ---------------------------------------------------------------------------
    no_token("the details of a kit token", kit_details(), "json-in-base64"),
    no_token("claims in base64", base64url(claims()), "json-in-base64"),
    no_token("other JSON in base64", base64url({"a": 1}), "json-in-base64"),
    no_token(
        "a Token03",
        "03" + GCM[2:],
        "older-token",
        form="older-token",
    ),
    no_token(
        "a Token01", "01" + base64url({"ver": 1, "hash": "x"}), "older-token", form="older-token"
    ),
    no_token("a ServerSecret", SECRET, "hex-string"),
    no_token("an AppSign", APP_SIGN, "hex-string"),
    no_token("an AppSign that begins as a token does", "04" + APP_SIGN[2:], "hex-string"),
    no_token("a SHA-1", SECRET + "89abcdef", "hex-string"),
    no_token("a longer hash", APP_SIGN * 2, "hex-string"),
    no_token("a UUID", "04aaaaaa-1234-4234-8234-1234567890ab", "hex-string"),
    no_token("a word", "hello", "not-a-token"),
    no_token("a number", "1234567890", "not-a-token"),
    no_token("a telephone number", "0412345678", "not-a-token"),
    no_token("a date", "04-11-2024 10:00", "not-a-token"),
    no_token("an error in German", "Ungültige Anfrage", "not-a-token"),
    no_token("a URL without a token", "https://a.example/rooms/1", "not-a-token"),
    no_token("a token without its beginning", GCM[40:], "not-a-token"),
    no_token("an unpaired surrogate", "\ud83d", "not-a-token"),
    no_token(
        "a word, and a secret that is an AppSign",
        "hello",
        "not-a-token",
        "secret-app-sign",
        secrets=CURRENT | {"mine": TriedSecret(APP_SIGN)},
    ),
]
