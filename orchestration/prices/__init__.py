"""The price book in the ledger, and how a pending change of prices would change costs. Prices themselves are compiled in `pricing`."""
