"""`zego-token preflight`: checks an environment and its AWS account before a deployment.

The checks examine a :class:`ops.preflight.plan.Plan`. They need a checkout of the project.
"""
