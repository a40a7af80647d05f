# Everything there is to do here. `make` alone lists it.

PYTHON ?= python3
COVERAGE := --cov --cov-report=term
BIN := .oncepay/environment/bin
# Today's Compose is docker's plugin; older machines have a program of its own.
COMPOSE ?= $(shell docker compose version >/dev/null 2>&1 && echo docker compose || echo docker-compose)
# One project on a machine, whatever the folder is called.
CONTAINERS = $(COMPOSE) -p oncepay
IMAGES := oncepay/customer:0.1.0 oncepay/payment:0.1.0 oncepay/sandbox:0.1.0
# How long a service may take to be ready, in seconds, once its container runs.
PATIENCE := 60
ROOMS := chassis customer payment sandbox cli proof

.PHONY: help run test check format generate pictures secrets requirements bench rolling newcomer chaos simulate explore mutants \
	report stripe-contract clean kubernetes-secrets kubernetes-check cluster-test build up all demo compose-test logs \
	down environment development kubernetes

help: ## this list
	@sed -n 's/^\([a-z -]*\):[^#]*## \(.*\)/  make \1|\2/p' Makefile | \
		while IFS='|' read -r target text; do printf '%-24s %s\n' "$$target" "$$text"; done

run: environment ## start everything, execute a first payment, stay up until Ctrl-C
	@$(BIN)/python -m oncepay_cli up $(OPTIONS)

# Two at once, a file at a time: most of a test is waiting for a process, and a file shares its databases.
test: development ## every test, on a real PostgreSQL, with coverage
	@echo "This takes about ten minutes on two idle cores, and more than twice that on busy ones."
	$(BIN)/python -m pytest -n 2 --dist loadfile $(COVERAGE)

check: development ## format, lint, types, layers, contracts, migrations, pins
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m mypy $(ROOMS:%=%/src) conftest.py */tests
	$(BIN)/lint-imports
	$(BIN)/python protobuf/generate.py --check
	$(BIN)/squawk customer/migrations/*.sql payment/migrations/*.sql
	$(BIN)/python requirements/compile.py --check

format: development ## lay the code out
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/buf format --write protobuf

generate: development ## the Python of the contracts, from protobuf/
	$(BIN)/python protobuf/generate.py

pictures: ## the pictures of the documents, from docs/pictures/*.toml
	@$(PYTHON) docs/pictures/draw.py

requirements: development ## bring the pinned packages up to the *.in files
	$(BIN)/python requirements/compile.py

secrets: ## the passwords, random, in .oncepay/secrets; those that are there stay
	@PYTHONPATH=cli/src $(PYTHON) -m oncepay_cli.local.passwords

kubernetes-secrets: secrets ## copies of the passwords, where kustomize may read them
	@umask 077; for service in customer payment; do \
		folder=kubernetes/overlays/development/$$service/secrets; mkdir -p $$folder && \
		cp -f $$service/password.txt $$service/owner_password.txt $$folder/; done; \
	for part in payment sandbox; do \
		folder=kubernetes/overlays/development/$$part/secrets; mkdir -p $$folder && \
		cp -f payment/webhook_secret.txt $$folder/; done

kubernetes-check: kubernetes ## render the manifests, and hold them to schemas, a scanner and our own rules
	@$(BIN)/python -m proof.kubernetes
	@$(BIN)/python -m pytest -q proof/tests/kubernetes

cluster-test: kubernetes ## apply, pay, roll, evict: on the cluster that KUBECONFIG names, then take it away
	@CLUSTER_TEST=yes $(BIN)/python -m pytest -q proof/tests/cluster

bench: development ## measure, as ratios within one run
	$(BIN)/python -m proof bench

rolling: development ## two replicas of each service, restarted in turn under load: what callers see
	$(BIN)/python -m proof.rolling

simulate: development ## the service in a simulated world, in virtual time: SEEDS= FIRST=, or SEED= to see one again
	@$(BIN)/python -m proof.simulator $(if $(SEEDS),--seeds $(SEEDS)) $(if $(FIRST),--first $(FIRST)) \
		$(if $(SEED),--seed $(SEED)) $(if $(FIGURES),--json $(FIGURES))

explore: development ## every interleaving of small worlds, by the production code: OPTIONS=--slice or --wide
	@$(BIN)/python -m proof.explorer $(OPTIONS) $(if $(FIGURES),--json $(FIGURES))

mutants: development ## plant wrong versions of the rules, and see each one caught
	@$(BIN)/python -m proof.mutants $(OPTIONS) $(if $(FIGURES),--json $(FIGURES))

report: development ## put what was measured (docs/figures) into docs/reliability.md
	@$(BIN)/python -m proof.reliability

newcomer: ## this README's commands in a bare Debian, as root and as a user: needs root, debootstrap
	@PYTHONPATH=proof/src $(PYTHON) -m proof.newcomer $(OPTIONS)

chaos: development ## kill everything, then count the money: SECONDS= KILLS= SEED= KEY_LIFE= REFUNDS= DESIGN= FOLDER=
	$(BIN)/python -m proof.chaos $(if $(SECONDS),--seconds $(SECONDS)) $(if $(KILLS),--kills $(KILLS)) \
		$(if $(SEED),--seed $(SEED)) $(if $(KEY_LIFE),--key-life $(KEY_LIFE)) \
		$(if $(REFUNDS),--refunds-at-once $(REFUNDS)) $(if $(DESIGN),--design $(DESIGN)) \
		$(if $(FOLDER),--folder $(FOLDER))

stripe-contract: ## the contract of a processor, on Stripe's test mode: needs STRIPE_TEST_KEY
	@if [ -z "$$STRIPE_TEST_KEY" ]; then \
		echo "Nothing was asked of Stripe: STRIPE_TEST_KEY, a key of its test mode, is not set." >&2; \
	else $(MAKE) development && $(BIN)/python -m pytest -m stripe payment/tests; fi

clean: ## stop what runs, remove environment, data, logs and secrets; of the containers, too
	@[ ! -x $(BIN)/oncepay ] || $(BIN)/python -m oncepay_cli down
	@! docker info >/dev/null 2>&1 || $(CONTAINERS) down --remove-orphans --volumes
	@[ ! -d .oncepay ] || PYTHONPATH=cli/src $(PYTHON) -m oncepay_cli.local.server_user
	rm -rf .oncepay */password.txt */owner_password.txt */webhook_secret.txt kubernetes/overlays/development/*/secrets
	rm -rf .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .coverage*

build: ## the container images of Customer, Payment and the sandbox
	$(CONTAINERS) build

up: secrets ## start the containers, and wait until the services are ready
	@docker image inspect $(IMAGES) >/dev/null 2>&1 || $(CONTAINERS) build
	@chmod a+r containers/make-database.sql  # for PostgreSQL's user, where the folder was made by umask 077
	$(CONTAINERS) up -d
	@$(CONTAINERS) exec -T customer python -m chassis.probe 127.0.0.1:50051 --wait $(PATIENCE)
	@$(CONTAINERS) exec -T payment python -m chassis.probe 127.0.0.1:50052 --wait $(PATIENCE)
	@echo "Customer and Payment are ready: 'make demo' pays, 'make logs' shows what they say."

all: build up ## images and containers: build, then up

demo: environment ## a first payment, on the containers that are up
	@$(BIN)/python -m oncepay_cli demo

compose-test: development ## build, start, pay, crash: the containers, tested where a Docker engine answers
	@COMPOSE="$(COMPOSE)" $(BIN)/python -m pytest proof/tests/containers

logs: ## what the containers say, until Ctrl-C
	$(CONTAINERS) logs --follow --tail=100

down: ## stop the containers and remove them; their data stays in volumes
	$(CONTAINERS) down --remove-orphans

environment:
	@sh cli/environment.sh "$(PYTHON)" run

development:
	@sh cli/environment.sh "$(PYTHON)" development

kubernetes:
	@sh cli/environment.sh "$(PYTHON)" kubernetes
