"""The commands of `zego-token policy`, which work on access policies."""
