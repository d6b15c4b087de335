# `make` alone lists the commands. Each of them first sets up .venv, where that is missing or out of date.

PYTHON ?= python3
IN_VENV = .venv/bin/python
READY = .venv/.ready
CLUSTERS = .venv/.clusters

export MLFLOW_DISABLE_TELEMETRY = true
export DO_NOT_TRACK = true

# REQUIRE_DATA and BENCH_DATA reach the commands as environment variables, the other settings as options
flag = $(if $($1),--$2 '$($1)')
RESULTS_FLAG = $(call flag,RESULTS,results)
CELL_FLAGS = $(call flag,SCHEDULE,schedule) $(call flag,BITS,bits) $(call flag,SEEDS,seeds) $(call flag,DEVICE,device) \
	$(call flag,PRECISION,precision) $(call flag,THREADS,threads) $(call flag,SLOTS,slots) $(RESULTS_FLAG)
RUN_FLAGS = $(call flag,METHODS,method) $(call flag,TIMEOUT,timeout) $(CELL_FLAGS)

define HELP
Commands:
  make bench-cifar10    run the sweep on CIFAR-10 and show the table
  make bench-cifar100   run the sweep on CIFAR-100 and show the table
  make table            show the tables of the stored results
  make leaderboard      write all tables, the plots and results/index.html again from the stored results
  make regress METHOD=mine   is a method worse than its reference or base? (Error 3: it is; Error 4: cannot tell)
  make test             run the tests that take less than ten minutes on two cores
  make test-all         run those and the slow ones
  make microbench       time what a sweep spends its time in, as ratios, beside the stored ones (docs/benchmarks.md)
  make clean            delete .venv; results and data stay

Settings of the two sweeps, as in: make bench-cifar10 BITS=W4A4,W3A3 SCHEDULE=quick
  SCHEDULE=smoke|quick|paper   length of training (default: smoke on a CPU, quick on a GPU)
  METHODS=NAME                 methods of the suite to run, * and ? allowed (default: all)
  BITS=W4A4,W3A3               bit-widths (default: those of the suite)
  SEEDS=N                      number of seeds (default: those of the suite)
  DEVICE=auto|cpu|cuda         where to train (default: a GPU if there is one)
  PRECISION=fp32|bf16          arithmetic of training (default: that of the suite)
  THREADS=N SLOTS=N            CPU threads of a cell, and how many groups of cells run at once (docs/sweeps.md)
  TIMEOUT=45m                  end a cell that takes longer
  BASELINE=REF REPORT=FILE     of `make regress`: compare with another method or reference; write a report, too
  ONLY=NAME                    of `make microbench`: those with this in their names
  REQUIRE_DATA=1               fail where CIFAR is missing, instead of running on stand-in images
  RESULTS=DIR                  results folder of any command (default: results)
  BENCH_DATA=DIR               folder of the images (default: data)
  PYTHON=COMMAND               Python 3.11 or newer to set up .venv with (default: python3)
endef

.PHONY: help bench-cifar10 bench-cifar100 table leaderboard regress test test-all microbench clean
.NOTPARALLEL:

help:
	$(info $(HELP))@:

bench-cifar10 bench-cifar100: bench-%: $(READY)
	$(IN_VENV) -m bench run suites/$*.toml --stand-in $(subst cifar,shapes,$*) --pretrain $(RUN_FLAGS)

table: $(READY)
	$(IN_VENV) -m bench table $(RESULTS_FLAG)

leaderboard: $(READY)
	$(IN_VENV) -m bench leaderboard $(RESULTS_FLAG) $(if $(RESULTS),,--readme README.md)
	$(IN_VENV) -m bench claims $(RESULTS_FLAG) --markdown $(or $(RESULTS),results)/tables/claims.md
	$(IN_VENV) -m bench plots $(RESULTS_FLAG)
	$(IN_VENV) -m bench page $(RESULTS_FLAG)

regress: $(READY)
	$(if $(METHOD),,$(error name a method: make regress METHOD=mine))
	$(IN_VENV) -m bench regress '$(METHOD)' $(call flag,BASELINE,baseline) $(call flag,REPORT,report) $(CELL_FLAGS)

test: $(READY)
	$(IN_VENV) -m pytest

test-all: test $(CLUSTERS)
	$(IN_VENV) -m pytest -m slow

microbench: $(READY)
	$(IN_VENV) -m pytest tests/benchmarks --benchmark-quiet --benchmark-autosave --benchmark-compare='*' \
		$(if $(ONLY),-k '$(ONLY)')

clean:
	rm -rf .venv

PIP = $(PYTHON) -m pip --python $(IN_VENV) $(if $(MAKE_TERMOUT),,--quiet)
NO_PYTHON = make: '$(PYTHON)' is no Python 3.11 or newer with pip and venv; name one: make PYTHON=/path/to/python3

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import pip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
		|| { echo "$(NO_PYTHON)" >&2; exit 1; }
	@echo "Setting up .venv (some minutes the first time)"
	$(PYTHON) -m venv --without-pip .venv
	$(PIP) install --constraint constraints.txt pip --editable '.[export]'
	touch $@

$(CLUSTERS): $(READY)
	$(PIP) install --constraint constraints.txt --editable '.[export,ray,slurm]'
	touch $@
