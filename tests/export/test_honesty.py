"""An export says "proven" of what was compared and no more, from the module to the bundle."""

from pathlib import Path

import pytest
import torch
from rich.console import Console
from torch import Tensor, nn

from lit_export import Options, export, report
from lit_export.bundle_folder import Bundle
from lit_infer import manifest, progress
from lit_infer.errors import ArtifactError, GateError, UsageError
from lit_infer.self_test import lines, self_test
from tests.cases.modules import AsksTrainer, DomainExperts, GuardedDetector, LogMel
from tests.export.proof.branches import Clipped

TRACED = ("torchscript",)  # the quickest to make; the older ONNX exporter asks the same question


class Heard(list[str]):
    """Runs exports, and keeps what they said."""

    def export(self, module: nn.Module, out: Path, formats: tuple[str, ...] = TRACED, **options: object) -> Bundle:
        with progress.listening(progress.Listener(note=self.append, warn=self.append)):
            return export(module.eval(), list(formats), out=out, options=Options(**options))  # type: ignore[arg-type]


@pytest.fixture
def heard() -> Heard:
    return Heard()


def test_a_guard_that_noise_never_passed_is_a_refusal_with_file_and_line(heard: Heard, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as raised:
        heard.export(GuardedDetector(), tmp_path / "b", inputs=("3x64x64",), static_batch=1)
    assert "was empty for every input" in str(raised.value)
    assert "`if keep.numel() == 0:` (tests/cases/modules.py:53) was always true" in str(raised.value)
    assert "lines that never ran: tests/cases/modules.py:55, tests/cases/modules.py:56" in str(raised.value)


@pytest.mark.parametrize("formats", [TRACED, ("onnx",)])
def test_a_branch_that_a_trace_would_freeze_fails_the_graph(
    formats: tuple[str, ...], heard: Heard, tmp_path: Path
) -> None:
    made = heard.export(Clipped(), tmp_path / "b", formats, inputs=("4",))
    assert made.folder is None
    (reason,) = [graph.reason or "" for graph in made.failed]
    assert "`if x.max() > 50:` (tests/export/proof/branches.py:" in reason
    assert "normed" not in reason
    assert "--accept-unexercised" in reason


def test_what_a_person_takes_on_is_exported_and_recorded(heard: Heard, tmp_path: Path) -> None:
    heard.export(Clipped(), tmp_path / "b", inputs=("4",), accept_unexercised=True)
    proof = manifest.read(tmp_path / "b").proof
    assert proof is not None
    tried_again = 6 * (1 + 2)  # for the other side, which noise does not take
    assert (proof.accepted, proof.rows) == (True, 14 + tried_again)
    assert proof.unexercised[0].text == "if x.max() > 50:"
    assert "what it may have frozen is taken on" in heard[-1]
    assert "if x.max() \\> 50:" in (tmp_path / "b" / "report.md").read_text()


def test_the_line_that_says_proven_says_of_what(heard: Heard, tmp_path: Path) -> None:
    made = heard.export(nn.Sequential(nn.Linear(4, 2)), tmp_path / "b", inputs=("4",))
    assert "torchscript: proven on 14 rows of seeded noise (batches 1, 2, 3, 8), max difference" in heard[-1]
    (graph,) = made.attempted
    assert graph.parity is not None
    assert graph.parity.inputs == "noise"


def test_where_outputs_hardly_vary_the_word_is_said_nowhere(heard: Heard, tmp_path: Path) -> None:
    class Untrained(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 3)
            nn.init.zeros_(self.layer.weight)

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(x)

    made = heard.export(Untrained(), tmp_path / "b", inputs=("4",))
    console = Console(width=80)
    with console.capture() as table:
        console.print(report.graphs_table(made.attempted, made.manifest.proof))
    tested = self_test(tmp_path / "b", device="cpu")
    card = (tmp_path / "b" / "report.md").read_text()
    assert "compared on 14 rows" in heard[-1]
    assert "its outputs hardly vary" in heard[-1]
    assert "compared" in table.get()
    assert "hardly vary" in lines(tested)[-1]
    assert "hardly vary" in card
    everything = [*heard, table.get(), card, *report.failures(made), *lines(tested)]
    assert not any("proven" in text for text in everything)
    assert (made.attempted[0].parity and made.attempted[0].parity.agreement) is None


def test_a_wrong_graph_names_the_line_that_decides_on_data(heard: Heard, tmp_path: Path) -> None:
    class Signed(nn.Module):
        """Both sides are seen, and a trace has one of them."""

        def forward(self, x: Tensor) -> Tensor:
            if x.mean() > 0:
                return x * 2
            return x * 3

    torch.manual_seed(0)
    made = heard.export(Signed(), tmp_path / "b", inputs=("4",))
    (reason,) = [graph.reason or "" for graph in made.failed]
    assert reason.startswith("parity failed")
    assert "`if x.mean() > 0:` (tests/export/test_honesty.py:" in reason


def test_what_forward_reads_out_of_its_inputs_for_ever_fails_a_trace(heard: Heard, tmp_path: Path) -> None:
    class OneOfTwo(nn.Module):
        """No conditional, and still a choice."""

        def __init__(self) -> None:
            super().__init__()
            self.heads = nn.ModuleList(nn.Linear(4, 2) for _ in range(2))

        def forward(self, x: Tensor) -> Tensor:
            return self.heads[int(x.max() > 40)](x)

    made = heard.export(OneOfTwo(), tmp_path / "b", inputs=("4",))
    (reason,) = [graph.reason or "" for graph in made.failed]
    assert "`int(x.max() > 40)` (tests/export/test_honesty.py:" in reason
    assert "was always 0" in reason
    assert "--accept-unexercised" in reason


def test_a_case_on_data_that_never_matched_fails_a_trace(heard: Heard, tmp_path: Path) -> None:
    class Cases(nn.Module):
        """A `match` whose subject is data."""

        def forward(self, x: Tensor) -> Tensor:
            match int(x.max() > 40) + int(x.max() > 50):
                case 0:
                    return x
                case 1:
                    return x * 2
            return x * 3

    made = heard.export(Cases(), tmp_path / "b", inputs=("4",))
    assert "`case 0:` (tests/export/test_honesty.py:" in (made.failed[0].reason or "")


@pytest.mark.parametrize("formats", [("pt2",), ("onnx",)])
def test_a_graph_that_is_right_up_to_some_size_is_refused_with_the_line(
    formats: tuple[str, ...], heard: Heard, tmp_path: Path
) -> None:
    class Switches(nn.Module):
        """Large batches go another way."""

        def forward(self, x: Tensor) -> Tensor:
            if x.shape[0] > 16:
                return x * 3
            return x * 2

    made = heard.export(Switches(), tmp_path / "b", formats, inputs=("4",))
    (reason,) = [graph.reason or "" for graph in made.failed]
    assert reason.startswith("with 17 rows, ")
    assert reason.count("17 rows") == 1
    assert "forward decides on that size (test_honesty.py:" in reason
    fixed = heard.export(Switches(), tmp_path / "b", formats, inputs=("4",), static_batch=4)
    assert not fixed.failed


def test_a_module_that_its_first_call_decides_is_told_as_that(heard: Heard, tmp_path: Path) -> None:
    class Calibrates(nn.Module):
        """The mean of the first batch is taken from all later ones."""

        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("ready", torch.tensor(False))
            self.register_buffer("mean", torch.zeros(4))

        def forward(self, x: Tensor) -> Tensor:
            if not self.ready:
                self.mean.copy_(x.mean(0))
                self.ready.fill_(True)
            return x - self.mean

    with pytest.raises(GateError, match=r"keeps state between calls \(`ready`, `mean`\): what the first call leaves"):
        heard.export(Calibrates(), tmp_path / "b", inputs=("4",))


def test_a_branch_that_only_prints_is_no_branch(heard: Heard, tmp_path: Path) -> None:
    class Prints(nn.Module):
        """A warning for its author."""

        def forward(self, x: Tensor) -> Tensor:
            if x.max().item() > 1e9:
                print("large", x.max().item())  # noqa: T201
            return x * 2

    assert not heard.export(Prints(), tmp_path / "b", inputs=("4",)).failed


def test_a_graph_that_an_engine_cannot_run_for_other_sizes_names_the_line(heard: Heard, tmp_path: Path) -> None:
    class Padded(nn.Module):
        """Windows of four, the last one filled up."""

        def forward(self, x: Tensor) -> Tensor:
            size = int(x.shape[1])
            if size % 4:
                x = nn.functional.pad(x, (0, -size % 4))
            return x.reshape(x.shape[0], size // 4 + (size % 4 > 0), 4).sum(1)

    made = heard.export(Padded(), tmp_path / "b", inputs=("8",), dynamic=("length=1",))
    assert "forward decides on sizes in Python" in (made.failed[0].reason or "")
    assert "`if size % 4:` (tests/export/test_honesty.py:" in (made.failed[0].reason or "")


def test_a_module_that_asks_for_its_trainer_is_one_line_with_the_cure(heard: Heard, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError) as raised:
        heard.export(AsksTrainer(), tmp_path / "b")
    text = str(raised.value)
    assert "AsksTrainer is not attached to a `Trainer` (modules.py:" in text
    assert "`self.training`" in text
    assert "\n" not in text


def test_the_trace_is_shown_where_it_is_asked_for(heard: Heard, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError):
        heard.export(AsksTrainer(), tmp_path / "b", debug=True)
    assert any("Traceback" in text and "modules.py" in text for text in heard)


def test_nan_from_noise_is_blamed_on_the_noise(heard: Heard, tmp_path: Path) -> None:
    module = LogMel()
    module.example_input_array = None
    with pytest.raises(GateError, match="for the noise that stands in for its inputs"):
        heard.export(module, tmp_path / "b", inputs=("40x50",))
    with torch.no_grad():
        module.head.weight[0, 0] = torch.nan
    with pytest.raises(GateError, match=r"its weight head\.weight holds some"):
        heard.export(module, tmp_path / "b", inputs=("40x50",))


def test_nan_of_a_single_row_is_not_the_noise_s_fault(heard: Heard, tmp_path: Path) -> None:
    """A standard deviation over the batch: the rows are joined, and a batch of one has none."""

    class Standardized(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            apart = x - x.mean(0)
            return apart / (apart.square().sum(0) / (len(x) - 1)).sqrt()

    made = heard.export(Standardized(), tmp_path / "b", inputs=("4",))
    assert made.manifest.rows == "joined"
    assert made.manifest.proof is not None
    assert made.manifest.proof.rows == 2 + 3 + 8
    assert any("answers a batch of one row with NaN" in text for text in heard)


def test_a_random_module_is_refused_before_any_graph_is_made(heard: Heard, tmp_path: Path) -> None:
    class Draws(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x + torch.randn_like(x)

    with pytest.raises(GateError, match=r"is random \(torch\.randn_like in tests/export/test_honesty\.py:\d+\)"):
        heard.export(Draws(), tmp_path / "b", inputs=("4",))
    assert not any("write" in text for text in heard)
    assert not (tmp_path / "b").exists()


def test_experts_by_domain_are_right_or_refused_with_the_line(heard: Heard, tmp_path: Path) -> None:
    """Of domain 0 alone nothing is proven about the others."""
    module = DomainExperts()
    module.example_input_array = (torch.randn(6, 4), torch.tensor([0, 1, 2, 0, 1, 2]))
    made = heard.export(module, tmp_path / "b")
    (reason,) = [graph.reason or "" for graph in made.failed]
    assert "`if rows.any():` (tests/cases/modules.py:38)" in reason
