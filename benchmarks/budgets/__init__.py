"""How early and how truly a spend alert speaks, over simulated budget periods: `make bench-budgets`."""
