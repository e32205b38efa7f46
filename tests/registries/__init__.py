"""Registries for tests: Debian's own with each kind of login, and one of ours that can misbehave."""
