"""Dagster code location: what exists, when it runs, and what is proved on the way."""
