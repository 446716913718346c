"""A source becomes a model that stays open for as long as somebody holds it."""

import threading
from pathlib import Path

import pytest

from lit_infer.errors import NotFoundError, UsageError
from lit_infer.server.models.opening import Opening, Served, open_model
from lit_infer.server.models.sources import ModelSource
from lit_infer.server.models.stats import Stats

CPU = Opening(device="cpu", threads=1)


def opened(proven: Path, stats: Stats | None = None) -> Served:
    return open_model(ModelSource(str(proven), number=3), CPU, stats=stats or Stats(), on_death=lambda _: None)


def test_a_model_has_the_name_of_its_manifest_and_the_number_of_its_source(proven: Path) -> None:
    served = opened(proven)

    assert (served.name, served.version, served.digest, served.manifest.name) == ("colours", "3", "", "colours")
    served.close()


def test_it_is_closed_only_when_nobody_holds_it(proven: Path) -> None:
    served = opened(proven)
    assert served.hold()
    closing = threading.Thread(target=served.close)
    closing.start()
    while served.hold():  # until the other thread has begun to close
        served.release()

    assert closing.is_alive()
    served.release()
    closing.join(20)

    assert not closing.is_alive()
    assert not served.hold()


def test_a_version_that_is_opened_again_continues_its_statistics(proven: Path) -> None:
    served, before = opened(proven), Stats()

    served.count_in(before)

    assert served.stats is served.runner.stats is before
    served.close()


def test_what_cannot_be_served_is_refused(proven: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        open_model(ModelSource(str(tmp_path / "none")), CPU, stats=Stats(), on_death=lambda _: None)
    with pytest.raises(UsageError, match="cannot be served as 'a/b'"):
        open_model(ModelSource(str(proven), "a/b"), CPU, stats=Stats(), on_death=lambda _: None)


@pytest.mark.parametrize(("asked", "most"), [(None, 8), (3, 3)])
def test_a_batch_has_the_size_that_was_asked_for_or_the_tuned_one(proven: Path, asked: int | None, most: int) -> None:
    opening = Opening(device="cpu", threads=1, max_batch=asked, max_delay=0.5, max_items=7, max_bytes=9)
    instances = opening.instances(proven)

    policy = opening.policy(instances.opened)

    assert (policy.max_batch, policy.max_delay, policy.max_items, policy.max_bytes) == (most, 0.5, 7, 9)
    instances.close()
