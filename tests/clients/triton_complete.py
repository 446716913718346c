"""After the other files: was every call that the clients have tried? Runs in tritonclient's environment."""

import pytest

from tests.clients import triton_ways

OF_THE_CLIENT_ALONE = {"plugin", "register_plugin", "unregister_plugin"}


@pytest.mark.parametrize("name", triton_ways.NAMES)
def test_every_call_of_the_client_was_tried(name: str) -> None:
    way = triton_ways.way(name)

    calls = {call for call in dir(way.client) if not call.startswith("_")} - OF_THE_CLIENT_ALONE

    way.close()
    assert calls == way.called
