import os
from pathlib import Path

import pytest

from lit_infer.hardware import cpu_model, usable_cpus

NOWHERE = Path("/nonexistent/cgroup")


@pytest.fixture
def eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine the test runs on may have any number; the quota is what is tested."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))


def v2(root: Path, text: str) -> Path:
    (root / "cpu.max").write_text(text)
    return root


def v1(root: Path, quota: int, period: int = 100_000) -> Path:
    (root / "cpu").mkdir()
    (root / "cpu/cpu.cfs_quota_us").write_text(f"{quota}\n")
    (root / "cpu/cpu.cfs_period_us").write_text(f"{period}\n")
    return root


@pytest.mark.usefixtures("eight_cores")
@pytest.mark.parametrize(
    ("limit", "cores"),
    [
        ("max 100000\n", 8),
        ("200000 100000\n", 2),
        ("100000 50000\n", 2),
        ("250000 100000\n", 2),
        ("50000 100000\n", 1),
        ("1600000 100000\n", 8),
    ],
)
def test_a_quota_of_cgroup_v2_is_rounded_down_to_whole_cores_but_never_to_none(
    tmp_path: Path, limit: str, cores: int
) -> None:
    assert usable_cpus(v2(tmp_path, limit), NOWHERE) == cores


@pytest.mark.usefixtures("eight_cores")
@pytest.mark.parametrize(("quota", "cores"), [(-1, 8), (300_000, 3), (150_000, 1), (20_000, 1)])
def test_a_quota_of_cgroup_v1_counts_too(tmp_path: Path, quota: int, cores: int) -> None:
    assert usable_cpus(v1(tmp_path, quota), NOWHERE) == cores


@pytest.mark.usefixtures("eight_cores")
def test_v2_decides_where_both_are_mounted(tmp_path: Path) -> None:
    v1(tmp_path, 100_000)

    assert usable_cpus(v2(tmp_path, "300000 100000\n")) == 3


@pytest.mark.usefixtures("eight_cores")
def test_without_a_cgroup_the_affinity_decides(tmp_path: Path) -> None:
    assert usable_cpus(tmp_path / "nothing") == 8


@pytest.mark.usefixtures("eight_cores")
@pytest.mark.parametrize("content", ["", "garbage", "a b", "100000 0"])
def test_a_limit_that_makes_no_sense_is_no_limit(tmp_path: Path, content: str) -> None:
    assert usable_cpus(v2(tmp_path, content)) == 8


def test_an_affinity_smaller_than_the_quota_decides(tmp_path: Path) -> None:
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        assert usable_cpus(v2(tmp_path, "6400000 100000\n")) == 1
    finally:
        os.sched_setaffinity(0, allowed)


def test_this_machine_has_a_core_and_a_name() -> None:
    assert 1 <= usable_cpus() <= len(os.sched_getaffinity(0))
    assert cpu_model().strip()


@pytest.mark.usefixtures("eight_cores")
@pytest.mark.parametrize(
    ("slice_", "unit", "cores"), [("max", "200000", 2), ("300000", "max", 3), ("100000", "600000", 1)]
)
def test_the_least_quota_from_the_own_group_upwards_counts(tmp_path: Path, slice_: str, unit: str, cores: int) -> None:
    service = tmp_path / "root/system.slice/lit.service"
    service.mkdir(parents=True)
    v2(tmp_path / "root/system.slice", f"{slice_} 100000\n")
    v2(service, f"{unit} 100000\n")
    (tmp_path / "own").write_text("0::/system.slice/lit.service\n")

    assert usable_cpus(tmp_path / "root", tmp_path / "own") == cores


@pytest.mark.usefixtures("eight_cores")
def test_the_own_group_of_v1_counts_too(tmp_path: Path) -> None:
    group = tmp_path / "cpu/lit"
    group.mkdir(parents=True)
    (group / "cpu.cfs_quota_us").write_text("200000\n")
    (group / "cpu.cfs_period_us").write_text("100000\n")
    (tmp_path / "own").write_text("5:memory:/other\n4:cpu,cpuacct:/lit\n")

    assert usable_cpus(tmp_path, tmp_path / "own") == 2


@pytest.mark.usefixtures("eight_cores")
def test_a_group_that_a_container_does_not_see_is_no_limit(tmp_path: Path) -> None:
    (tmp_path / "own").write_text("0::/../../elsewhere\n")

    assert usable_cpus(v2(tmp_path, "300000 100000\n"), tmp_path / "own") == 3
