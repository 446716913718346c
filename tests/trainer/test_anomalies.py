"""Anomalies: digits of another kind, and what is learnt of the normal ones."""

from pathlib import Path

import pytest
import torch

from lit_infer.errors import UsageError
from lit_trainer.data import DigitAnomaliesDataModule
from lit_trainer.data.digit_anomalies import write_digit_anomalies
from lit_trainer.modules import AnomalyDetector


def test_nothing_but_normal_digits_is_trained_on_and_all_are_validated_on() -> None:
    data = DigitAnomaliesDataModule(batch_size=16, normal=3)
    data.setup("fit")

    images, known = next(iter(data.train_dataloader()))

    assert images.shape == (16, 1, 16, 16)
    assert int(known.sum()) == 0
    truths = [data.val_set[index][1] for index in range(len(data.val_set))]  # type: ignore[arg-type]
    assert 0 < truths.count(0) < truths.count(1)
    assert all(0 < int(known.sum()) < len(known) for _, known in data.val_dataloader())  # type: ignore[union-attr]
    assert data.deployment_facts.task == "anomaly-detection"
    with pytest.raises(UsageError, match="normal 10 is none of the digits"):
        DigitAnomaliesDataModule(normal=10)


def test_held_out_digits_are_written_as_mvtec_lays_its_data_out(tmp_path: Path) -> None:
    written = write_digit_anomalies(tmp_path, normal=8)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "1", "2", "3", "4", "5", "6", "7", "9", "good"]
    assert len(written) == 360


def test_the_score_is_the_most_of_the_map_and_the_threshold_parts_what_validates() -> None:
    module = AnomalyDetector().eval()
    with torch.no_grad():
        module.decoder[-1].weight.zero_()
        module.decoder[-1].bias.zero_()  # it draws nothing, so that an image is its own error
    images = torch.zeros(4, 1, 16, 16)
    images[2:, :, 4:10, 4:10] = torch.tensor([2.0, 3.0]).view(2, 1, 1, 1)
    module.curve.update(*(torch.tensor([0.0, 0.0, 0.8, 0.9]), torch.tensor([0, 0, 1, 1])))

    scores, maps = module(images)
    module.on_validation_epoch_end()

    assert scores.tolist() == pytest.approx([0, 0, 4, 9])
    assert torch.equal(maps.amax((1, 2, 3)), scores)
    assert float(module.threshold) == pytest.approx(0.4 / 0.6)  # half-way between 0 and 0.8, as a score
