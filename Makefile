# Every command of the repository. `make` alone lists them.

PYTHON ?= python3
COVERAGE := --cov --cov-report=term
BIN := .oncepay/environment/bin
# Compose 2 is a plugin of docker; 1.29 is a separate program.
COMPOSE ?= $(shell docker compose version >/dev/null 2>&1 && echo docker compose || echo docker-compose)
# A fixed project name, whatever the folder is called.
CONTAINERS = $(COMPOSE) -p oncepay
# The version of every package and image; Compose reads it from the environment.
export ONCEPAY_VERSION := $(shell cat VERSION)
IMAGES := $(foreach image,customer payment sandbox,oncepay/$(image):$(ONCEPAY_VERSION))
# The time a service may take to become ready once its container runs.
READY_SECONDS := 60
PACKAGES := chassis customer payment sandbox cli verification

.PHONY: help run test check format generate pictures links secrets requirements bench rolling newcomer chaos simulate explore mutants \
	report lines stripe-contract clean kubernetes-secrets kubernetes-check cluster-test build up all demo compose-test logs \
	down environment development kubernetes

help: ## list the commands
	@sed -n 's/^\([a-z -]*\):[^#]*## \(.*\)/  make \1|\2/p' Makefile | \
		while IFS='|' read -r target text; do printf '%-24s %s\n' "$$target" "$$text"; done

run: environment ## start everything, execute a first payment, run until Ctrl-C
	@$(BIN)/python -m oncepay_cli up $(OPTIONS)

# Two processes, one file at a time, in the order of pyproject.toml: a file's tests share fixtures.
test: development ## every test, on a real PostgreSQL, with coverage
	@echo "This takes six minutes on two idle cores, and up to three times that on busy ones."
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(COVERAGE)

check: development ## format, lint, types, layers, contracts, migrations, pinned dependencies
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m mypy $(PACKAGES:%=%/src) conftest.py */tests
	$(BIN)/lint-imports
	$(BIN)/python protobuf/generate.py --check
	$(BIN)/squawk customer/migrations/*.sql payment/migrations/*.sql
	$(BIN)/python requirements/compile.py --check

format: development ## format the code; renew the documents' links to its lines
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/buf format --write protobuf
	$(BIN)/python docs/line_links.py

generate: development ## generate the Python of the contracts in protobuf/
	$(BIN)/python protobuf/generate.py

lines: ## count the lines of code, package by package
	@$(PYTHON) verification/src/verification/lines.py

links: ## write the line numbers of the documents' links to code
	@$(PYTHON) docs/line_links.py

pictures: ## draw the documents' pictures from docs/pictures/*.toml
	@$(PYTHON) docs/pictures/draw.py

requirements: development ## compile the pinned dependencies from the *.in files
	$(BIN)/python requirements/compile.py

secrets: ## create the missing passwords in .oncepay/secrets
	@PYTHONPATH=cli/src $(PYTHON) -m oncepay_cli.local.passwords

kubernetes-secrets: secrets ## copy the passwords to where kustomize may read them
	@umask 077; for service in customer payment; do \
		folder=kubernetes/overlays/development/$$service/secrets; mkdir -p $$folder && \
		cp -f $$service/password.txt $$service/owner_password.txt $$folder/; done; \
	for part in payment sandbox; do \
		folder=kubernetes/overlays/development/$$part/secrets; mkdir -p $$folder && \
		cp -f payment/webhook_secret.txt $$folder/; done

kubernetes-check: kubernetes ## render the manifests; check schemas, a scanner's findings and our own rules
	@$(BIN)/python -m verification.kubernetes
	@$(BIN)/python -m pytest -q verification/tests/kubernetes

cluster-test: kubernetes ## apply, pay, restart, evict, delete: on the cluster of KUBECONFIG
	@CLUSTER_TEST=yes $(BIN)/python -m pytest -q verification/tests/cluster

bench: development ## measure the services' cost, as ratios within one run: BASE=commit compares with that commit
	$(BIN)/python -m verification.bench $(if $(BASE),--base $(BASE)) $(OPTIONS)

rolling: development ## restart the replicas of each service in turn under load; count the callers' errors
	$(BIN)/python -m verification.rolling

simulate: development ## simulate long random histories in virtual time: SEEDS= FIRST=, or SEED= to replay one
	@$(BIN)/python -m verification.simulator $(if $(SEEDS),--seeds $(SEEDS)) $(if $(FIRST),--first $(FIRST)) \
		$(if $(SEED),--seed $(SEED)) $(if $(FIGURES),--json $(FIGURES))

explore: development ## explore every interleaving of small worlds: OPTIONS=--slice or --wide
	@$(BIN)/python -m verification.explorer $(OPTIONS) $(if $(FIGURES),--json $(FIGURES))

mutants: development ## plant wrong versions of the rules; the checks must catch each
	@$(BIN)/python -m verification.mutants $(OPTIONS) $(if $(FIGURES),--json $(FIGURES))

report: development ## write what was measured (docs/figures) into docs/reliability.md and its appendix
	@$(BIN)/python -m verification.reliability

newcomer: ## run this README's commands in a bare Debian, as root and as a user: needs root, debootstrap
	@PYTHONPATH=verification/src $(PYTHON) -m verification.newcomer $(OPTIONS)

chaos: development ## kill processes under load, then compare all money: SECONDS= KILLS= SEED= KEY_LIFE= REFUNDS= DESIGN= FOLDER=
	$(BIN)/python -m verification.chaos $(if $(SECONDS),--seconds $(SECONDS)) $(if $(KILLS),--kills $(KILLS)) \
		$(if $(SEED),--seed $(SEED)) $(if $(KEY_LIFE),--key-life $(KEY_LIFE)) \
		$(if $(REFUNDS),--concurrent-refunds $(REFUNDS)) $(if $(DESIGN),--design $(DESIGN)) \
		$(if $(FOLDER),--folder $(FOLDER))

stripe-contract: ## run the processor's contract tests against Stripe's test mode: needs STRIPE_TEST_KEY
	@if [ -z "$$STRIPE_TEST_KEY" ]; then \
		echo "Skipped: STRIPE_TEST_KEY, a key of Stripe's test mode, is not set." >&2; \
	else $(MAKE) development && $(BIN)/python -m pytest -m stripe payment/tests; fi

clean: ## stop everything; remove the environment, data, logs, secrets and containers
	@[ ! -x $(BIN)/oncepay ] || $(BIN)/python -m oncepay_cli down
	@! docker info >/dev/null 2>&1 || $(CONTAINERS) down --remove-orphans --volumes
	@[ ! -d .oncepay ] || PYTHONPATH=cli/src $(PYTHON) -m oncepay_cli.local.server_user
	rm -rf .oncepay */password.txt */owner_password.txt */webhook_secret.txt kubernetes/overlays/development/*/secrets
	rm -rf .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .coverage*

build: ## build the container images of Customer, Payment and the sandbox
	$(CONTAINERS) build

up: secrets ## start the containers and wait until the services are ready
	@docker image inspect $(IMAGES) >/dev/null 2>&1 || $(CONTAINERS) build
	@chmod a+r containers/make-database.sql  # for PostgreSQL's user, where the umask is 077
	$(CONTAINERS) up -d
	@$(CONTAINERS) exec -T customer python -m chassis.probe 127.0.0.1:50051 --wait $(READY_SECONDS)
	@$(CONTAINERS) exec -T payment python -m chassis.probe 127.0.0.1:50052 --wait $(READY_SECONDS)
	@echo "Customer and Payment are ready. 'make demo' executes a payment, 'make logs' shows the logs."

all: build up ## build the images and start the containers

demo: environment ## execute a first payment on the running containers
	@$(BIN)/python -m oncepay_cli demo

compose-test: development ## test the containers: build, start, pay, crash; needs a Docker engine
	@COMPOSE="$(COMPOSE)" $(BIN)/python -m pytest verification/tests/containers

logs: ## show the containers' logs until Ctrl-C
	$(CONTAINERS) logs --follow --tail=100

down: ## stop and remove the containers; keep their volumes
	$(CONTAINERS) down --remove-orphans

environment:
	@sh cli/environment.sh "$(PYTHON)" run

development:
	@sh cli/environment.sh "$(PYTHON)" development

kubernetes:
	@sh cli/environment.sh "$(PYTHON)" kubernetes
