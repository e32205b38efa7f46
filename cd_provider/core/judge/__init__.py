"""Candidate against stable, from raw counters: plain arithmetic, the same verdict for the same samples, always."""
