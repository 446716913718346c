"""lit_export.formats.hushed: exporters say nothing, and afterwards everybody speaks again."""

import logging
import warnings

import pytest

from lit_export.formats.hushed import hushed


def test_warnings_and_log_lines_are_not_heard_inside(caplog: pytest.LogCaptureFixture) -> None:
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        with hushed():
            warnings.warn("of an exporter", stacklevel=1)
            logging.getLogger("exporter").critical("of an exporter")
        warnings.warn("afterwards", stacklevel=1)
        logging.getLogger("exporter").warning("afterwards")

    assert [str(warning.message) for warning in heard] == ["afterwards"]
    assert caplog.messages == ["afterwards"]


@pytest.mark.parametrize("level", [logging.NOTSET, logging.WARNING])
def test_an_error_passes_and_leaves_the_log_as_it_was(level: int) -> None:
    logging.disable(level)
    try:
        with pytest.raises(ZeroDivisionError), hushed():
            raise ZeroDivisionError
        assert logging.root.manager.disable == level
    finally:
        logging.disable(logging.NOTSET)
