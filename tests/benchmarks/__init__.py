"""Measures the speed of the service against baselines, in one run: ``make bench``."""
