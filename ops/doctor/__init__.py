"""`zego-token doctor`: checks everything from the configuration to a token, and says what to do.

A check is a function in the module of its group, with :func:`ops.doctor.check.check` above it.
:class:`ops.doctor.deployment.Deployment` is what they examine.
"""
