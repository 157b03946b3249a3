# All commands of this project. `make` without a target lists them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# The first of these that is new enough makes .venv. PYTHON=... chooses another.
PYTHON ?= python3 python3.13 python3.12 python3.11

VENV := .venv
BIN := $(VENV)/bin
RUN_READY := $(VENV)/.run-ready
DEV_READY := $(VENV)/.dev-ready
PUBLISH_READY := $(VENV)/.publish-ready
SEPARATE_READY := $(VENV)/sam/.ready $(VENV)/checkov/.ready $(VENV)/generators/.ready $(VENV)/fuzz/.ready
export PYTHONPATH := functions:layers/domain:.
unexport PYTHONDONTWRITEBYTECODE
export SAM_CLI_TELEMETRY := 0

# $(call install,requirements,options for uv,environment). uv is several times faster than pip. If it cannot reach the
# index that pip is configured to use, pip installs the same.
install = $(BIN)/uv pip install --quiet --system-certs --require-hashes $(2) --python $(or $(3),$(VENV)) --requirement $(1) \
  || $(or $(3),$(VENV))/bin/python -m pip install --quiet --require-hashes --requirement $(1)
# Installs the command line $(BIN)/zego-token, which runs the code of this tree. It needs no package index.
install_zego_token = $(BIN)/uv pip install --quiet --offline --no-deps --no-build-isolation --python $(BIN)/python --editable .

##@ Use

.PHONY: run
run: $(RUN_READY) ## Start the whole system on this machine (PORT=8080, ZEGO=mine, RUN_ARGS=...)
	@$(BIN)/python -m local $(if $(PORT),--port $(PORT)) $(if $(ZEGO),--zego $(ZEGO)) $(RUN_ARGS)

.PHONY: invoke
invoke: $(RUN_READY) ## Run one event on the running system, or else on a new one (EVENT=events/tokens_room.json)
	@test -n "$(EVENT)" || { echo "EVENT is not set. Example: make invoke EVENT=events/tokens_room.json" >&2; exit 2; }
	@$(BIN)/python -m local.invoke $(EVENT)

.PHONY: call
call: $(RUN_READY) ## Demonstrate a call between two users on a separate local system
	@$(BIN)/python -m local.demo call

.PHONY: demo-rotation
demo-rotation: $(RUN_READY) ## Demonstrate a rotation on a separate local system, first with a wrong value
	@$(BIN)/python -m local.demo rotation

.PHONY: drill
drill: $(RUN_READY) ## Demonstrate how a reset ServerSecret is detected and healed
	@$(BIN)/python -m local.demo drill

##@ Check

.PHONY: check
check: style lint imports types validate policies secrets test ## Run every check and the tests

.PHONY: test
test: $(DEV_READY) ## Run the tests (ARGS='-k batch -x')
	@$(BIN)/python -m tools.chromium
	@$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

.PHONY: prove
prove: $(DEV_READY) $(SEPARATE_READY) ## Run the larger tests, a simulated month and a small load (SEED=1 repeats a run)
	@EXHAUSTIVE=1 SEED=$(SEED) $(BIN)/python -m pytest -n auto --dist worksteal -m exhaustive $(ARGS)
	@$(BIN)/python -m tests.rotation.month --seeds 2
	@$(BIN)/python -m tests.load --small

.PHONY: fuzz
fuzz: $(VENV)/fuzz/.ready ## Search for inputs that break the service (SECONDS=60 per target, ARGS='codec api')
	@$(VENV)/fuzz/bin/python -m tests.fuzz $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED)) $(ARGS)

.PHONY: style
style: $(DEV_READY) ## Check that the code is formatted
	@$(BIN)/ruff format --quiet --check . || { echo "The code is not formatted. Run: make format" >&2; exit 1; }

.PHONY: lint
lint: $(DEV_READY) ## Lint the code
	@$(BIN)/ruff check --quiet .

.PHONY: imports
imports: $(DEV_READY) ## Check the import rules, and that there are no import cycles
	@report=$$(PYTHONPATH=$(PYTHONPATH):clients/python $(BIN)/lint-imports --no-logo --no-cache 2>&1) \
	  || { echo "$$report" >&2; exit 1; }

.PHONY: types
types: $(DEV_READY) ## Check the types
	@$(BIN)/mypy

.PHONY: validate
validate: $(DEV_READY) ## Lint template.yaml, as written and transformed, deploy/*.yaml and the workflows
	@$(BIN)/python -m tools.sam_template
	@$(BIN)/zizmor --offline --quiet --no-progress .github

.PHONY: policies
policies: $(RUN_READY) ## Check the access policies and run their examples
	@$(BIN)/python -m ops policy check functions/issuer/policies/*.toml local/access_policy.toml

.PHONY: secrets
secrets: $(DEV_READY) ## Search the tree for credentials
	@$(BIN)/kingfisher scan . --config tools/secret_scan/config.yaml --git-history none --no-update-check --quiet \
	  || { echo "The tree contains credentials, or invented ones that look real. See tools/secret_scan/config.yaml." >&2; exit 1; }

.PHONY: audit
audit: $(VENV)/audit/.ready ## Compare all locked packages with the databases of known vulnerabilities
	@$(BIN)/python -m tools.audit

.PHONY: bench
bench: $(DEV_READY) ## Measure speed, and print each figure with its baseline
	@$(BIN)/python -m tests.benchmarks $(ARGS)

.PHONY: load
load: $(DEV_READY) ## Measure load, memory and faults, and check what is promised (ARGS='--only reads')
	@$(BIN)/python -m tests.load $(ARGS)

##@ Change

.PHONY: format
format: $(DEV_READY) ## Format the code and apply the linter's fixes
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format --quiet .

.PHONY: docs
docs: $(DEV_READY) ## Regenerate the tables in docs/ and the JSON schema of access policies
	@$(BIN)/python -m tools.doc_tables

.PHONY: record
record: $(DEV_READY) ## Regenerate the recordings of tests/recorded after an interface changed
	@$(BIN)/python -m pytest --quiet --record tests/recorded

.PHONY: lock
lock: $(BIN)/uv ## Lock the requirements again (ARGS=--upgrade updates them)
	@lock() { $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	    --no-emit-index-url --no-header $(ARGS) "$${@:2}" --output-file $${1%.in}.txt $$1; }; \
	  lock requirements/install.in; \
	  lock layers/dependencies/requirements.in; \
	  lock layers/aws_sdk/requirements.in --constraints layers/dependencies/requirements.txt --no-emit-package jmespath; \
	  lock requirements/run.in --constraints layers/dependencies/requirements.txt --constraints layers/aws_sdk/requirements.txt; \
	  lock requirements/dev.in --constraints requirements/run.txt; \
	  lock requirements/publish.in --constraints requirements/dev.txt; \
	  lock requirements/sam.in; \
	  lock requirements/checkov.in; \
	  lock requirements/generators.in; \
	  lock requirements/audit.in; \
	  lock requirements/fuzz.in --constraints requirements/dev.txt

.PHONY: docs-site
docs-site: $(PUBLISH_READY) ## Build the documentation site in build/site/
	@$(BIN)/python -m tools.docs_site

##@ Deploy

.PHONY: build
build: $(DEV_READY) ## Build the artifacts for Lambda in build/ (PYTHON313=...)
	@$(BIN)/python -m tools.build

.PHONY: release
release: $(PUBLISH_READY) ## Build the packages in build/release/, check them and use them (CLIENT_PYTHON=python3.10)
	@$(BIN)/python -m tools.release $(CLIENT_PYTHON)

.PHONY: preflight
preflight: $(DEV_READY) ## Check an environment and its AWS account before it is deployed (STAGE=dev)
	@test -n "$(STAGE)" || { echo "STAGE is not set. Example: make $(firstword $(MAKECMDGOALS)) STAGE=dev" >&2; exit 2; }
	@$(BIN)/zego-token preflight --stage "$(STAGE)"

.PHONY: deploy
deploy: preflight ## Check, build and deploy an environment of samconfig.toml (STAGE=dev)
	@$(MAKE) build
	@sam deploy --config-env $(STAGE)

.PHONY: kept-template
kept-template: $(DEV_READY) ## Write build/kept.json, with which a new stack imports the secret that an old one left
	@mkdir -p build
	@$(BIN)/python -m tools.sam_template build/kept.json

##@ Set up

.PHONY: install
install: $(DEV_READY) ## Set up .venv (the other targets do this when needed)

.PHONY: clean
clean: ## Remove everything that make created
	@rm -rf $(VENV) build .cache .local .aws-sam .mypy_cache .pytest_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help
help: ## Show this list
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@ / { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

$(BIN)/uv: requirements/install.txt
	@for python in $(PYTHON); do \
	  "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; python=; \
	done; \
	test -n "$$python" || { echo "No Python 3.11 or newer found. Tried: $(PYTHON)." \
	  "Name one: make PYTHON=/path/to/python3 ..." >&2; exit 1; }; \
	echo "Setting up $(VENV)" >&2; \
	"$$python" -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --require-hashes --requirement $<
	@touch $@

$(RUN_READY): $(BIN)/uv requirements/run.txt
	@$(call install,requirements/run.txt,--compile-bytecode)
	@$(install_zego_token)
	@touch $@

$(DEV_READY): $(BIN)/uv requirements/dev.txt
	@$(call install,requirements/dev.txt)
	@$(install_zego_token)
	@touch $(RUN_READY) $@

$(PUBLISH_READY): $(DEV_READY) requirements/publish.txt
	@$(call install,requirements/publish.txt)
	@touch $@

# A tool that needs other versions of our packages has a separate environment in .venv.
$(VENV)/%/.ready: requirements/%.txt | $(DEV_READY)
	@$(BIN)/python -m venv --clear $(VENV)/$*
	@$(call install,$<,,$(VENV)/$*)
	@touch $@
