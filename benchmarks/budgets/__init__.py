"""How early a spend alert comes, and how often in error, over simulated budget periods: `make bench-budgets`."""
