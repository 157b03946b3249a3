"""Secrets Manager's rotation function: it proves a new ServerSecret before it is promoted."""
