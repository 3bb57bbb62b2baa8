"""The price book in the ledger, and what a pending change of prices would move. What a price is, `pricing` knows."""
