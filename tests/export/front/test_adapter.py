"""lit_export.front.adapter: what a user puts around the loaded module."""

import pytest
import torch

from lit_export.front.adapter import adapted
from lit_infer.errors import ArtifactError, UsageError
from tests.export import ways


def test_a_class_is_put_around_the_module_in_eval_mode() -> None:
    module = ways.Net().eval()
    rows = torch.randn(2, 4)

    found = adapted(module, "tests.export.ways:Softmaxed")

    assert torch.equal(found(rows), module(rows).softmax(-1))
    assert not found.training


def test_a_function_may_return_any_module() -> None:
    module = ways.Net().eval()
    rows = torch.randn(2, 4)

    assert torch.equal(adapted(module, "tests.export.ways.doubled")(rows), module(rows) * 2)


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("tests.export.ways:nothing", "returned a NoneType, not a torch.nn.Module"),
        ("tests.export.ways:not_callable", "is a int, not a module class or a function"),
        ("tests.export.ways:lost", "tests.export.ways has no lost"),
        ("Softmaxed", "--adapter Softmaxed: expected pkg.mod:name"),
    ],
)
def test_what_is_no_adapter_is_explained(path: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        adapted(ways.Net(), path)


def test_an_adapter_whose_code_fails_is_named_with_the_line() -> None:
    with pytest.raises(ArtifactError, match=r"--adapter tests.export.ways:alone failed: TypeError: alone\(\) takes 0"):
        adapted(ways.Net(), "tests.export.ways:alone")
