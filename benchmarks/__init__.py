"""Speed and cost of the product, measured: ``python -m benchmarks [name …] [--runs N]``."""
