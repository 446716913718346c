#!/bin/sh
# `make gpu`: the gpu tests and the table, on a machine with an NVIDIA GPU and no network.
# It uses $PY, else this checkout's environment, else the machine's own python3 with its torch. What that one lacks
# travels as wheels in .whl/ (`make gpu-wheels` on a machine that has a network).
set -eu
cd "$(dirname "$0")/.."
PY="${PY:-$([ -x .venv/bin/python ] && echo .venv/bin/python || echo python3)}"
OUT="${OUT:-artifacts/gpu}"
if [ -d .whl ]; then
    "$PY" -m pip install --quiet --no-index --no-deps --target .whl/site .whl/*.whl
fi
export PYTHONPATH="$PWD/inference:$PWD/export:$PWD/trainer_pkg${PYTHONPATH:+:$PYTHONPATH}:$PWD/.whl/site"
kernel=inference/lit_infer/images/resampling
if ! ls "$kernel"/_kernel*.so >/dev/null 2>&1; then
    include="$("$PY" -c 'import sysconfig; print(sysconfig.get_path("include"))')"
    cc -std=c11 -O3 -ffp-contract=off -fPIC -shared -I"$include" "$kernel/kernel.c" -lm -o "$kernel/_kernel.abi3.so" ||
        echo "no kernel here: photos are resized by Pillow" >&2
fi
[ "${LIT_GPU_DEVICE:-cuda}" = cpu ] || "$PY" -m pytest -m gpu -n 0 tests/inference/engines
exec "$PY" benchmarks/gpu.py --device "${LIT_GPU_DEVICE:-cuda}" --out "$OUT" "$@"
