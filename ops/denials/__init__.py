"""Deny users, identities and rooms, lift denials, and remove users from rooms."""
