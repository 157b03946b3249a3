"""Is the current ServerSecret still accepted? If not: say so, and heal."""
