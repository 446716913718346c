"""Put a module or function of the user's around the loaded module: `--adapter pkg.mod:Wrap`."""

from torch import nn

from lit_export.front.find_class import find_object
from lit_export.user_code import user_code
from lit_infer.errors import UsageError


def adapted(module: nn.Module, path: str) -> nn.Module:
    """What `Wrap(module)` is, in eval mode on the CPU: its `forward` is what is exported."""
    wrap = find_object(path, option="--adapter")
    if not callable(wrap):
        raise UsageError(f"--adapter {path} is a {type(wrap).__name__}, not a module class or a function")
    with user_code(f"--adapter {path}"):
        around = wrap(module)
    if not isinstance(around, nn.Module):
        raise UsageError(
            f"--adapter {path} returned a {type(around).__name__}, not a torch.nn.Module. "
            "It is called with the loaded module, and returns the module to export"
        )
    return around.cpu().eval()
