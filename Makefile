# Every target makes its own virtual environment. Needed: Python 3.11 or newer, make, git;
# for `kafka`, `test`, `integration`, `faults` and `bench` also Java 17 and Maven (Apache Kafka).

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
LOCKS := deploy/locks
SITE := .cache/site/venv
EXTRAS := worker tools runtime demo test bench

# Of the interpreters that are new enough and can make a virtual environment with pip in it the first
# that was built with its compiler's profile, as those of distributions and of python.org are; else the
# first. Without a profile a worker takes up to a quarter more CPU (tests/bench/README.md).
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 /usr/bin/python3; do \
	"$$p" -c 'import sys, sysconfig, venv, ensurepip; \
	tuned = sys.base_prefix == "/usr" or "--enable-optimizations" in str(sysconfig.get_config_var("CONFIG_ARGS")); \
	sys.version_info < (3, 11) or print(int(not tuned), sys.argv[1])' "$$p" 2>/dev/null || true; \
	done | sort -s -k1,1 | head -n 1 | cut -d' ' -f2)

ARGS ?=
ENGINE ?= docker

# Of the files of a release; `sha256sum --check SHA256SUMS` compares them.
SUMS = cd dist && find . -maxdepth 1 -type f ! -name SHA256SUMS -printf '%P\0' | sort -z | xargs -0 sha256sum > SHA256SUMS

# Where it is set, pytest rewrites all assertions at each start: 80 s of `fast` in place of 69.
unexport PYTHONDONTWRITEBYTECODE

# Processes of `fast`, `test` and `integration`: one more than cores, as a third of the time they wait for Kafka.
PROCESSES ?= $(shell expr $$(nproc 2>/dev/null || echo 2) + 1)

# Compiled first, or the first of a thousand processes would each do it anew.
PYTEST = $(BIN)/python -m compileall -q detectors streams && \
	$(BIN)/python -m pytest --numprocesses=2 --dist=loadfile --no-loadscope-reorder --durations=25

# The names of the tests that failed, last of all: a summary of CI may show no more.
FAILURES = sed -nE 's/^((FAILED|ERROR) [^ ]+).*/\1/p'

.PHONY: help demo kafka fast test integration guides screens site dist images lint rules format coverage bench bench-micro faults enforce soak evaluate observe messages lock clean

help: ## this list
	@echo "make TARGET [ARGS='…']  (ARGS go to the command that the target runs)"
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

demo: $(VENV)/.demo ## the incident of Dalian, noticed and throttled: embedded broker, worker, traffic, gateway, report
	@$(BIN)/otpguard demo $(ARGS)

kafka: $(VENV)/.runtime ## the program in .venv, and Apache Kafka on 127.0.0.1:9092 to try it with (README, quickstart)
	@deploy/kafka/start $(ARGS)

fast: $(VENV)/.test ## about a minute: every test without a broker, a process, a server, a database, or a long property
	@$(PYTEST) --numprocesses=$(PROCESSES) --hypothesis-profile=fast -m 'not (broker or kafka or faults or integration or guides or slow or bench or soak)' $(ARGS)

# mypy runs beside the tests, or half a minute of one core would pass before the first.
test: $(VENV)/.test rules ## ruff, mypy and the tests, on Apache Kafka where Java 17 and Maven are
	@mkdir -p .cache
	@$(BIN)/mypy >.cache/types.txt 2>&1 & types=$$!; \
	$(PYTEST) --numprocesses=$(PROCESSES) $(ARGS) | tee .cache/durations-test.txt || failed=1; \
	wait $$types || failed=1; cat .cache/types.txt; $(FAILURES) .cache/durations-test.txt; exit $${failed:-0}

integration: $(VENV)/.test ## what needs machines of its own: systemd, images, PostgreSQL, Maven, SIP, dead brokers; long forms
	@mkdir -p .cache
	@$(PYTEST) --numprocesses=$(PROCESSES) -m 'integration and not soak' $(ARGS) | tee .cache/durations-integration.txt || \
	{ $(FAILURES) .cache/durations-integration.txt; exit 1; }

guides: $(VENV)/.test ## every command of the README and the guides, on a machine of its own; nightly in CI
	@$(PYTEST) -m guides $(ARGS)

screens: $(VENV)/.test ## the desk's screens as `site` shows them, made anew by the browser tests (Chromium); before a release
	@$(BIN)/python -m pytest -m integration tests/deploy/test_desk_pages.py -k site_shows $(ARGS)

site: $(SITE)/.installed ## the guides as one site with search, in dist/site; in English and Chinese
	@NO_MKDOCS_2_WARNING=1 $(SITE)/bin/mkdocs build --quiet --strict --config-file deploy/site/mkdocs.yml $(ARGS)

dist: $(VENV)/.test ## the wheel, a list of packages (SBOM, CycloneDX) for each image, and checksums, in dist/
	@$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir dist .
	@PYTHON='$(PYTHON)' deploy/docker/sbom dist
	@$(SUMS)

images: $(VENV)/.test ## the images as archives for `docker load`, and checksums, in dist/; ENGINE=podman for another engine
	@mkdir -p dist
	@for image in worker tools console; do \
		name=otpguard$$([ $$image = worker ] || echo "-$$image"):$$($(BIN)/otpguard --version | cut -d' ' -f2); \
		$(ENGINE) build --file deploy/docker/Dockerfile --target $$image --tag $$name $(ARGS) .; \
		$(ENGINE) save $$name | gzip -n > dist/otpguard-$$image.tar.gz; \
	done
	@$(SUMS)

lint: $(VENV)/.test rules ## ruff (rules and format) and mypy
	@$(BIN)/mypy

rules: $(VENV)/.test
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .

format: $(VENV)/.test ## let ruff sort imports and lay the code out
	@$(BIN)/ruff check --select I --fix --quiet .
	@$(BIN)/ruff format .

coverage: $(VENV)/.test ## which lines of both packages the tests without a broker reach
	@$(BIN)/python -m pytest --numprocesses=2 --dist=loadfile --cov=detectors --cov=streams --cov-report=term:skip-covered \
		-m 'not (broker or kafka or faults or integration or guides or bench or soak)' $(ARGS)

bench: $(VENV)/.bench ## throughput, latency and state beside the peers; ARGS='--full' for the long form
	@$(BIN)/python -m tests.bench $(ARGS)

bench-micro: $(VENV)/.bench ## single functions, for comparing two versions of one
	@$(BIN)/python -m pytest -m '' -k 'test_micro or speed' --benchmark-enable $(ARGS)

faults: $(VENV)/.test ## workers and brokers die, all is recounted; ARGS='runs --number 50' or ARGS='recover'
	@$(BIN)/python -m tests.faults $(or $(ARGS),runs)

enforce: $(VENV)/.test ## the throttle's promises in figures, real gateways: ARGS='incidents' (35 min), ARGS='floods', …
	@$(BIN)/python -m tests.enforce $(ARGS)

soak: $(VENV)/.test ## a steady stream, then faults seed after seed; OTPGUARD_SOAK_S: seconds of each
	@$(BIN)/python -m tests.faults soak
	@OTPGUARD_TEST_STREAMS=3000 OTPGUARD_TEST_SCHEDULES=10000 $(BIN)/python -m pytest --numprocesses=2 --timeout=0 -m "not soak" \
		tests/detectors/test_chain_properties.py tests/detectors/test_hot_properties.py tests/faults/test_simulation.py
	@$(BIN)/python -m pytest -m soak --timeout=0 $(ARGS)

evaluate: $(VENV)/.test ## quality of detection on the seeded scenarios
	@$(BIN)/python -m tests.detectors.recognise.train --check
	@$(BIN)/python -m tests.scenarios $(ARGS)

observe: $(VENV)/.test ## rules, alerts and dashboards from their builders
	@$(BIN)/python -m deploy.grafana $(ARGS)

messages: $(VENV)/.test ## catalogues of what people read: new messages in, compiled; says what lacks a translation
	@$(BIN)/python -m deploy.languages

lock: ## compile deploy/locks/*.txt from pyproject.toml; UPGRADE=1 takes newer versions
	@PYTHON='$(PYTHON)' $(LOCKS)/compile $(EXTRAS)
	@PYTHON='$(PYTHON)' $(LOCKS)/compile site

clean: ## remove everything that these targets made
	rm -rf $(VENV) .cache build dist bench-results *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks report.html
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp for each lock file: it is installed again when the lock or the package's metadata changed.
# One make at a time installs: a second one (`make kafka` beside `make test`) waits, then sees what is there.
$(VENV)/.%: $(LOCKS)/%.txt pyproject.toml
	@if [ -z "$(PYTHON)" ]; then \
		echo "otpguard needs Python 3.11 or newer with its venv module (Debian: apt install python3-venv)," >&2; \
		echo "found: $$(python3 -V 2>&1 || true). Another one: make PYTHON=/path/to/python3" >&2; exit 1; fi
	@mkdir -p .cache; exec 9>.cache/venv.lock; ! command -v flock >/dev/null || flock 9; \
	if [ $@ -nt $< ] && [ $@ -nt pyproject.toml ]; then exit; fi; \
	[ -x $(BIN)/pip ] || { echo "making $(VENV) with $$($(PYTHON) -V)"; $(PYTHON) -m venv $(VENV); }; \
	echo "installing $<"; \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<; \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .; \
	touch $@

$(SITE)/.installed: $(LOCKS)/site.txt
	@$(PYTHON) -m venv $(SITE)
	@echo "installing $<"
	@$(SITE)/bin/python -m pip install --quiet --disable-pip-version-check --use-pep517 --require-hashes -r $<
	@touch $@
