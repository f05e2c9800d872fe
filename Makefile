# `make run` is all a new machine needs; it wants python3, python3-venv and make.

PYTHON ?= python3
ADDRESS ?= 127.0.0.1:8000
VENV = .venv
SCALE ?= 1
BENCH_VENV = .venv-bench
SBOM_VENV = .venv-sbom
INSTALL = bin/python -m pip install --quiet --disable-pip-version-check

.PHONY: help run test messages sbom bench setup setup-dev clean

help:
	@echo "make run        the demo clinic, at http://127.0.0.1:8000 (make run ADDRESS=127.0.0.1:8001)"
	@echo "make test       the tests (on PostgreSQL with DATABASE_URL=postgres://... make test)"
	@echo "make messages   write new strings into locale/, and compile the translations"
	@echo "make sbom       the packages of the platform, as CycloneDX, into sbom.json"
	@echo "make bench      how fast it is, beside others, into benchmarks/RESULTS.md (make bench SCALE=0.1)"
	@echo "make setup      only install what the platform needs, into $(VENV)"
	@echo "make setup-dev  the same for the tests and the lint"
	@echo "make clean      remove $(VENV), $(BENCH_VENV) and the caches; the database and .env stay"

run: setup .env
	$(VENV)/bin/python manage.py demo $(ADDRESS)

test: setup-dev
	$(VENV)/bin/python -m pytest -n auto

messages: setup-dev
	$(VENV)/bin/python manage.py messages

sbom: setup-dev
	rm -rf $(SBOM_VENV)
	$(PYTHON) -m venv $(SBOM_VENV)
	$(SBOM_VENV)/$(INSTALL) -r requirements.txt
	$(VENV)/bin/cyclonedx-py environment $(SBOM_VENV) -o sbom.json

bench: $(BENCH_VENV)/installed
	$(BENCH_VENV)/bin/python -m benchmarks.compare --scale $(SCALE) --results benchmarks/RESULTS.md
	$(BENCH_VENV)/bin/python -m benchmarks.instructions --results benchmarks/RESULTS.md
	$(BENCH_VENV)/bin/python -m benchmarks.growth --results benchmarks/RESULTS.md
	$(BENCH_VENV)/bin/python -m benchmarks.soak --seconds 300 --results benchmarks/RESULTS.md

setup: $(VENV)/installed

setup-dev: $(VENV)/installed-dev

clean:
	rm -rf $(VENV) $(BENCH_VENV) $(SBOM_VENV) .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.env:
	echo "DEBUG=true" > .env

# The stamps are written last, so that an installation that was broken off is begun again.

$(VENV)/installed: requirements.txt
	@command -v $(PYTHON) > /dev/null || \
	    { echo "$(PYTHON) is missing. On Debian: apt install python3 python3-venv"; exit 1; }
	@$(PYTHON) -c "import ensurepip, venv" 2> /dev/null || \
	    { echo "Python's venv module is missing. On Debian: apt install python3-venv"; exit 1; }
	@echo "Installing into $(VENV); the first time this takes a minute."
	@$(PYTHON) -m venv $(VENV)
	@$(VENV)/$(INSTALL) -r requirements.txt
	@touch $@

$(VENV)/installed-dev: requirements-dev.txt $(VENV)/installed
	@$(VENV)/$(INSTALL) -r requirements-dev.txt
	@touch $@

# What the benchmarks install: the packages of the product and of the programs it is compared with.
$(BENCH_VENV)/installed: benchmarks/requirements.txt requirements.txt
	@$(PYTHON) -m venv $(BENCH_VENV)
	@$(BENCH_VENV)/$(INSTALL) -r benchmarks/requirements.txt
	@touch $@
