"""Base64 in the forms that people send."""

import base64

import pytest

from lit_infer.errors import UsageError
from lit_infer.server.encoded import from_base64

DATA = bytes(range(256)) + b"\xfb\xff"
PLAIN = base64.b64encode(DATA).decode()
WRAPPED = "\r\n".join(PLAIN[i : i + 76] for i in range(0, len(PLAIN), 76))


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        WRAPPED,
        base64.urlsafe_b64encode(DATA).decode(),
        PLAIN.rstrip("="),
        f"data:image/png;base64,{PLAIN}",
        f"DATA:image/svg+xml;charset=utf-8;BASE64,{WRAPPED}",
    ],
)
def test_each_form_means_the_same_bytes(text: str) -> None:
    assert from_base64(text, "it") == DATA


@pytest.mark.parametrize("text", ["!!", "A", "data:image/png,AAAA", "data:image/png;base64", "é"])
def test_anything_else_is_said(text: str) -> None:
    with pytest.raises(UsageError, match=r"^it is "):
        from_base64(text, "it")
