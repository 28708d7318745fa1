# Two commands do everything on a fresh machine: `make demo` and `make test`.
# Both install what is missing first and say so; see tools/setup.sh.

# One process a core, each with one thread of PyTorch and a virtual screen of its own.
PYTEST = OMP_NUM_THREADS=1 .venv/bin/python -m pytest -n auto --maxprocesses=4 --dist worksteal

.PHONY: demo check test test-all clean

demo:  ## open napari with a sample image and segment it (a screenshot where there is no display)
	tools/setup.sh
	tools/with-display.sh .venv/bin/napari-superpixels demo $(if $(DISPLAY)$(WAYLAND_DISPLAY),,--output demo-output)

check:  ## linters, types, import contracts, manifest
	tools/setup.sh test
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/npe2 validate --imports napari-superpixels

test: check  ## and the tests, without those that take long: what to run all day
	$(PYTEST) -m "not slow"

test-all: check  ## and all tests, with coverage: what CI runs
	$(PYTEST) --cov --cov-report=term

clean:
	rm -rf .venv demo-output dist build
