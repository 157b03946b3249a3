"""`make fuzz`: searches for inputs that break the service, and prints how much it tried."""

from __future__ import annotations

import json
import os
import random
import sys
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import click

from tests.fuzz import api, search, targets
from tests.fuzz.search import SearchReport

API: Final = "api"
NAMES: Final = (*targets.TARGETS, API)
SECONDS: Final = 60
REPORT: Final = search.FINDINGS / "report.json"
NO_ATHERIS: Final = (
    "atheris is not installed (its packages are for Linux on x86-64):"
    " only the corpora and the seeds are checked."
)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("names", metavar="[TARGET]...", nargs=-1, type=click.Choice(NAMES))
@click.option("--seconds", type=click.IntRange(1), help=f"For each target; {SECONDS} by default.")
@click.option(
    "--runs",
    type=click.IntRange(1),
    help="Instead of a time: how many inputs per target, and requests per route.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    help="Begin with the kept corpora alone. With --runs, each run is the same.",
)
@click.option(
    "--keep",
    is_flag=True,
    help="Add inputs of earlier runs that reach more code to the kept corpora.",
)
@click.option(
    "--input",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Check this input of one target, and nothing else.",
)
def main(
    names: tuple[str, ...],
    seconds: int | None,
    runs: int | None,
    seed: int | None,
    keep: bool,
    file: Path | None,
) -> None:
    """Search for inputs that break the service: by default, with all targets one after the other.

    The targets codec, bearer, policy, secret, body and diagnosis are functions that read what
    others send; the search is guided by the coverage of their code. The target api sends requests
    to the local stack.
    """
    guided = [name for name in names or NAMES if name != API]
    if file is not None:
        if len(names) != 1 or not guided:
            raise click.UsageError("--input needs one target, such as codec, and not api.")
        _check_one(guided[0], file)
        return
    if keep:
        _keep(guided)
        return
    if seconds and runs:
        raise click.UsageError("--seconds cannot be combined with --runs.")
    if guided and not search.HAS_ATHERIS:
        click.echo(NO_ATHERIS, err=True)
    report: dict[str, Any] = {"seed": seed}
    is_clean = True
    limit = {"runs": runs} if runs else {"seconds": seconds or SECONDS}
    for name in guided:
        click.echo(f"{name}: {targets.load(name).INVARIANT}", err=True)
        found = (
            search.search(name, seed=seed, **limit) if search.HAS_ATHERIS else search.replay(name)
        )
        _show(name, found)
        is_clean &= found.finding is None and not found.reason
        report[name] = {k: v for k, v in asdict(found).items() if k != "finding"}
    if API in (names or NAMES):
        click.echo(f"{API}: {api.INVARIANT}", err=True)
        api_seed = random.SystemRandom().getrandbits(32) if seed is None else seed
        of_api = api.fuzz(seed=api_seed, **limit)
        _show_api(of_api, api_seed)
        is_clean &= not of_api.findings
        report[API] = {"cases": of_api.cases, "routes": of_api.routes, "seed": api_seed}
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    sys.exit(0 if is_clean else 1)


def _show(name: str, found: SearchReport) -> None:
    reached = (
        "" if found.edges is None else f", {found.edges:,} branches, {found.features:,} features"
    )
    click.echo(
        f"{name:<10}{found.executions:>10,} inputs in {found.seconds:.0f} s{reached},"
        f" corpus of {found.corpus:,}: {'a finding' if found.reason else 'no finding'}"
    )
    if not found.reason:
        return
    click.echo(f"\n{found.reason.strip()}\n")
    if found.finding is not None:
        shown = os.path.relpath(found.finding)
        click.echo(f"The input: {found.finding.read_bytes()!r}")
        click.echo(f'To repeat it: make fuzz ARGS="{name} --input {shown}"\n')


def _show_api(found: api.ApiReport, seed: int) -> None:
    outcome = f"{len(found.findings)} findings" if found.findings else "no finding"
    click.echo(f"{API:<10}{found.cases:>10,} requests in {found.seconds:.0f} s: {outcome}")
    for route, statuses in found.routes.items():
        counts = ", ".join(f"{status}: {number:,}" for status, number in statuses.items())
        click.echo(f"  {route:<36}{sum(statuses.values()):>7,}  {counts}")
    click.echo(f"  {'other methods':<36}{found.others:>7,}  404")
    if not found.findings:
        return
    file = search.FINDINGS / f"{API}-{seed}.txt"
    search.FINDINGS.mkdir(parents=True, exist_ok=True)
    file.write_text(found.output, encoding="utf-8")
    for finding in found.findings:
        click.echo(f"  {finding}")
    click.echo(f'The output is in {file}. To repeat it: make fuzz ARGS="{API} --seed {seed}"')


def _check_one(name: str, file: Path) -> None:
    target = targets.load(name)
    click.echo(f"{file.read_bytes()!r}\n{target.INVARIANT}")
    try:
        target.check(file.read_bytes())
    except Exception:  # noqa: BLE001  each is a finding
        click.echo(traceback.format_exc())
        sys.exit(1)
    click.echo("This input does not break it.")


def _keep(names: list[str]) -> None:
    if not search.HAS_ATHERIS:
        raise click.UsageError("--keep needs atheris, which is not installed. Use make fuzz.")
    if not names:
        raise click.UsageError("--keep needs a target with a corpus, such as codec; api has none.")
    for name in names:
        try:
            click.echo(f"{name:<10}{search.merge(name):>6} new inputs are kept")
        except search.MergeError as error:
            raise click.ClickException(f"{name}: {error}") from None


if __name__ == "__main__":
    main()
