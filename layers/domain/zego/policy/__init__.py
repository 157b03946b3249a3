"""The access policy: which callers the service accepts, and which tokens each of them may get.

It is data in a TOML file. The issuer, ``zego-token`` and ``make policies`` read and apply it with
this package, which does no I/O but reading that file.
"""
