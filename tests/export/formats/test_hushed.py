"""lit_export.formats.hushed: exporters say nothing, and afterwards everybody speaks again."""

import logging
import os
import sys
import threading
import warnings

import pytest

from lit_export.formats.hushed import hushed, others_to_stderr


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


def test_nothing_is_printed_inside_by_python_or_beside_it_and_everything_afterwards(
    capfd: pytest.CaptureFixture[str],
) -> None:
    sys.stdout.write("before\n")
    with hushed(), hushed():
        sys.stdout.write("an exporter")
        os.write(1, b"its C++")
        os.write(2, b"a warning of its C++")
    sys.stdout.write("afterwards\n")
    os.write(2, b"an error")

    assert capfd.readouterr() == ("before\nafterwards\n", "an error")


def test_blocks_of_several_threads_may_overlap(capfd: pytest.CaptureFixture[str]) -> None:
    inside, leave = threading.Barrier(2), threading.Event()

    def other() -> None:
        with hushed():
            inside.wait()
            leave.wait()

    thread = threading.Thread(target=other)
    thread.start()
    with hushed():
        inside.wait()
    os.write(1, b"still hushed")
    leave.set()
    thread.join()
    os.write(1, b"afterwards")

    assert capfd.readouterr().out == "afterwards"


def test_what_others_print_is_not_among_the_results(capfd: pytest.CaptureFixture[str]) -> None:
    with others_to_stderr():
        os.write(1, b"the module\n")
    os.write(1, b"a result\n")

    assert capfd.readouterr() == ("a result\n", "the module\n")
