import inspect

import pytest

from lit_infer import cli, limit_options
from lit_infer.bench import cli as bench
from lit_infer.images.limits import Limits
from lit_infer.limit_options import limits
from lit_infer.server import cli as server
from lit_infer.server.models import instance_messages
from lit_infer.server.models.instances import LoadOptions

NAMES = {"max_bytes", "max_pixels", "max_side", "max_scans"}


def test_limits_that_are_not_given_are_the_usual_ones() -> None:
    assert limits() == Limits()
    assert limits(max_pixels=7) == Limits(max_pixels=7)
    assert limits(max_bytes=1, max_pixels=2, max_side=3, max_scans=4) == Limits(1, 2, 3, 4)


@pytest.mark.parametrize("command", [cli.infer, bench.bench, server.serve], ids=["infer", "bench", "serve"])
def test_every_command_that_reads_images_has_the_same_options(command: object) -> None:
    parameters = inspect.signature(command).parameters  # type: ignore[arg-type]

    found = {name: parameters[name].annotation for name in NAMES}

    assert found == {
        "max_bytes": limit_options.MaxBytes,
        "max_pixels": limit_options.MaxPixels,
        "max_side": limit_options.MaxSide,
        "max_scans": limit_options.MaxScans,
    }


def test_their_help_tells_the_limits_that_hold_without_them() -> None:
    told = {name: getattr(limit_options, f"Max{name[4:].capitalize()}").__metadata__[0].help for name in NAMES}

    usual = Limits()
    assert f"{usual.max_bytes // 2**20} MiB if not given" in told["max_bytes"]
    assert f"{usual.max_pixels // 10**6} million if not given" in told["max_pixels"]
    assert f"{usual.max_side:,} if not given" in told["max_side"]
    assert f"{usual.max_scans} if not given" in told["max_scans"]


def test_a_servers_limits_reach_the_processes_that_decode() -> None:
    start = instance_messages.Start("bundle", LoadOptions(limits=limits(max_side=7, max_scans=3)))

    assert instance_messages.decode(instance_messages.encode(start), instance_messages.Start) == start
