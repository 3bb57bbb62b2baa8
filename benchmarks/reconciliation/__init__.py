"""What reconciliation costs, over a warehouse that holds what its models read and nothing else."""
