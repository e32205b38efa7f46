"""The command line ``cd-provider``: what a judge would say, asked before, beside and after a canary."""
