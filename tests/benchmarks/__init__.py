"""The speed of the service beside baselines, in one run: ``make bench``."""
