"""Connection in, client out; a hook decides nothing."""
