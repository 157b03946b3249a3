"""What the service knows of ZEGO: tokens, identifiers, the ServerSecret and where it is kept.

No Lambda event and no HTTP server in here; docs/architecture.md says who imports whom.
"""
