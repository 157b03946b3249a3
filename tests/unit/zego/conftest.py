"""How much the property tests try, and that a slow machine fails none of them."""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("unit", deadline=None, max_examples=50, derandomize="CI" in os.environ)
settings.load_profile("unit")
