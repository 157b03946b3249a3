"""Rotations as a whole: every fault at every call, any order of events, every kind of candidate."""
