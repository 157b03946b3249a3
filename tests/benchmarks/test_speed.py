"""What keeps the issuer fast: what it loads, how many instructions it takes, and its peers.

No test has a limit in seconds, because other load makes everything slower. The bounds are narrow
where a count does not depend on the load, and wide for ratios of times.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from tests.benchmarks import instructions, invocations, peers
from tests.support.tiers import only_proved

#: The modules that the issuer loads to its first token, besides those of Lambda's runtime client.
#: A package that is not here must not load. Whoever adds a module raises its number, and sees in
#: `make bench` what it costs at each cold start.
MODULES: Final = {
    "_cffi_backend": 1,
    "_openssl": 2,
    "aws_lambda_powertools": 40,
    "cryptography": 30,
    "issuer": 15,
    "jmespath": 8,
    "runtime": 3,
    "snapshot_restore_py": 1,
    "typing_extensions": 1,
    "zego": 22,
}
#: The largest number of modules of the standard library. It varies with the version of Python.
STANDARD_MODULES: Final = 90
#: Modules of the standard library that are slow to import, and that nothing here needs.
SLOW_MODULES: Final = frozenset(
    {
        *("asyncio", "concurrent.futures", "ctypes", "multiprocessing", "sqlite3", "subprocess"),
        *("argparse", "shutil", "tempfile", "unittest", "urllib.request", "uuid", "xml", "zipfile"),
    }
)
#: How often a ratio of times is measured before it counts as too large.
TRIES: Final = 5


def test_a_cold_start_loads_only_what_it_needs(tree: Path) -> None:
    loaded = instructions.loaded_modules(tree)
    packages = {name: name.partition(".")[0] for name in loaded}
    standard = {name for name, package in packages.items() if package in sys.stdlib_module_names}
    others = Counter(package for name, package in packages.items() if name not in standard)
    more = {package: n for package, n in others.items() if n > MODULES.get(package, 0)}
    assert more == {}, f"more than the bounds {MODULES}"
    assert loaded & SLOW_MODULES == set()
    assert len(standard) <= STANDARD_MODULES


@pytest.mark.exhaustive
@only_proved
def test_cold_starts_requests_and_mints_take_no_more_instructions_than_before(
    tree: Path, record_property: Callable[[str, object], None]
) -> None:
    try:
        counts = instructions.count(tree)
    except instructions.NoCounterError as error:
        pytest.skip(str(error))
    record_property("how much", counts.summary())
    over = {name: ratio for name, ratio in counts.ratios.items() if ratio > counts.bounds[name]}
    assert over == {}, f"more than the bounds {counts.bounds}"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> peers.Peers:
    return peers.built(tmp_path_factory.mktemp("peers"))


@pytest.mark.exhaustive
@only_proved
def test_the_issuer_starts_and_responds_in_a_few_times_an_empty_handler_and_before_its_python_peer(
    tree: Path, built: peers.Peers
) -> None:
    with invocations.subjects(tree) as measured:
        ratios: dict[str, float] = {}
        for _ in range(TRIES):
            cold = invocations.cold(measured, built, starts=5)
            warm, *_ = invocations.warm(measured, built, blocks=6)
            ratios = {
                "cold over an empty handler": cold.result / 7,
                "cold over everyday Python": cold.value / cold.peers[invocations.EVERYDAY_PYTHON],
                "warm over an empty handler": warm.value / (warm.baseline or 0) / 5,
            }
            if max(ratios.values()) <= 1:
                break
        assert max(ratios.values()) <= 1, f"these must not exceed 1: {ratios}"
