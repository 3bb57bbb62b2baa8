"""Throughput, memory and the cost of one more day, measured against a script written by hand: `python -m benchmarks`."""
