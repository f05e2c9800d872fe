"""What benchmarks/mutations.py takes out of the product: sets of mutants, each a table."""
