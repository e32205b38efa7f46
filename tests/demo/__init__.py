"""``make demo``: from a bare machine to a release that went out and one that was taken back."""
