"""`zego-token doctor`: checks everything from the configuration to a token, and shows the fixes.

A check is a function in the module of its group, with :func:`ops.doctor.check.check` above it.
Checks examine a :class:`ops.doctor.deployment.Deployment`.
"""
