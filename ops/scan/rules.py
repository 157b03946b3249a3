"""What is looked for beside the secret itself, as data: names, prefixes, folders; and the remedies.

Sources: the public configuration of Next.js, Vite, Create React App, Expo, Nuxt, Gatsby, SvelteKit,
Astro and Vue CLI for the prefixes; ZEGO's server assistant and UIKit for the functions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

#: ``certain``: the value itself. ``likely``: by its name or place. ``possible``: by its form alone.
Severity = Literal["certain", "likely", "possible"]
SEVERITIES: Final[tuple[Severity, ...]] = ("certain", "likely", "possible")

Kind = Literal[
    "secret-value",
    "server-secret",
    "app-sign",
    "public-name",
    "kit-token-for-test",
    "kit-token-for-production",
    "token-minted",
    "token-generator",
]


@dataclass(frozen=True, slots=True)
class Rule:
    """A kind of finding.

    :ivar what: what is there, as a clause.
    :ivar remedy: what to do; a command at a sentence's end is put on a line of its own.
    """

    what: str
    remedy: str


_MINT_ELSEWHERE: Final = (
    "Ask the service for tokens (POST /v1/tokens), and let no browser have the secret. If it had:"
    " reset it at ZEGO's console, and rotate to the new one: zego-token secret rotate."
)

RULES: Final[Mapping[Kind, Rule]] = {
    "secret-value": Rule(
        "the value itself",
        "Take it out. Whoever has had the file has the secret: reset it at ZEGO's console, and"
        " rotate to the new one: zego-token secret rotate.",
    ),
    "server-secret": Rule(
        "32 hex digits, named or used as a ServerSecret",
        "If that is one: take it out, reset it at ZEGO's console, and rotate to the new one:"
        " zego-token secret rotate.",
    ),
    "app-sign": Rule(
        "64 hex digits, named as an AppSign",
        "If that is one: take it out, log in with tokens, and have ZEGO's support switch AppSign"
        " off for the AppID.",
    ),
    "public-name": Rule(
        "a secret's name that builds hand to every browser",
        "Take it out of the front end, and ask the service for tokens (POST /v1/tokens). If it had"
        " a value in any build: reset it at ZEGO's console, and rotate to the new one: zego-token"
        " secret rotate.",
    ),
    "kit-token-for-test": Rule(
        "generateKitTokenForTest, which takes the ServerSecret into the browser", _MINT_ELSEWHERE
    ),
    "kit-token-for-production": Rule(
        "generateKitTokenForProduction, given a secret where it takes a token", _MINT_ELSEWHERE
    ),
    "token-minted": Rule(
        "generateToken04 in a front end, which takes the ServerSecret there", _MINT_ELSEWHERE
    ),
    "token-generator": Rule("ZEGO's generator of tokens in a front end", _MINT_ELSEWHERE),
}

#: What to do about the value of a label that is not AWSCURRENT.
LABEL_REMEDIES: Final[Mapping[str, str]] = {
    "AWSPREVIOUS": (
        "Take it out. ZEGO may take it still: where it does, reset it at ZEGO's console. See which"
        " it accepts: zego-token secret status."
    ),
    "AWSPENDING": (
        "Take it out. A rotation is about to promote it: reset it at ZEGO's console, and rotate to"
        " the new one: zego-token secret rotate."
    ),
    "CANDIDATE": (
        "Take it out, and do not rotate to it: reset it at ZEGO's console, and rotate to the new"
        " one: zego-token secret rotate."
    ),
}

#: On a finding's line, behind it: the finding is none. The secret itself is one all the same.
IGNORE: Final = b"zego-token:ignore"

#: Names of secrets: whatever they name is one.
SECRET_NAME: Final = re.compile(
    rb"(?:server|callback)[_-]?secret"
    rb"|app[_-]?sign(?!_?(?:in|up|out|off|al|ature|ed|ing)(?![a-z])|ature)",
    re.IGNORECASE,
)
#: Names that are a secret's where ZEGO is mentioned shortly before.
SHORT_NAME: Final = re.compile(
    rb"(?:app_?)?(?:secret|sign)(?:_?key)?|key|create_?engine\w*", re.IGNORECASE
)
ZEGO: Final = re.compile(rb"zego", re.IGNORECASE)
#: One of these is near where any of the three is.
NAME_HINT: Final = re.compile(rb"secret|sign|zego", re.IGNORECASE)
#: In a name: what it names is about a secret, or about ZEGO, and is none.
NO_SECRET: Final = re.compile(
    rb"hash|sha\d|md5|digest|sum|fingerprint|integrity|etag|version|build|commit|revision"
    rb"|room|user|stream|(?:id|arn|url|nonce)s?\b",
    re.IGNORECASE,
)
#: Words that may stand between a name and what it names; and those of one letter.
BETWEEN: Final = frozenset(
    b"byte char const content data default env final get getenv key let name null nsstring or"
    b" process readonly ref required return static str string text trim type undefined val value"
    b" var".split()
)

#: Digits that are nobody's secret: ZEGO published them to show how a request is signed.
PUBLISHED: Final = frozenset({b"9193cc662a4c0ec135ec71fb57194b38"})

#: With these, builds put the value of an environment's variable into what browsers load.
PUBLIC_PREFIX: Final = re.compile(
    rb"(?:NEXT_PUBLIC|NUXT_PUBLIC|EXPO_PUBLIC|REACT_APP|VUE_APP|VITE|GATSBY|PUBLIC)_"
)
#: What such a name must not have in it.
PUBLIC_SECRET: Final = re.compile(
    rb"(?:SERVER|CALLBACK)_?SECRET|ZEGO[A-Z0-9_]*SECRET"
    rb"|APP_?SIGN(?!_?(?:IN|UP|OUT|OFF|AL|ATURE|ED|ING)(?![A-Z]))"
)
#: One of these is in each such name.
PUBLIC_HINTS: Final = (b"SECRET", b"APP_SIGN", b"APPSIGN")

#: UIKit's helpers; the first is for tests, and makes the token itself.
KIT_TOKEN: Final = b"generateKitTokenFor"
#: Of ZEGO's server assistant.
TOKEN04: Final = b"generateToken04"
#: What that says of a bad secret: it stays when a build shortens its names.
GENERATOR: Final = b"secret must be a 32 byte string"

#: A file with one of these is of a front end.
FRONT_END_SUFFIXES: Final = frozenset(
    {".astro", ".htm", ".html", ".jsx", ".svelte", ".tsx", ".vue"}
)
#: So is one with one of these, in a folder of :data:`FRONT_END_FOLDERS`.
SCRIPT_SUFFIXES: Final = frozenset({".bundle", ".cjs", ".js", ".jsbundle", ".map", ".mjs", ".ts"})
FRONT_END_FOLDERS: Final = frozenset(
    {"assets", "browser", "build", "client", "dist", "frontend", "out", "public", "static", "www"}
)
#: Unless a folder is one of these.
SERVER_FOLDERS: Final = frozenset(
    {"api", "backend", "functions", "lambda", "netlify", "node_modules", "server"}
)
#: In a document a name leaks nothing; nor where TypeScript declares what stands elsewhere.
DOCUMENT_SUFFIXES: Final = frozenset({".adoc", ".markdown", ".md", ".rst", ".txt"})
DECLARATIONS: Final = (".d.ts", ".d.mts", ".d.cts")

#: Folders that are not looked into, with what they are. Caches count as dependencies: others made
#: them, from files that are looked at.
SKIPPED_FOLDERS: Final[Mapping[str, Literal["dependencies", "history"]]] = {
    ".git": "history",
    ".hg": "history",
    ".svn": "history",
    ".mypy_cache": "dependencies",
    ".pytest_cache": "dependencies",
    ".ruff_cache": "dependencies",
    ".venv": "dependencies",
    "__pycache__": "dependencies",
    "bower_components": "dependencies",
    "node_modules": "dependencies",
    "site-packages": "dependencies",
}
#: Files that are packed in a way that is not looked into.
PACKED_SUFFIXES: Final = frozenset(
    {".7z", ".aab", ".apk", ".br", ".bz2", ".ipa", ".jar", ".rar", ".whl", ".xz", ".zip", ".zst"}
)
