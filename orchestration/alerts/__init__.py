"""What SQL cannot do for alerts: the ledger of what was announced, and the words of it."""
