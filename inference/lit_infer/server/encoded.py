"""Base64 as people send it: plain or URL-safe, in lines, without padding, or as a data URL."""

import base64
import binascii

from lit_infer.errors import UsageError

_TO_PLAIN = str.maketrans("-_", "+/", " \t\r\n=")


def from_base64(text: str, what: str) -> bytes:
    """The bytes. Raises UsageError, which names `what`."""
    if text[:5].lower() == "data:":
        head, comma, text = text.partition(",")
        if not comma or not head.lower().endswith(";base64"):
            raise UsageError(f"{what} is a data URL without base64: write data:image/png;base64,…")
    plain = text.translate(_TO_PLAIN)
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise UsageError(f"{what} is not base64; or send it as binary data") from None
