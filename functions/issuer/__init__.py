"""The issuer: authenticates the caller, checks the access policy, mints a Token04."""
