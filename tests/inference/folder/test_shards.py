from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lit_infer.errors import ArtifactError, UsageError
from lit_infer.folder import run_job, shards
from lit_infer.folder.arguments import parse
from lit_infer.folder.job import Job, identity
from lit_infer.folder.shards import PartRecord, Shard, Share, part_of
from lit_infer.folder.sources import Item
from lit_infer.predictor import Predictor


def items(count: int) -> list[Item]:
    return [Item(f"{number:04}.png", Path(f"{number:04}.png")) for number in range(count)]


@given(images=st.integers(0, 200), parts=st.integers(1, 20), batch=st.integers(1, 9))
def test_parts_are_the_batches_of_the_whole_each_once(images: int, parts: int, batch: int) -> None:
    every = items(images)
    shares = [Share(iter(every), Shard(number, parts), batch=batch) for number in range(parts)]

    taken = [list(share) for share in shares]

    turns = [own[start : start + batch] for own in taken for start in range(0, len(own), batch)]
    assert sorted(turns, key=lambda turn: turn[0].name) == [every[n : n + batch] for n in range(0, images, batch)]
    assert [len(own) for own in taken] == [Shard(n, parts).rows(images, batch=batch) for n in range(parts)]
    assert {(share.images, share.names) for share in shares} == {(images, shares[0].names)}


def test_another_name_or_order_has_another_digest() -> None:
    def names(*found: Item) -> str:
        share = Share(iter(found), Shard(0, 2), batch=1)
        list(share)
        return share.names

    first, second, third = items(3)

    assert len({names(first, second), names(second, first), names(first, third), names(first), names()}) == 5


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("3", "write 3/16"),
        ("a/b", "write 3/16"),
        ("-1/4", "write 3/16"),
        ("0/0", "write 3/16"),
        ("0/100000", "write 3/16"),
        ("4/4", r"counted from 0, so the last of 4 is 3/4"),
    ],
)
def test_what_is_no_part_is_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=f"--shard {text}: .*{said}"):
        Shard.parse(text)


def test_a_part_has_its_files_in_the_folder_that_was_named() -> None:
    job = part_of(Job(output=Path("out"), embeddings=Path("out/")), "3/16", ["x", "--shard", "3/16"])

    assert job.output == Path("out/part-00003-of-00016.jsonl")
    assert job.embeddings == Path("out/part-00003-of-00016.npy")


@pytest.mark.parametrize(
    ("job", "said"),
    [
        (Job(output=None), "--json keeps none"),
        (Job(output=Path("rows.parquet")), "into a folder: name it"),
        (Job(output=Path("out"), report=Path("a.html")), "in one piece"),
        (Job(output=Path("out"), sort_into=Path("sorted")), "in one piece"),
        (Job(output=Path("out"), coco=Path("all.json"), masks=Path("masks")), "--coco and --masks: for a run in one"),
        (Job(output=Path("out"), embeddings=Path("a.npy")), r"--embeddings out/"),
    ],
)
def test_what_a_part_cannot_make_is_refused(job: Job, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        part_of(job, "0/2", [])


def record_for(*command: str) -> PartRecord:
    return PartRecord(
        shard=0,
        of=4,
        images=9,
        names="",
        batch=2,
        rows=3,
        failed=0,
        codes={},
        bytes=1,
        sha256="",
        vectors=None,
        columns={},
        job={},
        processor="",
        command=list(command),
    )


@pytest.mark.parametrize(
    ("command", "numbers", "line"),
    [
        (("a b", "--shard", "00/4", "-o", "out"), [2], "lit-infer 'a b' --shard 2/4 -o 'all here' --resume"),
        (("a", "--output=/there", "--shard=0/4"), [2], "lit-infer a --output='all here' --shard=2/4 --resume"),
        (("--resume", "x", "--shard=0/4"), [1], "lit-infer x --shard=1/4 --resume"),
        (("0/4", "--shard", "0/4"), [1, 3], "for part in 1 3; do lit-infer 0/4 --shard $part/4 --resume; done"),
        ((), [1], "the same job with --shard 1/4"),
    ],
)
def test_the_command_of_other_parts_is_known(command: tuple[str, ...], numbers: list[int], line: str) -> None:
    assert shards.command_line(record_for(*command), numbers, resume=True, out=Path("all here")) == line


def test_a_finished_part_is_known_and_another_job_s_is_not(predictor: Predictor, colours: Path, tmp_path: Path) -> None:
    inputs = parse([str(colours)])
    job = part_of(Job(output=tmp_path / "out", batch_size=2), "1/3", [])
    facts = identity(job, inputs, predictor)
    assert shards.finished(job, facts) is None

    run_job(predictor, inputs, job)

    found = shards.finished(job, facts)
    assert found is not None
    assert (found.rows, found.images, found.of) == (4, 12, 3)
    assert shards.finished(job, identity(replace(job, top_k=1), inputs, predictor)) is None
    assert job.output is not None
    job.output.write_bytes(b"")
    assert shards.finished(job, facts) is None


def test_what_is_no_record_or_has_another_s_name_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "part-00001-of-00004.json"

    path.write_text("{")
    with pytest.raises(ArtifactError, match="is no record of a part"):
        shards.read(path)
    path.write_bytes(msgspec.json.encode(record_for()))
    with pytest.raises(ArtifactError, match="is the record of part 0 of 4"):
        shards.read(path)
