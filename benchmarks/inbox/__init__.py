"""What the pages of the inbox cost where the history is large: `make bench-inbox`."""
