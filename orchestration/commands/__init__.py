"""What `make` prints: one module per command, each with a `main` that ends with 2 and a sentence where it cannot be done."""
