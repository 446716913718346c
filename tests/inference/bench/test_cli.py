"""`lit-bench` as users run it."""

import json
import re
import signal
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from lit_infer import manifest
from tests.conftest import BIN, run_command
from tests.inference.bench.servers import KEY
from tests.inference.tiny import listed, make_bundle, rewrite, without
from tests.support.server.process import Server, serving

QUICK = ("--seconds", "0.05", "--batch-sizes", "1,2")


def bench(cwd: Path, *arguments: Any, **environment: str) -> subprocess.CompletedProcess[str]:
    return run_command(["lit-bench", *map(str, arguments)], cwd, **environment)


def test_json_holds_all_that_was_measured_and_where(tmp_path: Path, bundle_folder: Path) -> None:
    done = bench(tmp_path, "-m", bundle_folder, "--json", *QUICK)

    found = json.loads(done.stdout)
    assert done.returncode == 0
    assert found["model"] == str(bundle_folder)
    assert found["environment"]["cores"] >= 1
    assert [(row["format"], row["batch_size"]) for row in found["rows"]] == [("onnx", 1), ("onnx", 2)]
    assert all(row["p50_ms"] > 0 for row in found["rows"])


def test_a_table_goes_to_stdout_and_the_model_and_the_machine_to_stderr(tmp_path: Path, bundle_folder: Path) -> None:
    done = bench(tmp_path, "-m", bundle_folder / "model.onnx", *QUICK)

    rows = [line.split() for line in done.stdout.splitlines()]
    assert rows[0][:2] == ["format", "batch"]
    assert [row[:2] for row in rows[1:]] == [["onnx", "1"], ["onnx", "2"]]
    assert done.stderr.startswith(f"model {bundle_folder}/model.onnx (colours@0123456789ab)")
    assert re.search(r"\d+ cores", done.stderr)


def test_batch_sizes_are_sorted_and_each_comes_once(tmp_path: Path, bundle_folder: Path) -> None:
    done = bench(tmp_path, "-m", bundle_folder, "--json", "-q", "--seconds", "0.05", "--batch-sizes", "4, 1,4")

    assert [row["batch_size"] for row in json.loads(done.stdout)["rows"]] == [1, 4]
    assert done.stderr == ""


@pytest.mark.parametrize("sizes", ["x", "0", "1,,2", "-1", "1.5", "4097", ",", "8,", ""])
def test_batch_sizes_that_make_no_sense_are_explained(sizes: str, tmp_path: Path, bundle_folder: Path) -> None:
    done = bench(tmp_path, "-m", bundle_folder, "--seconds", "0.05", "--batch-sizes", sizes)

    assert done.returncode == 2
    assert "expected whole numbers from 1 to 4096, separated by commas" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_default_model_is_named(tmp_path: Path, own_folders: Path) -> None:
    folder = make_bundle(own_folders / "bundles/colours-v3")

    done = bench(tmp_path, *QUICK)

    assert done.stderr.startswith(f"model {folder} ")


def test_without_a_model_the_ways_to_one_are_named(tmp_path: Path) -> None:
    done = bench(tmp_path, *QUICK)

    assert done.returncode == 2
    assert "no bundle below" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_format_without_its_engine_is_named_with_the_command_that_brings_it(tmp_path: Path) -> None:
    folder = make_bundle(tmp_path / "bundle")
    (folder / "model.pt").write_bytes(b"never opened here")
    rewrite(folder, graphs=(*manifest.read(folder).graphs, listed(folder / "model.pt", "torchscript")))

    done = bench(tmp_path, "-m", folder, "--json", *QUICK, **without(tmp_path / "hide", "torch"))

    assert done.returncode == 0
    assert 'model.pt is left out: torch is not installed (pip install "lit-deploy[torch]")' in done.stderr
    assert {row["format"] for row in json.loads(done.stdout)["rows"]} == {"onnx"}


def test_images_callers_threads_and_a_cold_start_are_measured_in_one_go(
    tmp_path: Path, bundle_folder: Path, colours: Path
) -> None:
    line = ("--from", colours, "--threads", "1,2", "--callers", "1,4", "--cold", "--json", "-q")

    done = bench(tmp_path, "-m", bundle_folder, *line, *QUICK)

    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)

    kinds = {(row["via"], row["threads"], row["batch_size"], row["callers"]) for row in found["rows"]}
    assert kinds == {
        *{("call", threads, size, 1) for threads in (1, 2) for size in (1, 2)},
        *{("submit", threads, 8, callers) for threads in (1, 2) for callers in (1, 4)},
    }
    assert all(row["decoded"] and set(row["stages_ms"]) for row in found["rows"])
    assert [row["format"] for row in found["cold"]] == ["onnx"]


def test_an_earlier_measurement_is_compared_with(tmp_path: Path, bundle_folder: Path) -> None:
    (tmp_path / "old.json").write_text(bench(tmp_path, "-m", bundle_folder, "--json", *QUICK).stdout)

    table = bench(tmp_path, "-m", bundle_folder, "--compare", "old.json", *QUICK)
    data = bench(tmp_path, "-m", bundle_folder, "--compare", "old.json", "--json", *QUICK)

    assert "now / then" in table.stdout
    assert "not the same" not in table.stderr
    found = json.loads(data.stdout)
    assert found["changed"] == []
    assert {one["figure"] for one in found["compared"]} >= {"p50_ms", "images_per_s"}


def test_a_comparison_with_another_model_says_so(tmp_path: Path, bundle_folder: Path) -> None:
    old = json.loads(bench(tmp_path, "-m", bundle_folder, "--json", *QUICK).stdout)
    (tmp_path / "old.json").write_text(json.dumps({**old, "digest": "other", "identity": "other@1"}))

    done = bench(tmp_path, "-m", bundle_folder, "--compare", "old.json", *QUICK)

    assert done.returncode == 0
    assert "not the same: model was other@1, is colours@0123456789ab" in done.stderr


def test_a_picture_is_drawn(tmp_path: Path, bundle_folder: Path) -> None:
    done = bench(tmp_path, "-m", bundle_folder, "--plot", "out.png", *QUICK)

    assert done.returncode == 0
    assert "wrote out.png" in done.stderr
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")


def test_scenarios_take_the_place_of_the_sweep(tmp_path: Path, bundle_folder: Path) -> None:
    done = bench(tmp_path, "-m", bundle_folder, "--scenario", "single-stream", "--seconds", "0.2", "--json")

    found = json.loads(done.stdout)
    assert found["rows"] == []
    assert [row["scenario"] for row in found["scenarios"]] == ["single-stream"]
    assert "driven by" in done.stderr


def test_without_the_load_generator_our_own_driver_says_so(tmp_path: Path, bundle_folder: Path) -> None:
    environment = without(tmp_path / "hide", "mlperf_loadgen")

    done = bench(tmp_path, "-m", bundle_folder, "--scenario", "offline", "--seconds", "0.2", **environment)

    assert done.returncode == 0
    assert "driven by lit-bench" in done.stderr
    assert "Offline" in done.stdout


def test_a_rate_that_is_not_held_is_exit_1(tmp_path: Path, bundle_folder: Path) -> None:
    line = ("--scenario", "server", "--rate", "1000", "--latency-bound", "0.001", "--seconds", "0.6")

    done = bench(tmp_path, "-m", bundle_folder, *line)

    assert done.returncode == 1
    assert "server on onnx is not valid" in done.stderr


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (("--scenario", "x"), "--scenario 'x': use all or single-stream"),
        (("--compare", "nowhere.json"), "nowhere.json: No such file"),
        (("--plot", "out.gif"), ".png, .svg or .pdf"),
        (("--plot", "out.png", "--scenario", "all"), "which --scenario replaces"),
        (("--engine", "onx"), "'onx' is not known"),
        (("--threads", "0"), "--threads '0': expected whole numbers"),
        (("--from", "nowhere"), "nowhere"),
        (("--inputs", "nowhere.npz"), "nowhere.npz cannot be read"),
        (("--ca", "x.pem"), "--ca is for servers: give --url too"),
        (("another",), "two models are named, another and --model"),
    ],
)
def test_a_mistake_is_one_line_before_anything_is_measured(
    line: tuple[str, ...], says: str, tmp_path: Path, bundle_folder: Path
) -> None:
    done = bench(tmp_path, "-m", bundle_folder, *line)

    assert done.returncode == 2
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


def test_what_is_only_for_this_process_is_refused_of_a_server(tmp_path: Path) -> None:
    done = bench(tmp_path, "--url", "http://127.0.0.1:1", "--cold")

    assert done.returncode == 2
    assert "--cold is for a model in this process; a server has its own. Name a model" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_server_is_measured_beside_its_bundle(tmp_path: Path, proven: Path, server: Server) -> None:
    urls = ("--url", server.url, "--url", f"grpc://{server.grpc}")

    done = bench(tmp_path, proven, *urls, "--json", "--device", "cpu", *QUICK)

    found = json.loads(done.stdout)
    assert done.returncode == 0
    assert {row["format"] for row in found["rows"]} == {"onnx", "http", "grpc"}
    assert [(one["url"], one["server"], one["model_version"]) for one in found["served"]] == [
        (server.url, "lit-serve", "1"),
        (f"grpc://{server.grpc}", "lit-serve", "1"),
    ]
    assert (
        f"http is colours version 1 on lit-serve {found['served'][0]['server_version']} at {server.url}" in done.stderr
    )
    assert f"--device: for {proven} in this process; the servers have their own" in done.stderr


def test_requests_that_failed_are_exit_1_and_told(tmp_path: Path, narrow: Server) -> None:
    load = ("--scenario", "server", "--rate", "100", "--seconds", "0.2")

    done = bench(tmp_path, "--url", narrow.url, "--model", "colours", *load, LIT_API_KEY=KEY)

    assert done.returncode == 1
    assert re.search(r"server on http is not valid: \d+ of \d+ queries failed: ", done.stderr)
    assert "client + HTTP floor" in done.stderr


def test_ctrl_c_prints_what_was_measured_so_far(tmp_path: Path, bundle_folder: Path) -> None:
    line = [BIN / "lit-bench", "-m", bundle_folder, "--seconds", "600", "--batch-sizes", "1", "--json"]
    with subprocess.Popen(
        line, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stderr is not None
        process.stderr.readline()  # the model's name: the measurement begins
        cpu = Path(f"/proc/{process.pid}/stat")
        begun = _ticks(cpu)
        while _ticks(cpu) < begun + 30 and process.poll() is None:
            pass  # until it has worked for 0.3 s since
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=900)

    assert process.returncode == 130
    assert json.loads(out)["interrupted"] is True
    assert json.loads(out)["rows"][0]["calls"] > 0
    assert "interrupted" in err
    assert "Traceback" not in err


def test_a_server_that_ends_meanwhile_costs_no_figures(tmp_path: Path, proven: Path) -> None:
    requests = 'nv_inference_request_success{model="colours",version="1"} '
    with serving(proven) as server:
        line = [BIN / "lit-bench", "--url", server.url, "--seconds", "600", "--batch-sizes", "1", "--json"]
        with subprocess.Popen(line, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            while float(httpx.get(f"{server.url}/metrics").text.partition(requests)[2].split()[0]) < 50:
                pass
            server.process.kill()
            out, err = process.communicate(timeout=900)

    found = json.loads(out)
    assert process.returncode == 1
    assert [row["calls"] > 0 for row in found["rows"]] == [True]
    assert f"error: {found['error']}" in err
    assert "Traceback" not in err


def _ticks(stat: Path) -> int:
    fields = stat.read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def test_help_does_not_import_numpy(tmp_path: Path) -> None:
    done = bench(tmp_path, "--help", PYTHONPROFILEIMPORTTIME="1")

    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert done.returncode == 0
    assert "lit_infer.bench.cli" in imported
    assert not {"numpy", "torch", "onnxruntime"} & imported
