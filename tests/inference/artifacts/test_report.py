"""Versions as tables for a terminal."""

from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

from lit_infer.artifacts.report import facts_table, kind, moment, plain, size, versions_table
from tests.support.versions import version

SCORE = {"monitor": "val_acc", "mode": "max", "value": 0.5}


def lines(table: Table) -> list[str]:
    console = Console(width=200, force_terminal=False)
    with console.capture() as capture:
        console.print(table)
    return [line.rstrip() for line in capture.get().splitlines()]


def test_versions_stand_with_the_newest_first() -> None:
    older = version("v0", bytes=512, metadata={"formats": ["onnx"]})
    newer = version("v1", aliases=("best", "latest"), metadata={"score": SCORE})

    header, *rows = lines(versions_table([older, newer]))

    assert header.split() == ["version", "aliases", "score", "kind", "size", "created"]
    assert rows[0].split() == ["v1", "best,", "latest", "val_acc", "0.5", "model", "1.0", "kB", "2026-01-02", "03:04"]
    assert rows[1].split() == ["v0", "onnx", "512", "B", "2026-01-02", "03:04"]


def test_what_others_wrote_is_text_and_no_markup() -> None:
    odd = version(aliases=("[red]a[/red]",), metadata={"note": "[/b]", "formats": ["[i]"]})

    assert "[red]a[/red]" in lines(versions_table([odd]))[1]
    assert "note       [/b]" in lines(facts_table(odd))


def test_the_facts_of_a_version_are_all_told_and_empty_ones_left_out() -> None:
    found = lines(facts_table(version(parents=("a/b/c:v1", "a/b/d:v2"), metadata={"epoch": 3, "lost": None})))

    names = [line.split("  ")[0] for line in found]
    assert names == ["reference", "aliases", "kind", "digest", "size", "created", "made from", "", "epoch"]
    assert "aliases    none" in found
    assert [line.split()[-1] for line in found[6:]] == ["a/b/c:v1", "a/b/d:v2", "3"]


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({}, "model"),
        ({"formats": []}, "model"),
        ({"formats": "onnx"}, "model"),
        ({"formats": ["onnx", "pt2"], "precisions": ["fp32"]}, "onnx, pt2"),
        ({"formats": ["onnx"], "precisions": ["int8", "fp32", "int8"]}, "onnx fp32, int8"),
        ({"formats": ["onnx"], "precisions": {"onnx": "int8"}}, "onnx int8"),
        ({"formats": ["onnx"], "precision": "fp16"}, "onnx fp16"),
        ({"formats": ["onnx"], "precision": 7}, "onnx"),
    ],
)
def test_a_bundle_is_known_by_its_formats_and_unusual_precisions(metadata: dict[str, Any], expected: str) -> None:
    assert kind(version(metadata=metadata)) == expected


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (99_999, "100.0 kB"), (100_000, "0.1 MB"), (2**31, "2,147.5 MB")],
)
def test_bytes_read_well(count: int, said: str) -> None:
    assert size(count) == said


def test_a_moment_is_told_to_the_minute() -> None:
    assert moment("2026-01-02T03:04:05+00:00") == "2026-01-02 03:04"


def test_json_has_every_fact_and_the_score_where_it_is_known() -> None:
    found = plain(version(metadata={"score": SCORE}, aliases=("best",)))

    assert found["score"] == SCORE
    assert (found["reference"], found["aliases"], found["bytes"]) == ("local/digits/cnn:v0", ["best"], 1000)
    assert plain(version())["score"] is None
