import re
from pathlib import Path

import pytest

from lit_infer.folder.rows import report
from tests.support.answered import CASES, ERRORS, made


@pytest.mark.parametrize("name", CASES)
def test_a_page_has_a_table_with_the_answers_and_what_failed(name: str, tmp_path: Path) -> None:
    block, table, ask, _ = made(name, errors=ERRORS[1])

    report.write(lambda: iter([block, block]), tmp_path / "r.html", table=table, ask=ask, summary=["a < b: 3"])

    page = (tmp_path / "r.html").read_text()
    assert "<p>14 rows, <a" in page
    assert "a &lt; b: 3" in page
    assert len(re.findall("<tr>", page)) == 2 + 14
    assert "a,&quot;b&quot;" in page
    assert page.count("no, it is not") == 2
    assert "<script" not in page


def test_a_page_does_not_grow_with_the_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    block, table, ask, _ = made("classes", errors=ERRORS[1])
    monkeypatch.setattr(report, "_ROWS", 7)
    monkeypatch.setattr(report, "_ERRORS", 3)

    report.write(lambda: iter([block] * 9), tmp_path / "r.html", table=table, ask=ask, summary=[])

    page = (tmp_path / "r.html").read_text()
    assert "the first 7 of 45 rows" in page
    assert "Only the first 3 are listed" in page
