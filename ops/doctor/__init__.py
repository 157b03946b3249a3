"""`zego-token doctor`: from configuration to a token, what is well and what to do where it is not.

:mod:`ops.doctor.checks` is the list; a check is a row of it and a function in the module of its
theme. :class:`ops.doctor.deployment.Deployment` is what they look at.
"""
