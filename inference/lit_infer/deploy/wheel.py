"""The runtime that runs here, as a wheel: `lit_infer` alone, without training and export.

The same files give the same bytes.
"""

import base64
import hashlib
import platform
import zipfile
from importlib import metadata
from pathlib import Path

import lit_infer
from lit_infer.errors import UsageError

_DATE = (2020, 1, 1, 0, 0, 0)
_KERNELS = ("*.so", "*.pyd")


def build(folder: Path) -> Path:
    """Write the wheel into a folder, and return its path. Raises UsageError if its compiled part is not for Linux."""
    package = Path(lit_infer.__file__).parent
    found = {path.relative_to(package.parent).as_posix(): path.read_bytes() for path in _sources(package)}
    own = metadata.distribution("lit-deploy")
    tag = _tag(package)
    path = folder / f"lit_deploy-{own.version}-{tag}.whl"
    facts = f"lit_deploy-{own.version}.dist-info"
    commands = sorted(one for one in own.entry_points if one.value.startswith("lit_infer."))
    found[f"{facts}/METADATA"] = (own.read_text("METADATA") or "").encode()
    found[f"{facts}/WHEEL"] = (
        f"Wheel-Version: 1.0\nGenerator: lit-deploy\nRoot-Is-Purelib: false\nTag: {tag}\n".encode()
    )
    scripts = "".join(f"{one.name} = {one.value}\n" for one in commands if one.group == "console_scripts")
    found[f"{facts}/entry_points.txt"] = f"[console_scripts]\n{scripts}".encode()
    record = f"{facts}/RECORD"
    found[record] = "".join([*(_line(name, data) for name, data in found.items()), f"{record},,\n"]).encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in found.items():
            entry = zipfile.ZipInfo(name, _DATE)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            file.writestr(entry, data)
    return path


def _sources(package: Path) -> list[Path]:
    return sorted(path for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts)


def _tag(package: Path) -> str:
    """Pure Python where there is no compiled part; nothing but the time depends on it."""
    if not any(found for pattern in _KERNELS for found in package.rglob(pattern)):
        return "py3-none-any"
    if platform.system() != "Linux":
        raise UsageError("an image needs the compiled resize for Linux: run lit-serve containerize on Linux")
    return f"cp311-abi3-linux_{platform.machine()}"


def _line(name: str, data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(data)}\n"
