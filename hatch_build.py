"""Builds the runtime's compiled resize into the wheel where there is a C compiler; without one it is pure Python.

The compiler is found and called by setuptools, which knows those of Linux, macOS and Windows.
"""

import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDER = "inference/lit_infer/images/resampling"


class CustomBuildHook(BuildHookInterface):
    """Hatchling's hook: called before a wheel, also an editable one, is made."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, or say why not."""
        del version
        folder = Path(self.root) / FOLDER
        try:
            built = compiled(folder)
        except (Exception, SystemExit) as error:  # a missing compiler, or anything that it says
            for stale in [*folder.glob("_kernel*.so"), *folder.glob("_kernel*.pyd")]:
                stale.unlink()
            self.app.display_warning(f"lit-deploy: images are resized by Pillow; the C kernel was not built: {error}")
            return
        build_data["artifacts"].append(f"{FOLDER}/{built.name}")
        build_data["pure_python"] = False
        build_data["tag"] = f"cp311-abi3-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"


def compiled(folder: Path) -> Path:
    """The module, beside its source."""
    from setuptools import Distribution, Extension

    flags = ["/O2", "/fp:precise"] if sys.platform == "win32" else ["-std=c11", "-O3", "-ffp-contract=off"]
    extension = Extension("_kernel", [str(folder / "kernel.c")], py_limited_api=True, extra_compile_args=flags)
    command: Any = Distribution({"name": "kernel", "ext_modules": [extension]}).get_command_obj("build_ext")
    with tempfile.TemporaryDirectory(dir=folder) as scratch:  # beside it: put in place whole, while others import it
        command.build_lib = command.build_temp = scratch
        command.ensure_finalized()
        command.run()
        made = Path(command.get_outputs()[0])
        return made.replace(folder / made.name)
