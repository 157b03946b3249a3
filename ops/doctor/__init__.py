"""`zego-token doctor`: checks everything from the configuration to a token, and shows the fixes.

The checks examine a :class:`ops.doctor.deployment.Deployment`.
"""
