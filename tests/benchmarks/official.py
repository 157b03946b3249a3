"""Compares mint with ZEGO's generators: ``python -m tests.benchmarks.official --sources DIR``.

DIR is a checkout of ZEGO's repository github.com/ZEGOCLOUD/zego_server_assistant, or of the one of
the same name of zegoim, whose generators are newer. None of their code is in this project.

Each generator runs in its own process: a program, written to a temporary folder, calls it in a
loop and times itself. All make a token of the same claims, which is opened here. Their rounds take
turns with ours, the first one is not counted, and the best one is the result. What Node's and
Java's generators print for debugging is discarded.

The exit code is 1 if our GCM token takes more than 1.2 times as long as a token of the PHP
generator, and 2 if that could not be measured.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import re
import select
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, get_args

from zego import token04
from zego.token04 import Cipher, Token04Error

_ROOT: Final = Path(__file__).resolve().parents[2]
_BUDGET: Final = 1.2
_SECONDS_FOR_A_ROUND: Final = 60
_APP_ID, _USER, _SECRET, _LIFETIME = 1234567890, "user1", "0123456789abcdef" * 2, 3600  # invented
_PAYLOAD: Final = token04.room_payload("room1", login=True, publish=True)

# Each program gets the generator's path, and what the token is made of. For each number that it
# reads, it makes that many tokens, and prints the nanoseconds that it took and the last token.
_PHP = r"""<?php
[, $source, $app, $user, $secret, $time, $payload] = $argv;
[$app, $time] = [(int) $app, (int) $time];
foreach (['ZegoErrorCodes', 'ZegoAssistantToken', 'ZegoServerAssistant'] as $name)
    require dirname($source) . "/$name.php";
while (($line = fgets(STDIN)) !== false) {
    $start = hrtime(true);
    for ($left = (int) $line; $left > 0; $left--)
        $made = ZEGO\ZegoServerAssistant::generateToken04($app, $user, $secret, $time, $payload);
    echo hrtime(true) - $start, ' ', $made->token, "\n";
}
"""
_PYTHON = r"""
import importlib.util, sys, time
source, app, user, secret, lifetime, payload = sys.argv[1:]
app, lifetime = int(app), int(lifetime)
spec = importlib.util.spec_from_file_location("generator", source)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
def run(count):
    start = time.perf_counter_ns()
    for _ in range(count):
        made = module.generate_token04(app, user, secret, lifetime, payload)
    return time.perf_counter_ns() - start, made.token
for line in sys.stdin:
    print(*run(int(line)), flush=True)
"""
_NODE = r"""
const [source, app, user, secret, lifetime, payload] = process.argv.slice(2);
const [appId, seconds] = [Number(app), Number(lifetime)];
const { generateToken04 } = require(source);
console.log = () => {};
require("readline").createInterface({ input: process.stdin }).on("line", (line) => {
  let made;
  const start = process.hrtime.bigint();
  for (let left = Number(line); left > 0; left--)
    made = generateToken04(appId, user, secret, seconds, payload);
  process.stdout.write(`${process.hrtime.bigint() - start} ${made}\n`);
});
"""
_JAVA = r"""
import im.zego.serverassistant.utils.TokenServerAssistant;
import java.io.*;
class Driver {
    public static void main(String[] args) throws IOException {
        PrintStream results = System.out;
        System.setOut(new PrintStream(OutputStream.nullOutputStream()));
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        long app = Long.parseLong(args[1]);
        int lifetime = Integer.parseInt(args[4]);
        for (String line, made = ""; (line = input.readLine()) != null;) {
            long start = System.nanoTime();
            for (int left = Integer.parseInt(line); left > 0; left--)
                made = TokenServerAssistant.generateToken04(
                    app, args[2], args[3], lifetime, args[5]).data;
            results.println((System.nanoTime() - start) + " " + made);
        }
    }
}
"""
_GO = r"""package main
import ("bufio"; "fmt"; "os"; "strconv"; "time"; "MODULE/token04")
func main() {
    app, _ := strconv.ParseUint(os.Args[2], 10, 32)
    lifetime, _ := strconv.ParseInt(os.Args[5], 10, 64)
    for input := bufio.NewScanner(os.Stdin); input.Scan(); {
        left, _ := strconv.Atoi(input.Text())
        made, start := "", time.Now()
        for ; left > 0; left-- {
            made, _ = token04.GenerateToken04(
                uint32(app), os.Args[3], os.Args[4], lifetime, os.Args[6])
        }
        fmt.Println(time.Since(start).Nanoseconds(), made)
    }
}
"""
_CPP = r"""
#include <chrono>
#include <iostream>
#include "ZegoServerAssistant.h"
int main(int, char** args) {
    using namespace ZEGO::SERVER_ASSISTANT;
    const std::string user = args[3], secret = args[4], payload = args[6];
    const auto app = static_cast<uint32_t>(std::stoul(args[2]));
    const int64_t lifetime = std::stoll(args[5]);
    for (long left; std::cin >> left;) {
        std::string made;
        const auto start = std::chrono::steady_clock::now();
        for (; left > 0; left--)
            made = ZegoServerAssistant::GenerateToken04(app, user, secret, lifetime, payload).token;
        const std::chrono::nanoseconds took = std::chrono::steady_clock::now() - start;
        std::cout << took.count() << ' ' << made << std::endl;
    }
}
"""


class SkippedError(Exception):
    """A generator was not measured. The message says why."""


@dataclass(frozen=True, slots=True)
class Timing:
    """How fast a generator is.

    :ivar cipher: the cipher of its tokens.
    :ivar microseconds: for one token, in the best round.
    """

    generator: str
    cipher: Cipher
    microseconds: float


@dataclass(frozen=True, slots=True)
class _Generator:
    """One of ZEGO's generators. The commands are for ``sh``, in the folder of its source.

    :ivar source: a pattern for its path in a checkout; the last match is the newest.
    :ivar driver: the file name of ``program``, which calls the generator.
    """

    name: str
    source: str
    driver: str
    program: str
    run: str
    build: str = "true"


_GENERATORS: Final = (
    _Generator(
        name="PHP",
        source="php/token04/src/ZEGO/ZegoServerAssistant.php",
        driver="driver.php",
        program=_PHP,
        run='php "$DRIVER"',
    ),
    _Generator(
        name="Python",
        source="python/token04/src/token04.py",
        driver="driver.py",
        program=_PYTHON,
        run=f"'{sys.executable}' \"$DRIVER\"",
        build=f"'{sys.executable}' -c 'import Crypto.Cipher.AES'  # pycryptodome",
    ),
    _Generator(
        name="Node.js",
        source="nodejs/**/server/zegoServerAssistant.js",
        driver="driver.js",
        program=_NODE,
        run='node "$DRIVER"',
    ),
    _Generator(
        name="Java",
        source="java/token04/src/im/zego/serverassistant/utils/TokenServerAssistant.java",
        driver="Driver.java",
        program=_JAVA,
        build='cd ../../../.. && javac -d "$FOLDER" -sourcepath . -cp "libs/*" "$DRIVER"',
        run='java -cp "$FOLDER:../../../../libs/*" Driver',
    ),
    _Generator(
        name="Go",
        source="go/src/token04/token04.go",
        driver="driver.go",
        program=_GO,
        build='cd .. && at=$PWD && module=$(go list -m) && cd "$FOLDER"'
        ' && sed -i "s|MODULE|$module|" driver.go && echo "module driver" >go.mod'
        ' && go mod edit -require="$module@v0.0.0" -replace="$module=$at"'
        " && go build -mod=mod -o driver .",
        run='"$FOLDER/driver"',
    ),
    _Generator(
        name="C++",
        source="c++/**/kernel/impl/ZegoServerAssistant.cpp",
        driver="driver.cpp",
        program=_CPP,
        build="cd .. && g++ -O2 -std=c++11 -w -I. -Iinclude -Iimpl -Imodules/common -I../common"
        ' -I../common/rapidjson "$DRIVER" impl/*.cpp modules/common/*.c* modules/common/*/*.c*'
        ' -o "$FOLDER/driver"',
        run='"$FOLDER/driver"',
    ),
)


def measure(
    sources: Path, *, rounds: int = 150, tokens: int = 500
) -> tuple[list[Timing], dict[str, str]]:
    """Return the timings of our tokens, GCM first, and of ZEGO's, and why others were skipped."""
    runs: dict[str, Callable[[int], tuple[float, str]]] = {}
    skipped = {}
    with TemporaryDirectory() as folder, ExitStack() as stack:
        runs |= {f"ours, {cipher}": partial(_ours, cipher) for cipher in get_args(Cipher)}
        for generator in _GENERATORS:
            try:
                runs[generator.name] = _start(generator, sources, Path(folder), stack)
            except SkippedError as error:
                skipped[generator.name] = str(error)
        best: dict[str, float] = {}
        ciphers: dict[str, Cipher] = {}
        for number in range(rounds + 1):
            for name, run in list(runs.items()):
                try:
                    nanoseconds, token = run(tokens)
                    ciphers[name] = _cipher(token)
                except SkippedError as error:
                    skipped[name] = str(error)
                    del runs[name]
                    continue
                if number:
                    best[name] = min(best.get(name, math.inf), nanoseconds / tokens / 1000)
    return [Timing(name, ciphers[name], best[name]) for name in runs], skipped


def _ours(cipher: Cipher, tokens: int) -> tuple[float, str]:
    mint, token, now = token04.mint, "", 1700000000
    app_id, user, secret, lifetime, payload = _APP_ID, _USER, _SECRET, _LIFETIME, _PAYLOAD
    started = time.perf_counter_ns()
    for _ in range(tokens):
        token = mint(
            app_id,
            user,
            secret,
            issued_at=now,
            lifetime_seconds=lifetime,
            payload=payload,
            cipher=cipher,
        )
    return time.perf_counter_ns() - started, token


def _start(
    generator: _Generator, sources: Path, parent: Path, stack: ExitStack
) -> Callable[[int], tuple[float, str]]:
    """Compile and start a generator; return what makes it run a round."""
    found = sorted((sources / "token").glob(generator.source))
    if not found:
        raise SkippedError(f"the checkout lacks token/{generator.source}")
    source = found[-1].resolve()
    folder = parent / generator.name
    folder.mkdir()
    driver = folder / generator.driver
    driver.write_text(generator.program, encoding="utf-8")
    environment = {**os.environ, "DRIVER": str(driver), "FOLDER": str(folder)}
    built = subprocess.run(
        ["/bin/sh", "-c", generator.build],
        cwd=source.parent,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if built.returncode:
        raise SkippedError(_last_line(built.stderr))
    arguments = (source, str(_APP_ID), _USER, _SECRET, str(_LIFETIME), _PAYLOAD)
    process = stack.enter_context(
        subprocess.Popen(
            ["/bin/sh", "-c", f'exec {generator.run} "$@"', generator.name, *arguments],
            cwd=source.parent,
            env=environment,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    )
    stack.callback(process.kill)
    return partial(_round, process)


def _round(process: subprocess.Popen[bytes], tokens: int) -> tuple[float, str]:
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    with suppress(BrokenPipeError):
        process.stdin.write(b"%d\n" % tokens)
    if not select.select([process.stdout], [], [], _SECONDS_FOR_A_ROUND)[0]:
        raise SkippedError(f"{tokens} tokens took more than {_SECONDS_FOR_A_ROUND} s")
    line = process.stdout.readline().decode(errors="replace")
    result = re.fullmatch(r"([0-9]+) (\S+)\n", line)
    if result is None:
        process.kill()
        raise SkippedError(_last_line(line + process.stderr.read().decode(errors="replace")))
    return int(result[1]), result[2]


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["it ended without an error message"])[-1]


def _cipher(token: str) -> Cipher:
    """Return the cipher of a token, which must be valid and contain the claims that were given."""
    try:
        decoded = token04.decode(token, _SECRET)
    except Token04Error as error:
        raise SkippedError(f"its token is invalid: {error}") from None
    claims = decoded.claims
    made_of = (claims.app_id, claims.user_id, claims.expires_at - claims.issued_at, claims.payload)
    if made_of != (_APP_ID, _USER, _LIFETIME, _PAYLOAD):
        raise SkippedError("its token contains other claims than it was given")
    return decoded.cipher


def table(timings: Sequence[Timing], skipped: Mapping[str, str]) -> str:
    """Return the timings as text; the ratios are those of our GCM token."""
    ours = timings[0].microseconds
    lines = [f"{'generator':12} {'cipher':8} {'us per token':>12} {'ours, gcm':>10}"]
    lines += [
        f"{timing.generator:12} {timing.cipher:8} {timing.microseconds:12.2f}"
        f" {ours / timing.microseconds:8.2f} x"
        for timing in timings
    ]
    return "\n".join([*lines, *(f"{name:12} skipped: {why}" for name, why in skipped.items())])


def judge(timings: Sequence[Timing]) -> tuple[int, str]:
    """Return the exit code and what it means."""
    php = [timing.microseconds for timing in timings if timing.generator == "PHP"]
    if not php:
        return 2, "The PHP generator was skipped, so the budget was not checked."
    ratio = timings[0].microseconds / php[0]
    verdict = f"Our GCM token takes {ratio:.2f} times as long as PHP's; the budget is {_BUDGET}."
    return (1 if ratio > _BUDGET else 0), verdict


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.official",
        description="Compare mint with ZEGO's generators.",
    )
    parser.add_argument("--sources", type=Path, required=True, metavar="DIR")
    parser.add_argument("--output", type=Path, default=_ROOT / "build" / "official.json")
    options = parser.parse_args(arguments)
    if not (options.sources / "token").is_dir():
        parser.error(
            f"{options.sources} is not a checkout of github.com/ZEGOCLOUD/zego_server_assistant:"
            " it has no folder token"
        )
    timings, skipped = measure(options.sources)
    print(table(timings, skipped))

    document = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "timings": [asdict(timing) for timing in timings],
        "skipped": skipped,
    }
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(document, indent=2) + "\n")
    print(f"\nsaved in {os.path.relpath(options.output)}")
    code, verdict = judge(timings)
    print(verdict)
    return code


if __name__ == "__main__":
    sys.exit(main())
