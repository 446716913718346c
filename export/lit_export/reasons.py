"""Why a graph could not be made: the innermost cause in one line, where in the user's code it is, and what helps.

Exporters wrap what went wrong in banners, in graphs and in advice to their own developers; none of that is a reason.
"""

import re
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path

from lit_export.user_code import is_theirs
from lit_infer.errors import LitError

_LONGEST = 300
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_WRAPPERS = re.compile(r"This is step \d/\d|Error when translating node|TorchScript interpreter")
"""Of a message that only says that something else went wrong."""
_TO_DEVELOPERS = re.compile(
    r"\s*(?:Please (?:feel free|file an issue|open a bug)|For the potential source|\[Caused by the value|"
    r"See the stack trace|\(unhinted: |\(Size-like symbols|Failure message: No decompositions|"
    r"If you meant for this dimension|Did you forget to add @script).*",
    re.DOTALL,
)
_ADDRESS = re.compile(r" object at 0x[0-9a-f]+")
_EXPORTERS = re.compile(r"[\\/](?:onnx|onnxruntime|onnxscript|onnx_ir|openvino|tensorrt)[\\/]")
_PREAMBLES = re.compile(r"^(?:\[ONNXRuntimeError\] : \d+ : [A-Z_]+ : |\w+Error: )")
_UNCONVERTED = re.compile(r"Conversion is failed for: (.+)")
"""OpenVINO's summary of operators, each with the version of its set."""
_EMPTY = ("The following operation failed", "Traceback of")
_PLACES = (
    re.compile(r'File "([^"]+\.py)", line (\d+)'),
    re.compile(r"^(\S+\.py)\((\d+)\): ", re.MULTILINE),
    re.compile(r"# (/\S+\.py):(\d+):"),
)
"""How torch says in a message where a call was made."""


def reason_of(error: BaseException) -> str:
    """The cause of an error, in one line. Errors of ours say it already."""
    if isinstance(error, LitError):
        return " ".join(str(error).split()).rstrip(".")
    chain = list(_chain(error))
    inner = next((one for one in reversed(chain) if not _WRAPPERS.search(str(one))), chain[-1])
    said, at = _said(str(inner)), place_of(error)
    text = f"{type(inner).__name__}: {said}" if said else type(inner).__name__
    return f"{text} ({at})" if at else text


def place_of(error: BaseException) -> str | None:
    """The file and line in the user's code that an exporter's error is about, if it can be told."""
    for one in reversed(list(_chain(error))):
        for frame in reversed(traceback.extract_tb(one.__traceback__)):
            if _is_theirs(frame.filename):
                return f"{Path(frame.filename).name}:{frame.lineno}"
        for pattern in _PLACES:
            for file, line in pattern.findall(_all_of(one)):
                if _is_theirs(file):
                    return f"{Path(file).name}:{line}"
    return None


def _is_theirs(file: str) -> bool:
    return is_theirs(file) and not _EXPORTERS.search(file)


def hint_of(evidence: Sequence[str]) -> str | None:
    """What is known to help against one of several errors, by the evidence of each."""
    return next((hint for pattern, hint in _HINTS if any(pattern.search(text) for text in evidence)), None)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """From the outermost to the innermost; what an error came after is its cause if it says no more than that."""
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        yield following
        wraps = _WRAPPERS.search(_COLOURS.sub("", str(following)))
        following = following.__cause__ or (following.__context__ if wraps else None)


def _said(text: str) -> str:
    """The first sentence of a message that says something."""
    plain = _TO_DEVELOPERS.sub("", _COLOURS.sub("", text))
    if failed := _UNCONVERTED.search(plain):
        return _one_line(f"OpenVINO cannot convert {re.sub(r'-[0-9]+', '', failed[1])}")
    stripped = (line.strip(" -") for line in plain.splitlines())
    lines = [_PREAMBLES.sub("", line) for line in stripped if line and not line.startswith(_EMPTY)]
    first = next(iter(lines), "")
    return _one_line(f"{first} {lines[1]}" if first.endswith(":") and len(lines) > 1 else first)


def _one_line(text: str) -> str:
    line = " ".join(_ADDRESS.sub("", _COLOURS.sub("", text)).split()).rstrip(".")
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"


def _all_of(error: BaseException) -> str:
    """A message, and where the node comes from that could not be converted: torch keeps that to itself."""
    found = [str(error)]
    for frame, _ in traceback.walk_tb(error.__traceback__):
        meta = getattr(frame.f_locals.get("node"), "meta", None)
        if isinstance(meta, dict):
            found.append(str(meta.get("stack_trace", "")))
    return _COLOURS.sub("", "\n".join(found))


def evidence_of(error: BaseException) -> str:
    """All that is said of an error, and the functions that it came through."""
    parts = []
    for one in _chain(error):
        parts += [type(one).__name__, _all_of(one)]
        parts += [f"in {frame.name}" for frame in traceback.extract_tb(one.__traceback__)]
    return "\n".join(parts)


def _hint(pattern: str, advice: str) -> tuple[re.Pattern[str], str]:
    return re.compile(pattern), advice


_ELSEWHERE = "Or export to another format, which may have it: lit-export --help lists them"
_HINTS = (
    _hint(
        r"pack_padded_sequence|pad_packed_sequence|_pack_padded|PackPadded|PadPacked|of ints, ?but got FakeTensor",
        "Packed sequences have no form in this graph: run the recurrent layer on the padded batch and mask what it "
        f"answers. {_ELSEWHERE}",
    ),
    _hint(
        r"GuardOnDataDependentSymNode|data-dependent|DataDependentOutput|aten\._local_scalar_dense",
        "A branch, a loop or a size depends on the values of the inputs, and a graph has one way through: compute both "
        "sides and choose with torch.where, or repeat a fixed number of steps. --adapter can put such a forward in "
        "its place",
    ),
    _hint(
        r"__torch__\.|is not an instance of torch\.nn\.Parameter|ScriptModule|ScriptFunction",
        "A part of the module is TorchScript (torch.jit.script or torch.jit.load): put the Python module in its "
        "place, with --factory or --adapter",
    ),
    _hint(
        r"adaptive_(?:avg|max)_pool|adaptive pooling|AdaptiveAvgPool|AdaptiveMaxPool",
        "Adaptive pooling to more than one value needs sides that are known: leave --dynamic out, or pool with "
        "x.mean((2, 3))",
    ),
    _hint(
        r"STFT[\s\S]*Shape of signal input must be static",
        "OpenVINO takes a spectrogram of a fixed batch only: freeze it with --static-batch 1",
    ),
    _hint(
        r"_fft_|aten[:.]+(?:fft|stft|istft|view_as_complex|complex)|ComplexFloat|complex64|complex128|torch\.complex",
        f"ONNX has hardly any operators for complex numbers: compute the spectrum before the graph. {_ELSEWHERE}",
    ),
    _hint(
        r"autograd\.grad|requires grad as a constant|fake tensor in the exported program|element 0 of tensors does not",
        "forward computes gradients (torch.autograd.grad), which a graph cannot record: write the derivative out, or "
        "export the part without it (--submodule)",
    ),
    _hint(
        r"Could not export Python function call|PythonOp|autograd\.function|autograd\.Function",
        "A custom torch.autograd.Function has no form in a graph: call plain torch operations in eval mode, "
        "as in `if self.training`",
    ),
    _hint(
        r"added in version (\d+), try exporting with this version",
        "A newer ONNX has the operator: give a higher --opset",
    ),
    _hint(
        r"No ONNX function found|to ONNX opset version|Couldn't export operator|UnsupportedOperator",
        f"ONNX has no such operator: write it with others, in the module or an --adapter. {_ELSEWHERE}",
    ),
    _hint(
        r"inferred a static shape of \d+ for dimension inputs\[\d+\]\.shape\[[1-9]",
        "The code takes another side of its inputs than that of the rows for a constant: keep that side at one length, "
        "of texts by fields: {text: {padding: fixed}} in --spec, else without --dynamic",
    ),
    _hint(
        r"user-specified dim hint|Constraints violated|inferred a static shape|to be equal to \d+, but got|"
        r"elements in a list but found|exceeds the remaining size",
        "The code takes the number of rows for a constant, as a Python loop over them does: write it for all rows at "
        "once, or freeze the batch with --static-batch",
    ),
    _hint(
        r"\.numpy\(\) is not supported|numpy_\w+ is not|Can't call numpy",
        "forward leaves torch for NumPy, which no graph can follow: use torch operations, or turn off what needs it, "
        "with --hparam where an argument of the class does",
    ),
    _hint(
        r"in-place operation|modified (?:by an )?inplace|leaf Variable|view .* in-?place|aten::copy_|copy_ to",
        "forward changes a view in place: write it out of place, as in `x = x * 2`, or change a clone()",
    ),
)
"""What is known to fail in exporters, the most telling first, and what to do about it."""
