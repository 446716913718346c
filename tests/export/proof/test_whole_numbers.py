"""lit_export.proof.whole_numbers: an index that the module refuses is refused by the runtime, which a graph answers."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import lit_infer
from lit_export.options import Options
from lit_export.pipeline import export
from lit_infer import manifest
from lit_infer.errors import UsageError


class Words(nn.Module):
    """Twelve words, and a number that may be anything."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(12, 4)
        self.other = nn.Embedding(5, 4)

    def forward(self, word: Tensor, shift: Tensor) -> Tensor:
        return self.table(word).mean(1) + self.other.weight.sum() + shift[:, None].float()


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("words") / "bundle"
    options = Options(inputs=("word=7:int64:0..11", "shift=:int64:-9..9"))
    export(Words().eval(), out=folder, options=options)
    return folder


def test_the_range_that_the_module_takes_is_in_the_manifest(words: Path) -> None:
    described = manifest.read(words)

    assert {tensor.name: tensor.range for tensor in described.inputs} == {"word": (0, 11), "shift": None}


@pytest.mark.parametrize("word", [-1, 12])
def test_what_the_module_refuses_is_refused(words: Path, word: int) -> None:
    wrong = np.full((2, 7), 3)
    wrong[1, 6] = word
    with lit_infer.load(words) as model:
        good = model.run({"word": np.full((2, 7), 11), "shift": np.array([-4, 5])})
        assert np.isfinite(next(iter(good.values()))).all()
        with pytest.raises(UsageError, match=f"word holds {word}, and the model takes 0 to 11"):
            model.run({"word": wrong, "shift": np.array([-4, 5])})


def test_only_the_row_that_is_wrong_has_an_error(words: Path) -> None:
    rows = [{"word": np.full(7, word), "shift": np.array(2)} for word in (3, -1, 4)]

    with lit_infer.load(words) as model:
        found = model.predict(rows)

    assert [one.code for one in found] == [None, "refused", None]
    assert found[1].error == "the graph refuses it: word holds -1, and the model takes 0 to 11"


class Columns(nn.Module):
    """Two categories, each with a table of its own, and a third number that may be anything."""

    def __init__(self, tables: int) -> None:
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(length, 4) for length in (3, 5, 4)[:tables])

    def forward(self, x: Tensor) -> Tensor:
        made = sum(table(x[:, place]) for place, table in enumerate(self.tables))
        return made + x[:, len(self.tables) :].sum(1, keepdim=True)


@pytest.mark.parametrize(("tables", "found"), [(3, (0, 4)), (2, None)])
def test_a_range_holds_for_all_columns(tmp_path: Path, tables: int, found: tuple[int, int] | None) -> None:
    torch.manual_seed(0)
    rows = np.array([[0, 4, 3], [2, 1, 0]])
    np.savez(tmp_path / "rows.npz", x=rows)
    module = Columns(tables).eval()

    export(module, out=tmp_path / "bundle", options=Options(input_file=tmp_path / "rows.npz"))

    assert manifest.read(tmp_path / "bundle").inputs[0].range == found
    with lit_infer.load(tmp_path / "bundle") as model, torch.no_grad():
        answer = next(iter(model.run({"x": rows}).values()))
        assert np.allclose(answer, module(torch.from_numpy(rows)), atol=1e-6)


class Sums(nn.Module):
    """The sum of the first words of each sequence: as many as `length` says, which is no index of the table."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(9, 4)

    def forward(self, word: Tensor, length: Tensor) -> Tensor:
        sums = nn.functional.pad(self.table(word).cumsum(1), (0, 0, 1, 0))
        return sums.gather(1, length[:, None, None].expand(-1, 1, sums.shape[2])).squeeze(1)


def test_a_number_that_is_no_index_of_a_table_has_no_end(tmp_path: Path) -> None:
    torch.manual_seed(0)
    options = Options(inputs=("word=4:int64:0..8", "length=:int64:0..4"), dynamic=("time=word.1",))
    export(Sums().eval(), out=tmp_path / "bundle", options=options)

    ranges = {tensor.name: tensor.range for tensor in manifest.read(tmp_path / "bundle").inputs}

    assert ranges == {"word": (0, 8), "length": (0, None)}
