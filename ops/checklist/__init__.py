"""A list of checks with remedies: the output of `zego-token doctor` and `zego-token preflight`.

A check is a function in the module of its group, with :func:`ops.checklist.check.check` above it.
"""
