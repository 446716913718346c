"""LightningModules for the usual starting points."""

from lit_trainer.modules.anomaly_detector import AnomalyDetector
from lit_trainer.modules.auto_encoder import AutoEncoder
from lit_trainer.modules.cifar_cnn import CifarCNN
from lit_trainer.modules.classification import ClassifierModule
from lit_trainer.modules.denoiser import Denoiser
from lit_trainer.modules.detector import Detector
from lit_trainer.modules.digits_cnn import DigitsCNN
from lit_trainer.modules.embedding_classifier import EmbeddingClassifier
from lit_trainer.modules.gan import GAN
from lit_trainer.modules.image_classifier import ImageClassifier
from lit_trainer.modules.image_multilabel_classifier import ImageMultilabelClassifier
from lit_trainer.modules.image_regressor import ImageRegressor
from lit_trainer.modules.instance_segmenter import InstanceSegmenter
from lit_trainer.modules.keypoint_regressor import KeypointRegressor
from lit_trainer.modules.mnist_mlp import MnistMLP
from lit_trainer.modules.semantic_segmenter import SemanticSegmenter
from lit_trainer.modules.sequence_tagger import SequenceTagger
from lit_trainer.modules.tabular import TabularClassifier, TabularRegressor

__all__ = [
    "GAN",
    "AnomalyDetector",
    "AutoEncoder",
    "CifarCNN",
    "ClassifierModule",
    "Denoiser",
    "Detector",
    "DigitsCNN",
    "EmbeddingClassifier",
    "ImageClassifier",
    "ImageMultilabelClassifier",
    "ImageRegressor",
    "InstanceSegmenter",
    "KeypointRegressor",
    "MnistMLP",
    "SemanticSegmenter",
    "SequenceTagger",
    "TabularClassifier",
    "TabularRegressor",
]
