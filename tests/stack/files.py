"""Write configuration files so that a watching program never sees half of one, nor an unchanged one anew."""

from __future__ import annotations

from pathlib import Path


def write_if_changed(path: Path, content: str) -> None:
    """Have ``path`` hold ``content``; left alone if it does: kube-proxy ends when its file is touched."""
    if path.exists() and path.read_text() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(f"{path.suffix}.new")
    unfinished.write_text(content)
    unfinished.rename(path)
