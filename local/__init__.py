"""The whole system on one machine: `python -m local` (or `make run`).

Each part is a class of its own with `start`, `stop` and a `url`, usable alone as a context manager;
`local.stack.LocalStack` composes them. Everything listens on 127.0.0.1 only. The functions are
never imported here: they run as real processes under AWS' own runtime client
(`local.aws.lambda_host`).
"""

from __future__ import annotations

import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
DOMAIN_LAYER = PROJECT / "layers" / "domain"

# A checkout is not an installation: the package `zego` is found where the layer keeps it.
sys.path.append(str(DOMAIN_LAYER))
