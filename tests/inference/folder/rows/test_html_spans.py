from typing import Any

from lit_infer.folder.rows.html_spans import STYLE, marked


def span(label: str, start: int, end: int) -> dict[str, Any]:
    return {"label": label, "start": start, "end": end, "score": 0.5, "text": ""}


def test_spans_are_marked_in_their_text_which_stays_text() -> None:
    page = marked("<b> Anna & Bern", [span("PER", 4, 8), span("<i>", 11, 15)], 3)

    assert page.startswith('&lt;b&gt; <mark class="tag')
    assert 'title="PER 50.0%">Anna <small>PER</small></mark> &amp; <mark' in page
    assert "Bern <small>&lt;i&gt;</small></mark>" in page
    assert page.endswith("3 characters were not seen by the model</small>")


def test_one_label_has_one_colour_of_those_there_are() -> None:
    one, two = (marked("ab", [span("PER", at, at + 1)], 0).partition('"')[2].partition('"')[0] for at in (0, 1))

    assert one == two
    assert f"mark.{one} {{" in STYLE


def test_of_overlapping_spans_no_character_is_told_twice() -> None:
    page = marked("abcd", [span("x", 0, 3), span("y", 2, 4), span("z", 1, 2)], 0)

    assert page.count("<mark") == 2
    assert [part[0] for part in page.split(">")[1::4]] == ["a", "d"]


def test_a_long_text_is_not_told_to_its_end() -> None:
    page = marked("x" * 9000, [span("late", 8000, 8001)], 0)

    assert "… (5,000 characters more)" in page
    assert len(page) < 5000
