"""Data modules: seeded splits, one evaluation transform, and the deployment facts read from that transform."""

from lit_trainer.data.base import ImageDataModule, SplitDataModule
from lit_trainer.data.cifar10 import CIFAR10DataModule
from lit_trainer.data.coco_boxes import CocoBoxesDataModule, CocoInstancesDataModule
from lit_trainer.data.digit_anomalies import DigitAnomaliesDataModule
from lit_trainer.data.digits import DigitsDataModule
from lit_trainer.data.docstrings import DocstringsDataModule
from lit_trainer.data.image_folder import ImageFolderDataModule
from lit_trainer.data.image_table import ImageTableDataModule
from lit_trainer.data.mask_folder import MaskFolderDataModule
from lit_trainer.data.mnist import MNISTDataModule
from lit_trainer.data.noisy_digits import NoisyDigitsDataModule
from lit_trainer.data.picture_folder import PictureFolderDataModule
from lit_trainer.data.point_folder import PointFolderDataModule
from lit_trainer.data.resumable import ResumableLoader
from lit_trainer.data.scene_points import DigitPointsDataModule
from lit_trainer.data.scenes import DigitBoxesDataModule, DigitInstancesDataModule, DigitMasksDataModule
from lit_trainer.data.sequence import SequenceDataModule
from lit_trainer.data.sklearn_table import SklearnTableDataModule

__all__ = [
    "CIFAR10DataModule",
    "CocoBoxesDataModule",
    "CocoInstancesDataModule",
    "DigitAnomaliesDataModule",
    "DigitBoxesDataModule",
    "DigitInstancesDataModule",
    "DigitMasksDataModule",
    "DigitPointsDataModule",
    "DigitsDataModule",
    "DocstringsDataModule",
    "ImageDataModule",
    "ImageFolderDataModule",
    "ImageTableDataModule",
    "MNISTDataModule",
    "MaskFolderDataModule",
    "NoisyDigitsDataModule",
    "PictureFolderDataModule",
    "PointFolderDataModule",
    "ResumableLoader",
    "SequenceDataModule",
    "SklearnTableDataModule",
    "SplitDataModule",
]
