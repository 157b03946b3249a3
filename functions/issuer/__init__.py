"""The issuer: authenticate the caller, decide by policy, mint a Token04, answer."""
