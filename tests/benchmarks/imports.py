"""The cost of imports at a cold start, including some that the issuer avoids."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

_ROUNDS = 9
_BASE = "import awslambdaric.bootstrap"
_CANDIDATES = {
    "boto3 and its Secrets Manager client": (
        "import boto3; boto3.client('secretsmanager', region_name='eu-west-1')"
    ),
    "botocore's signer alone": "import botocore.auth",
    "urllib3": "import urllib3",
    "zego.aws": "import zego.aws",
    "PyJWT": "import jwt",
    "Powertools' HTTP resolver": (
        "from aws_lambda_powertools.event_handler import APIGatewayHttpResolver"
    ),
    "Powertools' Logger and Metrics": "from aws_lambda_powertools import Logger, Metrics",
    "AES-GCM of cryptography": ("from cryptography.hazmat.primitives.ciphers.aead import AESGCM"),
}


def measure(python_path: Sequence[Path]) -> dict[str, tuple[float, float]]:
    """Return what each import adds to the runtime client's: in milliseconds and as a multiple."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, python_path))}
    scripts = {"": _BASE} | {name: f"{_BASE}; {code}" for name, code in _CANDIDATES.items()}
    times: dict[str, list[float]] = {name: [] for name in scripts}
    for _ in range(_ROUNDS):
        for name, script in scripts.items():
            started = time.perf_counter()
            subprocess.run([sys.executable, "-c", script], check=True, env=environment)
            times[name].append((time.perf_counter() - started) * 1000)
    best = {name: min(values) for name, values in times.items()}
    base = best.pop("")
    return {name: (value - base, (value - base) / base) for name, value in best.items()}
