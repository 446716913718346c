"""lit_infer.folder.output_checks: what cannot be made is told before the work."""

from pathlib import Path

import pytest

from lit_infer.errors import UsageError
from lit_infer.folder.arguments import parse
from lit_infer.folder.job import Job
from lit_infer.folder.output_checks import check
from tests.inference.tiny import colour, save


@pytest.mark.parametrize("named", ["in.csv", "./in.csv", "@in.csv", "in.npz"])
def test_an_output_never_takes_the_place_of_an_input(
    named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("in.csv", "in.npz"):
        (tmp_path / name).touch()

    with pytest.raises(UsageError, match=r"--output in\.\w+ is an input of this run: name another file"):
        check(Job(output=Path(named.lstrip("@./"))), parse([named]))


@pytest.mark.parametrize(
    ("job", "said"),
    [
        (Job(output=Path("out.txt")), r"must end in \.jsonl"),
        (Job(embeddings=Path("out.txt")), r"--embeddings out\.txt: the name must end in \.npy"),
        (Job(report=Path("out.txt")), r"--report out\.txt: the name must end in \.html"),
        (Job(report=Path("images")), "--report images is a folder"),
        (Job(resume=True), "--resume continues an output file"),
        (Job(hard_links=True), "--hard-links is for --sort-into"),
        (Job(sort_into=Path("images")), "which is searched"),
        (Job(sort_into=Path("images/../images/sorted")), "which is searched"),
        (Job(sort_into=Path("."), resume=True, output=Path("a.jsonl")), "is not an empty folder"),
    ],
)
def test_what_cannot_be_made_is_refused_before_the_work(
    job: Job, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "images/a.png", colour("red"))

    with pytest.raises(UsageError, match=said):
        check(job, parse(["images"]))
