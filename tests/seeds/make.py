"""The objects that no checkpoint holds, given by a function: `--factory seeds.make:supervised`."""

from torch import nn

from seeds.supervised import SmallNet, Supervised


def supervised(lr):
    return Supervised(SmallNet(), nn.CrossEntropyLoss(), lr)
