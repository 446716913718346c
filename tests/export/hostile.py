"""Checkpoint files that try to harm whoever loads them. `FILES` builds each; running this module loads them all.

python -m tests.export.hostile FOLDER      one JSON line per file, from a process that watches itself
"""

import gc
import gzip
import io
import json
import pickle
import resource
import struct
import sys
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

MAGIC = 0x1950A86A20F9469CFC6C
MARK = ""
OF_LIGHTNING = "lightning.pytorch.cli.instantiate_module"
HOSTILE_MODULE = "hostile_module"


class Gadget:
    """Unpickled by an ordinary reader, this runs a command."""

    def __reduce__(self) -> tuple[object, ...]:
        import os

        return os.system, (f"touch {MARK}",)


class Hashed(Gadget):
    """The same, as a key."""

    def __hash__(self) -> int:
        return 1


def plain(value: Any) -> bytes:
    return pickle.dumps(value, protocol=2)


def ops(*parts: bytes) -> bytes:
    """A pickle written by hand."""
    return b"\x80\x02" + b"".join(parts) + b"."


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def name(module: str, attribute: str) -> bytes:
    return f"c{module}\n{attribute}\n".encode()


def number(value: int) -> bytes:
    raw = value.to_bytes(16, "little", signed=True)
    return b"\x8a" + bytes([len(raw)]) + raw


def call(module: str, attribute: str, *arguments: bytes) -> bytes:
    return name(module, attribute) + b"(" + b"".join(arguments) + b"tR"


def table(**values: bytes) -> bytes:
    return b"}(" + b"".join(text(key) + value for key, value in values.items()) + b"u"


def checkpoint(**values: bytes) -> bytes:
    """A hand-written checkpoint's pickle: a state_dict and what is given."""
    return ops(table(**{"state_dict": b"}", **values}))


def storage(count: int, key: str = "0", kind: str = "FloatStorage") -> bytes:
    return b"(" + text("storage") + name("torch", kind) + text(key) + text("cpu") + number(count) + b"tQ"


def tensor(count: int, offset: int, size: int, stride: int, key: str = "0") -> bytes:
    shape = b"(" + number(size) + b"t(" + number(stride) + b"t"
    hooks = call("collections", "OrderedDict")
    return call("torch._utils", "_rebuild_tensor_v2", storage(count, key), number(offset), shape, b"\x89", hooks)


def archive(pickled: bytes, records: Mapping[str, bytes] = {}, *, compress: bool = False) -> bytes:
    """As torch.save packs it."""
    buffer = io.BytesIO()
    method = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    with zipfile.ZipFile(buffer, "w", method) as packed:
        for key, value in {"data.pkl": pickled, "byteorder": b"little", "version": b"3\n", **records}.items():
            packed.writestr(f"archive/{key}", value)
    return buffer.getvalue()


def entries(*pairs: tuple[str | zipfile.ZipInfo, bytes], comment: bytes = b"") -> bytes:
    """An archive of any names."""
    import warnings

    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w") as packed:
        warnings.simplefilter("ignore")  # two records of one name
        for where, value in pairs:
            packed.writestr(where, value)
        packed.comment = comment
    return buffer.getvalue()


def older(
    contents: bytes, keys: bytes = plain([]), *, first: bytes = plain(MAGIC), machine: bytes = plain({})
) -> bytes:
    """As torch.save wrote before 1.6."""
    return first + plain(1001) + machine + contents + keys


def hparams(**values: Any) -> bytes:
    return archive(plain({"state_dict": {}, "hyper_parameters": values}))


def link(where: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(where)
    info.external_attr = 0o120777 << 16
    return info


def tarred() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as packed:
        for where in ("storages", "tensors", "pickle", "../../escaped"):
            body = plain(Gadget())
            info = tarfile.TarInfo(where)
            info.size = len(body)
            packed.addfile(info, io.BytesIO(body))
    return buffer.getvalue()


def with_size(packed: bytes, size: int) -> bytes:
    """The archive with another size for data.pkl in its directory."""
    at = packed.index(b"PK\x01\x02")
    return packed[: at + 20] + struct.pack("<II", size, size) + packed[at + 28 :]


def nested(depth: int, kind: bytes = b"\x85", core: bytes = b")") -> bytes:
    return core + kind * depth


def laughs(levels: int = 40) -> bytes:
    """A list of two of the same list of two ...: 2**levels to whoever walks it."""
    twice = (b"](h" + bytes([i]) + b"h" + bytes([i]) + b"eq" + bytes([i + 1]) for i in range(levels))
    return b"(]q\x00" + b"".join(twice) + b"t"


def copies(function: bytes, count: int = 20_000, more: bytes = b"\x85") -> bytes:
    """A tuple of many results of one call on what is memoised at 0."""
    return function + b"q\x01(" + (b"h\x01h\x00" + more + b"R") * count + b"t"


def array(kind: bytes, side: bytes, data: bytes = b"C\x00") -> bytes:
    """An array of numpy's, of one side."""
    made = call("numpy._core.multiarray", "_reconstruct", name("numpy", "ndarray"), b"K\x00\x85", b"C\x01b")
    return (
        made
        + b"(K\x01"
        + side
        + b"\x85"
        + call("numpy", "dtype", text(kind.decode()), b"\x89", b"\x88")
        + b"\x89"
        + data
        + b"tb"
    )


def arrays(count: int) -> bytes:
    """Many arrays over the bytes that are memoised once."""
    buffer = b"B" + struct.pack("<I", 500_000) + bytes(500_000) + b"q\x05"
    kind = call("numpy", "dtype", text("u1"), b"\x89", b"\x88") + b"q\x06"
    one = b"h\x07(h\x05h\x06" + number(500_000) + b"\x85" + text("C") + b"tR"
    return buffer + kind + name("numpy._core.numeric", "_frombuffer") + b"q\x07(" + one * count + b"t"


def doubling(steps: int = 60) -> Any:
    """A configuration whose texts each hold the one before twice."""
    from omegaconf import OmegaConf

    return OmegaConf.create({"x0": "ab" * 50, **{f"x{i}": f"${{x{i - 1}}}${{x{i - 1}}}" for i in range(1, steps)}})


def overlapping(packed: bytes) -> bytes:
    """The archive with one record where another is, in its directory."""
    first, second = (packed.rindex(key) - 46 for key in (b"archive/data/0", b"archive/data/1"))
    return packed[: second + 42] + packed[first + 42 : first + 46] + packed[second + 46 :]


HONEST = {"state_dict": {}, "pytorch-lightning_version": "2.6.6"}
SYSTEM = name("os", "system")
COMMAND = text("true")
BIG = number(10**12)
HUGE_BYTES = call("builtins", "bytearray", number(10**9))

FILES: dict[str, Callable[[], bytes]] = {
    # a gadget in every place of a checkpoint
    "state_dict value": lambda: archive(plain({"state_dict": {"w": Gadget()}})),
    "state_dict itself": lambda: archive(plain({"state_dict": Gadget()})),
    "hparams": lambda: hparams(width=Gadget()),
    "deep in hparams": lambda: hparams(a=[{"b": (1, [Gadget()])}]),
    "callbacks": lambda: archive(plain({**HONEST, "callbacks": {"ModelCheckpoint": Gadget()}})),
    "optimizer states": lambda: archive(plain({**HONEST, "optimizer_states": [{"state": {0: Gadget()}}]})),
    "loops": lambda: archive(plain({**HONEST, "loops": {"fit_loop": Gadget()}})),
    "version": lambda: archive(plain({**HONEST, "pytorch-lightning_version": Gadget()})),
    "a key": lambda: archive(plain({**HONEST, Hashed(): 1})),
    "the whole": lambda: archive(plain(Gadget())),
    "deployment facts": lambda: archive(plain({**HONEST, "lit_deploy": Gadget()})),
    "hparams_name gadget": lambda: archive(plain({**HONEST, "hparams_name": Gadget()})),
    # opcodes
    "reduce": lambda: archive(ops(SYSTEM, b"(", COMMAND, b"tR")),
    "inst": lambda: archive(ops(b"(", COMMAND, b"ios\nsystem\n")),
    "obj": lambda: archive(ops(b"(", SYSTEM, COMMAND, b"o")),
    "newobj": lambda: archive(ops(name("subprocess", "Popen"), b"(", COMMAND, b"t\x81")),
    "newobj_ex": lambda: archive(ops(name("subprocess", "Popen"), b"(", COMMAND, b"t}\x92")),
    "stack_global": lambda: archive(ops(text("os"), text("system"), b"\x93(", COMMAND, b"tR")),
    "build": lambda: archive(checkpoint(x=call("collections", "OrderedDict") + table(items=COMMAND) + b"b")),
    "build of a dict": lambda: archive(checkpoint(x=b"}" + table(__class__=SYSTEM) + b"b")),
    "ext1": lambda: archive(ops(b"\x82\x01")),
    "memo that is not there": lambda: archive(ops(b"h\x07")),
    "memo swapped": lambda: archive(
        ops(name("collections", "OrderedDict"), b"q\x00", SYSTEM, b"q\x00h\x00(", COMMAND, b"tR")
    ),
    "text persistent id": lambda: archive(ops(b"Pos.system\n")),
    "module persistent id": lambda: archive(ops(b"(", text("module"), SYSTEM, COMMAND, COMMAND, b"tQ")),
    "dotted global": lambda: archive(ops(name("torch._utils", "_rebuild_tensor_v2.__globals__"))),
    "eval": lambda: archive(ops(call("builtins", "eval", text("1")))),
    "getattr": lambda: archive(ops(call("builtins", "getattr", SYSTEM, text("x")))),
    "torch.load": lambda: archive(ops(call("torch.serialization", "load", text("/etc/passwd")))),
    "torch.hub": lambda: archive(ops(call("torch.hub", "load", text("a/b")))),
    "partial": lambda: archive(ops(call("functools", "partial", SYSTEM, COMMAND))),
    "import through an alias": lambda: archive(ops(call("__builtin__", "__import__", text("hostile_module")))),
    "numpy": lambda: archive(ops(call("numpy._core.multiarray", "_reconstruct", text("x")))),
    "rebuild through a name": lambda: archive(
        ops(
            call("torch._tensor", "_rebuild_from_type_v2", SYSTEM, name("torch", "Tensor"), b"(" + COMMAND + b"t", b"}")
        )
    ),
    "codec": lambda: archive(checkpoint(x=call("_codecs", "encode", text("x"), text("zlib_codec")))),
    "nothing on the stack": lambda: archive(ops(b"RRR")),
    # small on the disk, large in memory
    "bytearray": lambda: archive(checkpoint(x=call("builtins", "bytearray", BIG))),
    "size of bytes": lambda: archive(checkpoint(x=call("torch", "Size", HUGE_BYTES))),
    "counter of bytes": lambda: archive(checkpoint(x=call("collections", "Counter", HUGE_BYTES))),
    "untyped storage": lambda: archive(checkpoint(x=call("torch.storage", "UntypedStorage", BIG))),
    "tensor class": lambda: archive(checkpoint(x=call("torch", "FloatTensor", BIG))),
    "storage larger than its record": lambda: archive(checkpoint(x=tensor(10**12, 0, 4, 1)), {"data/0": bytes(16)}),
    "storage a little larger": lambda: archive(checkpoint(x=tensor(5, 0, 5, 1)), {"data/0": bytes(16)}),
    "tensor beyond its storage": lambda: archive(checkpoint(x=tensor(4, 0, 10**12, 1)), {"data/0": bytes(16)}),
    "tensor before its storage": lambda: archive(checkpoint(x=tensor(4, -8, 4, 1)), {"data/0": bytes(16)}),
    "strides that lie": lambda: archive(checkpoint(x=tensor(4, 0, 4, 10**12)), {"data/0": bytes(16)}),
    "storage without a record": lambda: archive(checkpoint(x=tensor(4, 0, 4, 1))),
    "storage key that climbs": lambda: archive(checkpoint(x=tensor(4, 0, 4, 1, "../../../etc/passwd"))),
    "endless view": lambda: archive(
        ops(table(state_dict=table(**{"body.2.bias": tensor(1, 0, 10**12, 0)}))), {"data/0": bytes(4)}
    ),
    "deep tuple as a key": lambda: archive(ops(b"}", nested(300_000), b"Ns")),
    "deep tuple in a set": lambda: archive(ops(call("builtins", "set", b"](" + nested(300_000) + b"e"))),
    "deep hparams": lambda: archive(checkpoint(hyper_parameters=table(x=nested(300_000)))),
    "laughs": lambda: archive(checkpoint(hyper_parameters=table(x=laughs()))),
    "dict in itself": lambda: archive(checkpoint(hyper_parameters=b"}q\x00" + text("x") + b"h\x00s")),
    "string longer than the file": lambda: archive(ops(b"X\xff\xff\xff\x7f")),
    "memo index": lambda: archive(ops(b"}r\xff\xff\xff\xff")),
    "empty lists": lambda: archive(ops(b"](" + b"]" * 1_000_000 + b"e")),
    "memo without end": lambda: archive(b"\x80\x04]" + b"\x94" * 1_000_000 + b"."),
    "one list copied": lambda: archive(
        ops(b"](" + b"]K\x01aK\x01a" * 30_000 + b"eq\x00", copies(name("collections", "OrderedDict")))
    ),
    "one list as many deques": lambda: archive(
        ops(b"](" + b"K\x01" * 300_000 + b"eq\x00", copies(name("collections", "deque")))
    ),
    "one state for many": lambda: archive(
        ops(
            b"}(" + b"".join(text(str(i)) + b"N" for i in range(30_000)) + b"uq\x00",
            name("argparse", "Namespace") + b"q\x01(" + b"h\x01)\x81h\x00b" * 20_000 + b"t",
        )
    ),
    "one text as many bytes": lambda: archive(
        ops(text("x" * 200_000) + b"q\x00", copies(name("_codecs", "encode"), more=text("latin1") + b"\x86"))
    ),
    "one array many times": lambda: archive(b"\x80\x04" + arrays(20_000) + b"."),
    "an array of nothing": lambda: archive(checkpoint(x=array(b"S0", number(10**15)))),
    "an array larger than its bytes": lambda: archive(checkpoint(x=array(b"f8", BIG))),
    "a dtype that is large": lambda: archive(checkpoint(x=array(b"f8,(99999,99999)f8", number(1)))),
    "numbers with one hash": lambda: archive(
        ops(b"}(" + b"".join(number(i * (2**61 - 1)) + b"N" for i in range(20_000)) + b"u")
    ),
    "a number of many digits": lambda: hparams(seed=1 << 4_000_000),
    "interpolations that double": lambda: archive(plain({"state_dict": {}, "hyper_parameters": doubling()})),
    "a fraction": lambda: archive(checkpoint(x=call("fractions", "Fraction", text("1e999999999")))),
    "an expanded hparam": lambda: archive(
        checkpoint(hyper_parameters=table(x=tensor(1, 0, 10**12, 0))), {"data/0": bytes(4)}
    ),
    "expanded without end": lambda: archive(
        ops(table(state_dict=table(w=tensor(1, 0, 2**62, 0)))), {"data/0": bytes(4)}
    ),
    "deep in a newer protocol": lambda: archive(b"\x80\x04" + nested(30_000) + b"."),
    "a deque in itself": lambda: archive(checkpoint(x=name("collections", "deque") + b")Rq\x00h\x00a")),
    "a configuration in itself": lambda: archive(
        checkpoint(
            hyper_parameters=name("omegaconf.dictconfig", "DictConfig")
            + b")\x81q\x00"
            + table(_content=table(a=b"h\x00"), _parent=b"h\x00")
            + b"b"
        )
    ),
    "a name of control characters": lambda: archive(ops(text("os\x1b[2J"), text("sys\ntem"), b"\x93")),
    "a key of control characters": lambda: archive(plain({"state_dict": {"a\nb\x1b[2J": Gadget()}})),
    "extended slots": lambda: archive(
        checkpoint(x=name("argparse", "Namespace") + b")\x81N" + table(a=SYSTEM) + b"\x86b")
    ),
    # the container
    "records that overlap": lambda: overlapping(archive(plain(HONEST), {"data/0": bytes(64), "data/1": bytes(64)})),
    "a checksum that lies": lambda: archive(plain(HONEST), {"data/0": b"here"}).replace(b"here", b"hare", 1),
    "compressed": lambda: archive(plain(HONEST), compress=True),
    "zip bomb": lambda: archive(plain(HONEST), {"data/0": bytes(200 << 20)}, compress=True),
    "two data.pkl": lambda: entries(("archive/data.pkl", plain(HONEST)), ("archive/data.pkl", plain(Gadget()))),
    "two folders": lambda: entries(("a/data.pkl", plain(HONEST)), ("b/data.pkl", plain(Gadget()))),
    "climbing name": lambda: entries(("archive/data.pkl", plain(HONEST)), ("archive/../../escaped", b"x")),
    "absolute name": lambda: entries(("/root/data.pkl", plain(HONEST)), ("/root/byteorder", b"little")),
    "symlink": lambda: entries(("archive/data.pkl", plain(HONEST)), (link("archive/data/0"), b"/etc/passwd")),
    "comment": lambda: entries(("archive/data.pkl", plain(HONEST)), comment=plain(Gadget())),
    "torchscript": lambda: entries(
        ("a/data.pkl", plain(HONEST)), ("a/constants.pkl", plain(Gadget())), ("a/code/m.py", b"")
    ),
    "nested archive": lambda: entries(("inner.ckpt", archive(plain(Gadget())))),
    "archive after a pickle": lambda: plain(Gadget()) + archive(plain(HONEST)),
    "size that lies": lambda: with_size(archive(plain(HONEST)), 0x7FFFFFFF),
    "byte order": lambda: archive(plain(HONEST), {"byteorder": b"middle"}),
    "truncated": lambda: archive(plain({**HONEST, "x": "y" * 4000}))[:-30],
    "gzip": lambda: gzip.compress(plain(Gadget())),
    "tar": tarred,
    "raw pickle": lambda: plain({"state_dict": Gadget()}),
    "raw pickle, protocol 0": lambda: pickle.dumps(Gadget(), protocol=0),
    "raw pickle, protocol 5": lambda: pickle.dumps(Gadget(), protocol=5),
    "older: first": lambda: older(plain(HONEST), first=plain(Gadget())),
    "older: machine": lambda: older(plain(HONEST), machine=plain(Gadget())),
    "older: contents": lambda: older(plain({"state_dict": Gadget()})),
    "older: keys": lambda: older(plain(HONEST), keys=plain(Gadget())),
    "older: storage without bytes": lambda: older(checkpoint(x=tensor(4, 0, 4, 1).replace(b"tQ", b"NtQ"))),
    "older: storage larger than the file": lambda: older(checkpoint(x=tensor(10**12, 0, 4, 1).replace(b"tQ", b"NtQ"))),
    "safetensors header": lambda: struct.pack("<Q", 1 << 40) + b'{"w":',
    # what Lightning would follow
    "instantiator": lambda: hparams(_instantiator="os.system"),
    "instantiator of Lightning": lambda: hparams(
        _instantiator="lightning.pytorch.cli.instantiate_module", _class_path="os.x"
    ),
    "instantiator that is no text": lambda: hparams(_instantiator=["os.system"]),
    "class path in hparams": lambda: hparams(classes={"class_path": "subprocess.Popen", "init_args": {"args": "true"}}),
    "target in hparams": lambda: hparams(classes=[{"_target_": "os.system", "_args_": ["true"]}]),
    "hparams_name self": lambda: archive(plain({**HONEST, "hparams_name": "self", "hyper_parameters": {"a": 1}})),
    "hparams_name list": lambda: archive(plain({**HONEST, "hparams_name": ["classes"], "hyper_parameters": {"a": 1}})),
    "hparams_type": lambda: archive(checkpoint(hyper_parameters=table(a=b"N"), hparams_type=name("torch", "float32"))),
    "class outside lit_trainer": lambda: archive(plain({**HONEST, "lit_deploy": facts(f"{HOSTILE_MODULE}.Net")})),
    "class through lit_trainer": lambda: archive(plain({**HONEST, "lit_deploy": facts("lit_trainer.cli.os.system")})),
    "class with dots": lambda: archive(plain({**HONEST, "lit_deploy": facts("lit_trainer..hostile_module.Net")})),
    "callback's key": lambda: archive(
        plain({**HONEST, "callbacks": {"ModelCheckpoint{__import__('os')}": {"monitor": "a", "current_score": 1.0}}})
    ),
    "callback's deep key": lambda: archive(
        plain({**HONEST, "callbacks": {"ModelCheckpoint" + "(" * 1500: {"monitor": "a", "current_score": 1.0}}})
    ),
    "tables that are none": lambda: archive(plain({"state_dict": [1], "hyper_parameters": 3, "callbacks": "x"})),
    "keys that are numbers": lambda: archive(plain({"state_dict": {1: 2}, "hyper_parameters": {1: 2}})),
}
HARMLESS = {"laughs", "dict in itself", "instantiator of Lightning", "hparams_name self"}
"""These may load: there is nothing in them but odd values."""
OPENED = {
    "hparams",
    "deep in hparams",
    "callbacks",
    "optimizer states",
    "loops",
    "version",
    "a key",
    "hparams_name gadget",
    "build",
    "build of a dict",
    "codec",
    "bytearray",
    "size of bytes",
    "counter of bytes",
    "untyped storage",
    "tensor class",
    "laughs",
    "dict in itself",
    "an array of nothing",
    "an array larger than its bytes",
    "a dtype that is large",
    "a number of many digits",
    "interpolations that double",
    "a fraction",
    "an expanded hparam",
    "a deque in itself",
    "a configuration in itself",
    "extended slots",
    "older: machine",
    "instantiator",
    "instantiator of Lightning",
    "instantiator that is no text",
    "class path in hparams",
    "target in hparams",
    "hparams_name self",
    "hparams_name list",
    "hparams_type",
    "class outside lit_trainer",
    "class through lit_trainer",
    "class with dots",
    "callback's key",
    "callback's deep key",
}
"""These are opened: what would have run is a placeholder that names it."""


def facts(class_path: str) -> dict[str, Any]:
    return {"deployment": {"task": "image-classification", "class_path": class_path}}


_FORBIDDEN = (
    "os.",
    "subprocess.",
    "socket.",
    "shutil.",
    "pty.",
    "ctypes.",
    "webbrowser.",
    "urllib.",
    "sys.",
    "pickle.",
)
_ALLOWED = {"os.listdir", "os.scandir", "os.fstat", "sys._getframe", "os.putenv"}


class Watch:
    """An audit hook: what must not happen while a file is loaded."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)
        self.on = False
        self.seen: list[str] = []

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.on and self._forbidden(event, arguments):
            self.seen.append(f"{event} {arguments!r:.200}")

    def _forbidden(self, event: str, arguments: tuple[Any, ...]) -> bool:
        if event == "open":
            path, mode, flags = arguments
            writes = any(letter in str(mode or "") for letter in "wax+") or (mode is None and int(flags) & 3 != 0)
            return writes and not str(path).startswith(self.folder)
        if event == "import":
            return arguments[0] not in sys.modules
        return event == "exec" or (event.startswith(_FORBIDDEN) and event not in _ALLOWED)


def _load(path: Path) -> list[str]:
    """Every way in; what each came to."""
    from lit_export.front.checkpoint import open_checkpoint
    from lit_export.front.module import load_module
    from lit_export.inspection import inspect
    from lit_export.options import Options
    from lit_infer.errors import LitError

    def with_class(class_path: str | None) -> None:
        load_module(open_checkpoint(artifact=None, checkpoint=path), Options(class_path=class_path))

    ways: list[Callable[[], object]] = [
        lambda: with_class(None),
        lambda: with_class("tests.export.foreign:Needy"),
        lambda: with_class("tests.export.foreign:Nested"),
        lambda: open_checkpoint(artifact=None, checkpoint=path),
        lambda: inspect(str(path)),
    ]
    results = []
    for way in ways:
        try:
            way()
            results.append("loaded")
        except LitError as error:
            results.append(f"refused {error}")
        except BaseException as error:
            results.append(f"TRACEBACK {type(error).__name__} {error}")
    return results


def main(folder: Path) -> None:
    import encodings.cp437  # noqa: F401 - zipfile's, for names that are no UTF-8
    import tempfile

    import lit_infer.tasks  # noqa: F401 - our own, which is looked at when a checkpoint says its task
    import lit_trainer.cli  # noqa: F401 - our own, which a checkpoint may name

    tempfile.tempdir = str(folder)
    sys.path.insert(0, str(folder))
    watch = Watch(folder)
    sys.addaudithook(watch)
    _load(folder / "honest.ckpt")  # what is imported when it is first used
    _load(folder / "broken.ckpt")
    gc.freeze()  # torch, which would be looked through for garbage with every file of many small objects
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + (2 << 30), resource.RLIM_INFINITY))
    for path in sorted(folder.glob("hostile-*")):
        print(json.dumps({"start": path.name}), flush=True)  # noqa: T201
        watch.on, watch.seen = True, []
        results = _load(path)
        watch.on = False
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - used
        outcome = {"name": path.name, "results": results, "seen": watch.seen, "grown_kb": grown}
        print(json.dumps(outcome), flush=True)  # noqa: T201
    gc.unfreeze()


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
