from lit_infer.folder.rows.peeking import Peeking


def test_an_item_that_was_looked_at_is_still_there() -> None:
    items = Peeking(iter("ab"))

    assert [items.peek(), items.peek(), next(items), items.peek(), *items] == ["a", "a", "a", "b", "b"]
    assert items.peek() is None
    assert list(items) == []
