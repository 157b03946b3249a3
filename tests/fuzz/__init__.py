"""Fuzzing of the service: `make fuzz`. CONTRIBUTING.md explains its use.

:mod:`tests.fuzz.targets` has the functions that read what others send, each with an invariant.
:mod:`tests.fuzz.guided` searches for inputs that break one, guided by coverage (atheris).
:mod:`tests.fuzz.api` sends generated requests to the whole local stack (schemathesis).
"""
