"""The page's fixed parts, and the policy that allows them and nothing else. The report: test_html_report."""

import base64
import hashlib
import re

import pytest

from lit_infer.folder import html_page
from lit_infer.folder.html_page import SCRIPT, STYLE, policy


def digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_the_policy_allows_this_style_and_this_script_and_nothing_from_elsewhere() -> None:
    rules = dict(rule.strip().split(" ", 1) for rule in policy().split(";"))

    assert rules == {
        "default-src": "'none'",
        "img-src": "data:",
        "style-src": digest(STYLE),
        "script-src": digest(SCRIPT),
    }


def test_a_changed_script_is_allowed_by_a_digest_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    before = policy()
    monkeypatch.setattr(html_page, "SCRIPT", SCRIPT + "evil()")

    assert policy() != before
    assert digest(SCRIPT + "evil()") in policy()


def test_nothing_is_fetched_and_no_text_becomes_markup() -> None:
    assert not re.search(r"https?:|url\(|@import", STYLE + SCRIPT)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|Function\(", SCRIPT)
    assert "</" not in STYLE + SCRIPT
