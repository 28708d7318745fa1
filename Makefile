# Two commands do everything on a fresh machine: `make demo` and `make test`.
# Both install what is missing first and say so; see tools/setup.sh.

# One process a core, each with one thread of PyTorch and a virtual screen of its own.
PYTEST = OMP_NUM_THREADS=1 .venv/bin/python -m pytest -n auto --maxprocesses=4 --dist worksteal

.PHONY: demo test slow clean

demo:  ## open napari with a sample image and segment it (a screenshot where there is no display)
	tools/setup.sh all
	tools/with-display.sh .venv/bin/napari-superpixels demo $(if $(DISPLAY)$(WAYLAND_DISPLAY),,--output demo-output)

test:  ## linters, types, layers, manifest and the default test suite, with coverage
	tools/setup.sh all,test
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/npe2 validate --imports napari-superpixels
	$(PYTEST) -m "not slow" --cov --cov-report=term

slow:  ## the tests that take long
	tools/setup.sh all,test
	$(PYTEST) -m slow

clean:
	rm -rf .venv demo-output dist build
