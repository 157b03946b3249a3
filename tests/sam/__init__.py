"""Tests with the SAM CLI and what it contains."""
