import os
import subprocess
import sys
from pathlib import Path

import pytest

from lit_infer.artifacts import locks


def taken(path: Path) -> bool:
    """Whether another process finds the file held."""
    code = "import sys; from pathlib import Path; from lit_infer.artifacts import locks\n"
    code += "with locks.alone(Path(sys.argv[1])) as free: print(free)"
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    return done.stdout == "False\n"


def test_a_lease_lasts_after_the_call(tmp_path: Path) -> None:
    path = tmp_path / "version.json"
    path.touch()
    assert not taken(path)

    assert locks.lease(path)
    assert locks.lease(path)

    assert taken(path)


def test_what_is_gone_cannot_be_leased(tmp_path: Path) -> None:
    assert not locks.lease(tmp_path / "version.json")


def test_what_was_replaced_meanwhile_is_not_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "version.json"
    path.touch()
    real = os.fstat

    def replaced_before(handle: int) -> os.stat_result:
        path.unlink(missing_ok=True)
        return real(handle)

    monkeypatch.setattr(os, "fstat", replaced_before)

    assert not locks.lease(path)


def test_the_oldest_of_many_leases_gives_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "_leases", {})
    monkeypatch.setattr(locks, "_MOST_LEASES", 2)
    paths = [tmp_path / str(number) for number in range(3)]
    for path in paths:
        path.touch()
        assert locks.lease(path)

    assert [taken(path) for path in paths] == [False, True, True]
