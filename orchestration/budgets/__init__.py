"""What SQL cannot do for budgets: the ledger of what was announced, and when."""
