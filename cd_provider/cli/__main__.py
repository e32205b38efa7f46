"""``python -m cd_provider.cli``: the same as ``cd-provider``."""

from __future__ import annotations

from cd_provider.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
