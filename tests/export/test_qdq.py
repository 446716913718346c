"""lit_export.qdq: what the processor decides. What is in the files, test_quantize looks at."""

from pathlib import Path

import pytest

from lit_export import qdq


@pytest.mark.parametrize(
    ("machine", "flags", "reduced"),
    [
        ("x86_64", "avx2 avx512f avx512_vnni", False),
        ("AMD64", "avx2 avx_vnni", False),
        ("x86_64", "avx2 avx512f", True),
        ("aarch64", "asimddp", False),
    ],
)
def test_weights_have_seven_bits_where_the_cpu_would_overflow(
    tmp_path: Path, machine: str, flags: str, reduced: bool
) -> None:
    (tmp_path / "cpuinfo").write_text(f"processor : 0\nflags : fpu {flags}\n")
    assert qdq.needs_reduced_range(tmp_path / "cpuinfo", machine) is reduced
