"""What is found by its name, its place or its form, and what is not: no false alarms.

Names are put together here, so that a scan of this tree finds none.
"""

from __future__ import annotations

import hashlib
import time
from pathlib import PurePath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.scan.patterns import Match, Origin, find
from ops.scan.values import Value
from tests.support.table import table


def made_up(name: str) -> str:
    """Digits of a hash or of a secret: they look the same."""
    return hashlib.sha256(name.encode()).hexdigest()


HEX32 = made_up("a ServerSecret")[:32]
HEX64 = made_up("an AppSign")
SCRIPT = Origin()
BUNDLE = Origin(is_front_end=True)
SERVER = Origin(is_server=True)
DOCUMENT = Origin(is_document=True)
TEST_CALL = "generateKitToken" + "ForTest"
PRODUCTION_CALL = "generateKitToken" + "ForProduction"
MINT = "generate" + "Token04"
PREBUILT_CALL = "generatePrebuilt" + "Token"
#: The functions of ZEGO's samples that take a ServerSecret.
GENERATORS = [
    TEST_CALL,
    PRODUCTION_CALL,
    PREBUILT_CALL,
    MINT,
    "Generate" + "Token04",
    "generate_" + "token04",
    "generateKit" + "Token",
    "ZegoTokenUtils." + "generateToken",
    "TokenServerAssistant." + "generateToken",
    "ZegoServerAssistant::" + "GenerateToken",
]
#: 32 characters that are not the usual digits.
UNUSUAL = "Zk3" + "Qp9Lm2Xv7" + "Rt5Bn8Wc4Yd6Hs1Jf0Ga"


def matches(text: str, origin: Origin = SCRIPT) -> list[Match]:
    return find(text.encode(), [], origin)


def kinds(text: str, origin: Origin = SCRIPT) -> list[tuple[str, str]]:
    return [(match.kind, match.severity) for match in matches(text, origin)]


class TestDigitsWithAName:
    @table(
        "text",
        [
            'serverSecret:"{}"',
            "const serverSecret = '{}';",
            "SERVER_SECRET={}\n",
            "export ZEGO_SERVER_SECRET='{}'",
            '{{"serverSecret": "{}"}}',
            '{{\\"serverSecret\\":\\"{}\\"}}',
            '"sources":["a\\nSERVER_SECRET = \\"{}\\";\\n"]',
            "server-secret: {}",
            "serverSecret: !!str {}",
            "ZEGO_SERVER_SECRET ?? '{}'",
            'process.env.SERVER_SECRET || "{}"',
            'os.environ.get("ZEGO_SERVER_SECRET", "{}")',
            "${{SERVER_SECRET:-{}}}",
            "ENV SERVER_SECRET {}",
            "  - name: SERVER_SECRET\n    value: {}",
            '<meta name="server-secret" content="{}">',
            "<key>serverSecret</key>\n  <string>{}</string>",
            'static const String serverSecret = r"{}";',
            'let serverSecret: String = "{}"',
            "callbackSecret: '{}'",
            "CALLBACK_SECRET={}",
            "https://example.com/?serverSecret={}&x=1",
            'zego: {{ appID: 123456, secret: "{}" }}',
            "ZEGO_KEY={}",
            "serverSecretForTests = '{}'",
            'Zego_Server_Id: "{}"',
            "const [serverSecret] = useState('{}')",
            "zego: {{ key: '{}' }}",
        ],
        ids=str,
    )
    def test_32_are_likely_a_server_secret(self, text: str) -> None:
        (match,) = matches(text.format(HEX32))
        assert (match.kind, match.severity, match.text) == ("server-secret", "likely", HEX32)

    @table(
        "text",
        [
            'String.fromEnvironment("{}", defaultValue: "{}")',
            "const String.fromEnvironment(\n  '{}',\n  defaultValue:\n      '{}',\n)",
            "@EnviedField(varName: '{}', defaultValue: '{}')",
            "dotenv.get('{}', fallback: '{}')",
            'process.env.{} || "{}"',
            'process.env["{}"] ?? "{}"',
            'os.environ.get("{}", "{}")',
            'os.environ.get("{}") or "{}"',
            'config("{}", cast=str, default="{}")',
            '{}: str = Field(default="{}")',
            "env('{}', '{}')",
            "getenv('{}') ?: '{}'",
            'System.getenv("{}") ?: "{}"',
            'System.getenv().getOrDefault("{}", "{}")',
            'Optional.ofNullable(System.getenv("{}")).orElse("{}")',
            'ENV.fetch("{}") {{ "{}" }}',
            'env::var("{}").unwrap_or("{}".into())',
            'env::var("{}").unwrap_or_else(|_| "{}".to_string())',
            'Environment.GetEnvironmentVariable("{}") ?? "{}"',
            "{}: Joi.string().default('{}')",
            'add_argument("--{}", default_value="{}")',
        ],
        ids=str,
    )
    @pytest.mark.parametrize(
        ("name", "digits", "kind"),
        [("ZEGO_SERVER_SECRET", HEX32, "server-secret"), ("ZEGO_APP_SIGN", HEX64, "app-sign")],
        ids=["server secret", "app sign"],
    )
    def test_the_default_of_an_environment_variable_is_likely_a_secret(
        self, text: str, name: str, digits: str, kind: str
    ) -> None:
        assert kinds(text.format(name, digits)) == [(kind, "likely")]
        assert kinds(text.format("DATABASE_PASSWORD", digits)) == [(kind, "possible")]

    @pytest.mark.parametrize(
        "text",
        [
            "const {{ {}: g }} = ZegoUIKitPrebuilt; g(appID, '{}', roomID, userID, name)",
            "import {{ {} as g }} from './token'; g(appID, '{}', roomID, userID, name)",
            "const g = ZegoUIKitPrebuilt.{}; g(appID, '{}', roomID, userID, name)",
        ],
        ids=["taken apart", "imported", "assigned"],
    )
    @pytest.mark.parametrize("call", [TEST_CALL, PREBUILT_CALL])
    def test_an_argument_of_a_renamed_token_generator_is_likely_a_secret(
        self, text: str, call: str
    ) -> None:
        assert kinds(text.format(call, HEX32)) == [("server-secret", "likely")]

    @pytest.mark.parametrize(
        "text",
        [
            'appSign:"{}"',
            "app_sign = '{}'",
            "ZEGO_APP_SIGN={}",
            'String appSign = "{}";',
            'createEngineWithAppID:123456 appSign:@"{}" isTestEnv:NO',
            '<string name="zego_app_sign">{}</string>',
            'ZegoExpressEngine.createEngine(123456, "{}", true, 0)',
            'serverSecret: "{}"',
        ],
        ids=str,
    )
    @pytest.mark.parametrize("digits", [HEX64, HEX64.upper()], ids=["small", "capital"])
    def test_64_are_likely_an_app_sign(self, text: str, digits: str) -> None:
        (match,) = matches(text.format(digits))
        assert (match.kind, match.severity, match.text) == ("app-sign", "likely", digits)

    @pytest.mark.parametrize(
        "text",
        [
            '{}("123", "user", "{}", 3600, "")',
            '{}(123456, "{}", "room", "user", "User")',
            'x.{}(\n  123456,\n  "{}",\n)',
            "{}(123456, '{}', room, user)",
            "{}(123456, `{}`, room, user)",
            "{}(Number(app), '{}', room, user)",
            "<script>const t={}(123456,'{}',room)</script>",
            "{}(appId: 123456, serverSecret: '{}')",
            "{}(app_id=123456, secret='{}')",
            "{}(\n  appId: 123456,\n  secret:\n    r'{}',\n)",
            '{}({{appID: 123456, "serverSecret": "{}"}})',
            '"sourcesContent":["a\\n  {}(\\n    123456,\\n    \\"{}\\",\\n"]',
            'onclick="start({}(123456, &quot;{}&quot;, room))"',
            '{}(123456L, "user", @"{}", 3600, "")',
        ],
        ids=str,
    )
    @pytest.mark.parametrize("call", GENERATORS)
    def test_an_argument_of_a_token_generator_is_likely_a_secret(
        self, text: str, call: str
    ) -> None:
        assert ("server-secret", "likely") in kinds(text.format(call, HEX32))

    @pytest.mark.parametrize("quote", ['"', "'", "`", '\\"'], ids=str)
    @pytest.mark.parametrize("call", [TEST_CALL, PREBUILT_CALL, MINT])
    @pytest.mark.parametrize("secret", [UNUSUAL, HEX32.upper()], ids=["characters", "capitals"])
    def test_an_argument_of_32_other_characters_is_too(
        self, call: str, secret: str, quote: str
    ) -> None:
        (match,) = [
            one
            for one in matches(f"{call}(123456, {quote}{secret}{quote}, room, user)")
            if one.kind == "server-secret"
        ]
        assert (match.severity, match.text) == ("likely", secret)

    @pytest.mark.parametrize(
        "argument",
        [
            f'"{UNUSUAL}x"',
            f'"{UNUSUAL[1:]}"',
            f'userId: "{UNUSUAL}"',
            UNUSUAL,
            '"' + "x" * 32 + '"',
            '"' + "1" * 32 + '"',
            "serverSecret",
            "process.env.SERVER_SECRET",
        ],
        ids=str,
    )
    def test_other_arguments_are_ignored(self, argument: str) -> None:
        assert kinds(f"{PREBUILT_CALL}(appID, {argument}, room, user)", BUNDLE) == []

    @pytest.mark.parametrize(
        "text",
        [
            "etag('{}'); {}(appID, serverSecret)",
            "{1}(appID, serverSecret, md5('{0}'))",
            "{1}(appID, serverSecret, room); verify(file, '{0}')",
            "{1}(appId: id, userId: '{0}', secret: secret)",
            "let hash = '{}'; {}(appID, serverSecret)",
        ],
        ids=str,
    )
    @pytest.mark.parametrize("call", GENERATORS)
    def test_digits_for_something_else_near_a_generator_are_possible(
        self, text: str, call: str
    ) -> None:
        found = kinds(text.format(HEX32, call))
        assert [severity for kind, severity in found if kind == "server-secret"] == ["possible"]

    def test_a_constant_before_the_call_is_likely_a_secret(self) -> None:
        text = f'const e=123456,t="{HEX32}";function n(r){{return K.{TEST_CALL}(e,t,r)}}'
        assert kinds(text) == [("server-secret", "likely"), ("kit-token-for-test", "likely")]


class TestDigitsAlone:
    @pytest.mark.parametrize(
        "text",
        [
            "{}",
            'hash: "{}"',
            'serverSecretHash: "{}"',
            "SERVER_SECRET_MD5={}",
            'serverSecretId: "{}"',
            'serverSecretVersion: "{}"',
            "SERVER_SECRET=\nBUILD_HASH={}",
            "SERVER_SECRET=\nDATABASE_KEY={}",
            'serverSecret: "", nonce: "{}"',
            'serverSecret: "", traceId: "{}"',
            'zegoRoomId: "{}"',
            'import zego from "zego"; const key2 = "{}"',
            "zego: {{ appId: 1, key: '{}' }}",
            "zego: {{ appId: 1 }}, other: {{ token: '{}' }}",
            'secret: "{}"',
            'key: "{}"',
            'app_signature: "{}"',
            "APP_SIGN_IN={}",
            'appSignUp: "{}"',
        ],
        ids=str,
    )
    def test_other_digits_are_possible(self, text: str) -> None:
        assert kinds(text.format(HEX32)) == [("server-secret", "possible")]
        assert kinds(text.format(HEX64)) == [("app-sign", "possible")]

    @pytest.mark.parametrize(
        "text",
        [
            '"files":["zego-{}.js"]',
            '"/assets/zego.{}.wasm"',
            "zego/{}/index.js",
            'serverSecret:"./{}.png"',
            "{}0",
            "0{}",
            "{}g",
            "_{}",
            "{}-zego.js",
        ],
        ids=str,
    )
    def test_a_part_of_something_longer_is_ignored(self, text: str) -> None:
        assert kinds(text.format(HEX32)) == kinds(text.format(HEX64)) == []

    @pytest.mark.parametrize("length", [31, 33, 40, 48, 63, 65, 96, 128])
    def test_another_number_of_digits_is_ignored(self, length: int) -> None:
        digits = (HEX64 * 2)[:length]
        assert kinds(f'serverSecret:"{digits}"') == []

    def test_a_server_secret_has_no_capitals(self) -> None:
        assert kinds(f'serverSecret:"{HEX32.upper()}"') == []

    @pytest.mark.parametrize(
        "digits",
        [
            pytest.param("0" * 32, id="zeros"),
            pytest.param("0123456789abcdef" * 2, id="the digits twice"),
            pytest.param("0123456789abcdef" * 4, id="the digits four times"),
            pytest.param("deadbeef" * 4, id="deadbeef"),
            pytest.param("12345678901234567890123456789012", id="a number"),
            pytest.param("abcdefabcdefabcdefabcdefabcdefab", id="letters alone"),
            pytest.param("9193cc662a4c0ec135ec71fb" + "57194b38", id="published by ZEGO"),
        ],
    )
    def test_invented_digits_are_ignored(self, digits: str) -> None:
        assert kinds(f'serverSecret:"{digits}"') == []


class TestPublicNames:
    @table(
        "prefix",
        [
            "NEXT_PUBLIC_",
            "VITE_",
            "REACT_APP_",
            "EXPO_PUBLIC_",
            "NUXT_PUBLIC_",
            "GATSBY_",
            "PUBLIC_",
            "VUE_APP_",
            "BUN_PUBLIC_",
            "NG_APP_",
            "PLASMO_PUBLIC_",
            "PREACT_APP_",
            "RAZZLE_",
            "REDWOOD_ENV_",
            "SNOWPACK_PUBLIC_",
            "STORYBOOK_",
            "TARO_APP_",
            "UMI_APP_",
        ],
    )
    @table(
        "name",
        [
            "SERVER_SECRET",
            "ZEGO_SERVER_SECRET",
            "ZEGO_SERVERSECRET_PROD",
            "ZEGO_APP_SIGN",
            "APPSIGN",
            "CALLBACK_SECRET",
            "ZEGO_SECRET",
            "ZEGO_SERVER_ID",
        ],
    )
    def test_a_secret_in_one_is_likely(self, prefix: str, name: str) -> None:
        (match,) = matches(f'a={{"x":1}};b=process.env.{prefix}{name}||c')
        assert (match.kind, match.severity) == ("public-name", "likely")
        assert match.end - match.start == len(prefix + name)

    @pytest.mark.parametrize(
        "text",
        [
            "{}=\n",
            "import.meta.env.{}",
            "process.env['{}']",
            'a\\n{}=\\"\\"',
            "{{{}:''}}",
            "${{{}}}",
        ],
        ids=str,
    )
    def test_definitions_and_uses_are_found(self, text: str) -> None:
        assert kinds(text.format("VITE_" + "ZEGO_SERVER_SECRET")) == [("public-name", "likely")]

    @pytest.mark.parametrize(
        "name",
        [
            "SERVER_SECRET",
            "ZEGO_SERVER_SECRET",
            "NEXT_PUBLIC_ZEGO_APP_ID",
            "VITE_ZEGO_SERVER",
            "VITE_API_SECRET_NAME",
            "REACT_APP_SIGN_IN_URL",
            "VITE_APP_SIGN_IN_URL",
            "NEXT_PUBLIC_APP_SIGN_UP",
            "NEXT_PUBLIC_APP_SIGNATURE",
            "VITE_" + "SERVER_SECRET_ID",
            "VITE_" + "SERVER_SECRET_FINGERPRINT",
            "INVITE_" + "SERVER_SECRET",
            "MY_PUBLIC_" + "SERVER_SECRET",
        ],
    )
    def test_other_names_are_ignored(self, name: str) -> None:
        assert kinds(f"process.env.{name} {name}=") == []

    def test_a_name_with_two_hints_is_one_match(self) -> None:
        (match,) = matches("VITE_" + "ZEGO_SECRET_APP_SIGN=")
        assert match.end - match.start == len("VITE_" + "ZEGO_SECRET_APP_SIGN")

    @pytest.mark.parametrize("digits", [HEX32, HEX64], ids=["32", "64"])
    @pytest.mark.parametrize("name", ["ZEGO_APP_ID", "ZEGO_SS", "ZEGOCLOUD_SERVER", "APP_ZEGO_KEY"])
    @pytest.mark.parametrize("prefix", ["VITE_", "NEXT_PUBLIC_", "NG_APP_", "STORYBOOK_"])
    def test_digits_under_one_with_zego_are_likely(
        self, prefix: str, name: str, digits: str
    ) -> None:
        kind = "server-secret" if digits == HEX32 else "app-sign"
        for text in ("{}={}\n", 'import.meta.env.{} ?? "{}"', '{{{}:"{}",MODE:1}}'):
            assert kinds(text.format(prefix + name, digits)) == [(kind, "likely")]

    @pytest.mark.parametrize("name", ["ZEGO_ROOM_ID", "ZEGO_USER_ID", "ZEGO_BUILD", "ZEGO_HASH"])
    def test_digits_under_one_for_something_else_are_possible(self, name: str) -> None:
        assert kinds(f"VITE_{name}={HEX32}") == [("server-secret", "possible")]

    def test_in_a_document_it_is_possible(self) -> None:
        text = "Never set " + "NEXT_PUBLIC_" + "ZEGO_SERVER_SECRET."
        assert kinds(text, DOCUMENT) == [("public-name", "possible")]

    def test_a_name_with_its_value_is_two_matches(self) -> None:
        text = "VITE_" + f"ZEGO_SERVER_SECRET={HEX32}"
        assert kinds(text) == [("public-name", "likely"), ("server-secret", "likely")]


class TestTokensMintedInTheBrowser:
    @pytest.mark.parametrize(
        ("call", "kind"), [(TEST_CALL, "kit-token-for-test"), (PREBUILT_CALL, "prebuilt-token")]
    )
    @pytest.mark.parametrize(
        "text",
        [
            "const t = ZegoUIKitPrebuilt.{}(appID, serverSecret, roomID, userID, name)",
            "K.{}(e,t,n)",
            "(0,K.{})(e,t,n)",
            'K["{}"](e,t,n)',
            "K?.{}?.(e,t,n)",
            "return {}(e,t,n)",
            "t = {}(\n  e,\n  t)",
        ],
        ids=str,
    )
    def test_a_call_of_uikits_generators_is_likely(self, text: str, call: str, kind: str) -> None:
        for origin in (SCRIPT, BUNDLE):
            assert kinds(text.format(call), origin) == [(kind, "likely")]

    @pytest.mark.parametrize("call", [TEST_CALL, PREBUILT_CALL])
    @pytest.mark.parametrize(
        "text",
        [
            "}}static {}(e,t,n){{return e}}",
            "function {}(e,t){{}}",
            '{{key:"{}",value:function(e){{}}}}',
            "static {}(appID: number, serverSecret: string): string;",
            "the helper {}, which is for tests",
        ],
        ids=str,
    )
    def test_their_definitions_are_ignored(self, text: str, call: str) -> None:
        assert kinds(text.format(call)) == []

    @pytest.mark.parametrize(
        "text",
        [
            "static {}(e: number,\n t: string) {{\n  return {}(e, t, n);\n}}",
            '{{key:"{}",value:function(e,t){{return(0,tools.{})(e,t,n)}}}}',
        ],
        ids=["source", "build"],
    )
    def test_a_page_that_contains_uikit_leaks_nothing(self, text: str) -> None:
        assert kinds(text.format(TEST_CALL, PREBUILT_CALL), BUNDLE) == []

    def test_a_document_that_shows_them_is_possible(self) -> None:
        text = f"K.{TEST_CALL}(a, b)"
        assert kinds(text, DOCUMENT) == [("kit-token-for-test", "possible")]
        assert kinds(f"K.{PREBUILT_CALL}(a, b)", DOCUMENT) == [("prebuilt-token", "possible")]

    def test_a_servers_copy_of_uikits_own_generator_is_possible(self) -> None:
        assert kinds(f"t = {PREBUILT_CALL}(a, b)", SERVER) == [("prebuilt-token", "possible")]

    @pytest.mark.parametrize("argument", ["serverSecret", "ZEGO.SERVER_SECRET", "appSign"])
    def test_the_helper_for_production_with_a_secret_is_likely(self, argument: str) -> None:
        text = f"K.{PRODUCTION_CALL}(appID, {argument}, roomID)"
        assert kinds(text) == [("kit-token-for-production", "likely")]

    @pytest.mark.parametrize("argument", ["token", "await getToken()", "'04AAAAAG'"])
    def test_a_call_with_a_token_is_ignored(self, argument: str) -> None:
        assert kinds(f"K.{PRODUCTION_CALL}(appID, {argument}, roomID); serverSecret") == []

    @pytest.mark.parametrize(
        "text",
        [
            "{}(appId, userId, serverSecret, 3600, '')",
            "{}(a,b,c,3600,'')",
            "({})(a,b,c,3600,'')",
        ],
        ids=str,
    )
    def test_a_token_minted_in_a_front_end_is_likely(self, text: str) -> None:
        assert kinds(text.format(MINT), BUNDLE) == [("token-minted", "likely")]
        assert kinds(text.format(MINT), SCRIPT) == [("token-minted", "possible")]

    @pytest.mark.parametrize(
        "text", ["{}(user)", "import {{ {} }} from './token'", "{}ForUser(a,b,c,d,e)"], ids=str
    )
    def test_the_name_without_a_call_is_ignored(self, text: str) -> None:
        assert kinds(text.format(MINT), BUNDLE) == []

    def test_the_generator_is_recognised_by_its_error_message(self) -> None:
        text = "throw{code:5,message:'secret must be " + "a 32 byte string'}"
        assert kinds(text, BUNDLE) == [("token-generator", "likely")]
        assert kinds(text, SCRIPT) == [("token-generator", "possible")]


class TestOrigin:
    @pytest.mark.parametrize(
        "path",
        [
            "dist/assets/index.js",
            "dist/assets/index.js.gz",
            "web/build/static/js/main.js.map",
            ".next/static/chunks/1.js",
            "src/Call.tsx",
            "src/Call.vue",
            "index.html",
            "client/token.ts",
        ],
    )
    def test_it_belongs_to_a_front_end(self, path: str) -> None:
        assert Origin.of(PurePath(path)) == BUNDLE

    @pytest.mark.parametrize(
        "path",
        [
            "server/token.ts",
            ".next/server/chunks/1.js",
            "dist/server/index.js",
            "app/api/token/route.tsx",
        ],
    )
    def test_it_belongs_to_a_server(self, path: str) -> None:
        assert Origin.of(PurePath(path)) == SERVER

    @pytest.mark.parametrize("path", ["src/token.ts", "index.js", "dist/logo.png"])
    def test_it_belongs_to_neither(self, path: str) -> None:
        assert Origin.of(PurePath(path)) == SCRIPT

    @pytest.mark.parametrize("path", ["README.md", "docs/a.rst", "dist/index.d.ts"])
    def test_it_is_a_document(self, path: str) -> None:
        assert Origin.of(PurePath(path)) == DOCUMENT


class TestIgnoring:
    MARK = "zego-token:" + "ignore"

    def test_a_mark_after_it_on_its_line_ignores_it(self) -> None:
        (match,) = matches(f'serverSecret = "{HEX32}"  # {self.MARK}\n')
        assert match.is_ignored
        (match,) = matches("VITE_" + f"SERVER_SECRET=  # {self.MARK}")
        assert match.is_ignored

    @pytest.mark.parametrize(
        "text",
        [
            "serverSecret='{}'\n# {}",
            "serverSecret='{}'\\n# {}",
            "serverSecret='{}'" + " " * 300 + "{}",
        ],
        ids=["on the next line", "on the next line of a source map", "far away on a long line"],
    )
    def test_a_mark_elsewhere_has_no_effect(self, text: str) -> None:
        (match,) = matches(text.format(HEX32, self.MARK))
        assert not match.is_ignored

    def test_a_mark_before_it_has_no_effect(self) -> None:
        (match,) = matches(f"/* {self.MARK} */ serverSecret='{HEX32}'")
        assert not match.is_ignored

    def test_a_mark_after_the_secret_itself_has_no_effect(self) -> None:
        text = f"serverSecret = '{HEX32}'  # {self.MARK}"
        (match,) = find(text.encode(), [Value("AWSCURRENT", HEX32)], SCRIPT)
        assert (match.severity, match.is_ignored) == ("certain", False)


class TestTheSecretItself:
    def test_it_is_certain_and_only_one_match(self) -> None:
        (match,) = find(f"serverSecret='{HEX32}'".encode(), [Value("x", HEX32)], SCRIPT)
        assert (match.kind, match.severity) == ("secret-value", "certain")

    def test_another_value_next_to_it_is_found(self) -> None:
        other = made_up("another")[:32]
        text = f"serverSecret='{HEX32}'; oldServerSecret='{other}'"
        first, second = find(text.encode(), [Value("x", HEX32)], SCRIPT)
        assert (first.severity, second.severity, second.text) == ("certain", "likely", other)

    def test_the_repr_shows_nothing(self) -> None:
        (match,) = matches(f"serverSecret='{HEX32}'")
        assert repr(match) == "<Match server-secret>"


@pytest.mark.parametrize(
    "unit",
    [
        pytest.param("a", id="one digit"),
        pytest.param("0123456789abcde", id="digits"),
        pytest.param(f"{HEX32} ", id="hashes"),
        pytest.param(f"serverSecret={HEX32}\n", id="secrets"),
        pytest.param("SECRET", id="hints of names"),
        pytest.param("VITE_" + "SERVER_SECRET_", id="names"),
        pytest.param(TEST_CALL, id="one long word"),
        pytest.param(f".{TEST_CALL}(", id="calls"),
        pytest.param(f"{MINT}(,,,", id="arguments"),
        pytest.param(f"{HEX32}'+'", id="pieces"),
        pytest.param(f"{PREBUILT_CALL}({HEX32}(", id="open brackets"),
        pytest.param(f"{PREBUILT_CALL}aaaaaaaaaaaaaaaaaaa {HEX32} ", id="words before digits"),
        pytest.param(" ", id="nothing"),
    ],
)
def test_nothing_takes_long(unit: str) -> None:
    data = (unit * (2**18 // len(unit))).encode()
    began = time.process_time()
    find(data, [Value("x", HEX32)], BUNDLE)
    assert time.process_time() - began < 3


@given(st.binary(max_size=2000))
def test_any_data_can_be_scanned(data: bytes) -> None:
    for match in find(data, [Value("x", HEX32)], BUNDLE):
        assert 0 <= match.start < match.end <= len(data)
