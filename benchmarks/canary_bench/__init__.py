"""
How often is a canary judge wrong, and how long does it take? Any judge, on simulated services; ``README.md`` says more.

``python -m benchmarks.canary_bench --seed N --runs N --judge kayenta5,flagger --json out.json``
"""
