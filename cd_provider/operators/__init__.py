"""Tasks that change something, or decide."""
