"""What the service knows of ZEGO: tokens, identifiers, the ServerSecret and where it is kept.

No Lambda event and no HTTP server in here; see DESIGN in docs/architecture.md for who imports whom.
"""
