"""What the service knows of ZEGO: tokens, identifiers, the ServerSecret and where it is kept.

No Lambda event and no HTTP server in here; docs/architecture.md says who imports whom.
"""

from __future__ import annotations

from typing import Final

#: Where the service is deployed: each has its own resources and access policy.
DEPLOYED_STAGES: Final = ("dev", "staging", "prod")
#: With the one that runs on a developer's machine.
STAGES: Final = (*DEPLOYED_STAGES, "local")
