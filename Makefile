# Everything there is to do here. `make` alone lists it.

PYTHON ?= python3
BIN := .oncepay/environment/bin
ROOMS := chassis customer payment sandbox cli proof

.PHONY: help run test check format generate pictures secrets requirements bench stripe-contract clean \
	build up all down environment development

help: ## this list
	@sed -n 's/^\([a-z -]*\):[^#]*## \(.*\)/  make \1|\2/p' Makefile | \
		while IFS='|' read -r target text; do printf '%-24s %s\n' "$$target" "$$text"; done

run: environment ## start everything, execute a first payment, stay up until Ctrl-C
	@$(BIN)/python -m oncepay_cli up $(OPTIONS)

test: development ## every test, on a real PostgreSQL, with coverage
	$(BIN)/python -m pytest --cov --cov-report=term

check: development ## format, lint, types, layers, contracts, migrations, pins
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m mypy $(ROOMS:%=%/src) conftest.py
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

bench: development ## measure, as ratios within one run
	$(BIN)/python -m proof bench

stripe-contract: ## the contract of a processor, on Stripe's test mode: needs STRIPE_TEST_KEY
	@if [ -z "$$STRIPE_TEST_KEY" ]; then \
		echo "Nothing was asked of Stripe: STRIPE_TEST_KEY, a key of its test mode, is not set." >&2; \
	else $(MAKE) development && $(BIN)/python -m pytest -m stripe payment/tests; fi

clean: ## stop what runs, remove environment, data, logs and secrets
	@[ ! -x $(BIN)/oncepay ] || $(BIN)/python -m oncepay_cli down
	rm -rf .oncepay */password.txt */owner_password.txt
	rm -rf .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .coverage*

build up all down: ## container images and Compose: they come with a later release
	@echo "The container images come with a later release; 'make run' needs none." >&2; exit 1

environment:
	@sh cli/environment.sh "$(PYTHON)" run

development:
	@sh cli/environment.sh "$(PYTHON)" development
