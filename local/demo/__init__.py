"""Demonstrations on a separate stack: `python -m local.demo SCENE`.

`make call`, `make demo-rotation` and `make drill` play them. Each scene starts its own stack, takes
a few seconds and prints what happens line by line. The exit code is 0 only if everything happened
as expected. A scene prints fingerprints instead of secrets, and no tokens.
"""
