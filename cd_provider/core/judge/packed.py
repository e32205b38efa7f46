"""Long text made short enough to be kept beside a task: gzip, as base64."""

from __future__ import annotations

import base64
import binascii
import zlib

from cd_provider.exceptions import ArgumentError

GZIP = 31  # zlib's word for "with a gzip header", which holds no time here: the same text packs to the same
MOST_BYTES = 64 * 2**20  # of text that is unpacked; a small pack can hold any amount


def pack(text: str) -> str:
    """Give base64 of the gzipped text: one line of ASCII that ``base64 -d | gunzip`` reads."""
    return base64.b64encode(zlib.compress(text.encode(), 9, GZIP)).decode()


def unpack(packed: str) -> str:
    """
    Give the text back.

    :raises ArgumentError: it is neither base64 nor gzip, is cut off, or holds more than 64 MiB.
    """
    opener = zlib.decompressobj(GZIP)
    try:
        text = opener.decompress(base64.b64decode(packed, validate=True), MOST_BYTES)
        if opener.eof:
            return text.decode()
    except (binascii.Error, zlib.error, UnicodeError) as err:
        raise ArgumentError(f"packed text: saw {packed[:40]!r}… ({err}), expected gzip as base64.") from err
    what = "more than 64 MiB" if len(text) >= MOST_BYTES else "an end before its end"
    raise ArgumentError(f"packed text: saw {what} in {len(packed):,} characters, expected all of it.")
