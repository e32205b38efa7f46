"""One file per implementation of a door."""
