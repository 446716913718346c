"""Tuning, on the tiny model: what is right to choose is known only for made-up figures."""

from dataclasses import replace
from pathlib import Path

import pytest

from lit_infer.bench.subjects import Subject
from lit_infer.bench.tuning import trials
from lit_infer.bench.tuning import tune as tuning
from lit_infer.bench.tuning.aims import Aim, Tried, parse_aim
from lit_infer.bench.tuning.candidates import open_candidates
from lit_infer.bench.tuning.tune import steps, tune
from lit_infer.errors import GateError
from lit_infer.hardware import usable_cpus
from lit_infer.predictor import Predictor

DEFAULT = Tried("onnx", usable_cpus(), 8, images_per_s=1000)


@pytest.mark.parametrize("aim", ["latency", "throughput", "p90<1000ms"])
def test_each_aim_chooses_one_of_what_was_tried_and_compares_it_with_the_default(aim: str, bundle_folder: Path) -> None:
    candidates = open_candidates(str(bundle_folder))
    subjects = candidates.subjects
    told: list[None] = []

    found = tune(subjects, parse_aim(aim), batch_sizes=[1, 2], seconds=0.02, advance=lambda: told.append(None))

    settings = candidates.settings(found.chosen)
    assert settings.engine == "onnx"
    assert settings.batch_size in (1, 2, 8)
    assert settings.threads in {subject.predictor.threads for subject in subjects}
    assert (found.default.threads, found.default.batch_size) == (usable_cpus(), 8)
    assert found.gain >= 1
    assert len(told) == steps(subjects, parse_aim(aim), batch_sizes=[1, 2])


def test_with_images_decoding_counts(bundle_folder: Path, colours: Path) -> None:
    subjects = open_candidates(str(bundle_folder), images=sorted(colours.rglob("*.png"))).subjects

    assert tune(subjects[-1:], parse_aim("throughput"), batch_sizes=[8], seconds=0.02).chosen.batch_size == 8


def test_a_bound_that_no_setting_keeps_is_an_error_with_the_quickest(bundle_folder: Path) -> None:
    subjects = open_candidates(str(bundle_folder)).subjects

    with pytest.raises(GateError, match=r"no setting has p90 below 0\.001 ms here; the quickest is onnx, "):
        tune(subjects, parse_aim("p90<0.001ms"), batch_sizes=[1], seconds=0.02)


@pytest.mark.parametrize(("rate", "is_chosen"), [(1020, False), (1040, True)])
def test_only_what_is_clearly_better_replaces_the_default(rate: float, is_chosen: bool, predictor: Predictor) -> None:
    other = replace(DEFAULT, batch_size=4, images_per_s=rate)

    found = tuning._tuned(Aim("throughput"), [DEFAULT, other], Subject("onnx", predictor), lambda one: one.images_per_s)

    assert found.chosen is (other if is_chosen else DEFAULT)
    assert found.tried == (other, DEFAULT)


def test_under_a_bound_a_slower_setting_replaces_a_default_that_breaks_it(
    bundle_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def loaded(settings: list[tuple[Subject, int]], *_: object) -> list[Tried]:
        return [Tried(one.name, one.predictor.threads, size, 100.0 * size, 4.0 * size) for one, size in settings]

    monkeypatch.setattr(trials, "loaded", loaded)
    subjects = open_candidates(str(bundle_folder)).subjects[-1:]

    found = tune(subjects, parse_aim("p99<20ms"), seconds=0.02)

    assert (found.chosen.batch_size, found.gain) == (4, 0.5)
    assert found.why_not == ", with p99 32 ms"
