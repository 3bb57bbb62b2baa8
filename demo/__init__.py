"""The simulator behind `make demo`: a seeded world of LLM traffic with labelled incidents.

It shares no code with the product, so a mistake in one cannot hide the same mistake in the other.
"""

from pathlib import Path

TEAM = Path(__file__).with_name("team")  # what the simulated company edits
