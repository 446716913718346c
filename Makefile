# Everything runs in .venv, which uv makes from uv.lock. Where uv is missing it comes into .tools, a folder of
# this project. No path here is absolute, so a checkout may lie below a folder with a space in its name.
.PHONY: install demo test check fuzz bench gpu gpu-wheels clean

# The machine's certificates, which know a company's proxy; uv's own do not.
export UV_SYSTEM_CERTS ?= 1

UV = $(shell command -v uv || echo .tools/bin/uv)
PY = .venv/bin/python

install:
	@command -v uv >/dev/null || test -x .tools/bin/uv || \
		{ python3 -m venv .tools && .tools/bin/python -m pip install --quiet --disable-pip-version-check "uv>=0.9"; }
	@test -x $(PY) || echo "Setting up .venv; about 6 GB, most of it PyTorch."
	@# Compiled once here, each of the many processes that import torch starts twice as fast.
	@"$(UV)" sync --locked --compile-bytecode $$(test -x $(PY) && echo --quiet)

demo: install
	@$(PY) examples/demo.py

test: install
	$(PY) -m pytest
	@# The pixels again, as where no C compiler was: by Pillow and NumPy.
	LIT_PIXELS=pillow $(PY) -m pytest -q tests/inference/images

check: install
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	@"$(UV)" lock --check --quiet

# Each harness for FUZZ_S seconds; what breaks one is kept in tests/fuzz/seeds, to be committed with its cure.
fuzz: install
	FUZZ_S=$(or $(FUZZ_S),60) $(PY) -m tests.fuzz

# At its end the figures with their aims, as in benchmarks/README.md.
bench: export LIT_FIGURES = artifacts/figures.jsonl
bench: install
	@rm -f $(LIT_FIGURES)
	$(PY) benchmarks/resizing.py --peers
	$(PY) benchmarks/folder.py --peers
	$(PY) benchmarks/training.py
	$(PY) benchmarks/serving.py --peers
	@$(PY) benchmarks/figures.py $(LIT_FIGURES)

# On a machine with an NVIDIA GPU, which needs no network; without one: LIT_GPU_DEVICE=cpu sh benchmarks/gpu.sh --quick
gpu:
	@sh benchmarks/gpu.sh

# What a machine with torch and its usual company may lack, for its Python (GPU_PYTHON), into .whl/.
gpu-wheels:
	python3 -m pip download --quiet --no-deps --only-binary=:all: --python-version $(or $(GPU_PYTHON),3.12) \
		--platform manylinux_2_28_x86_64 --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 -d .whl \
		msgspec simplejpeg jsonargparse rich typer httptools uvicorn starlette

clean:
	rm -rf .venv .tools .mypy_cache .pytest_cache .ruff_cache
