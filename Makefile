# Every command a person types. `make` alone lists them.
# Needs make, Python >= 3.11 and a package index; each target makes the environment it needs.
# Works with GNU make 3.81 and later and with BSD make: no functions, no conditionals.

BIN = .venv/bin
PYTEST = $(BIN)/python -m pytest
# A third of the suite waits for processes, so three workers keep two cores busy. The order is
# conftest.py's: long files first. xdist's own would leave them to one worker at the end.
PARALLEL = -n 3 --dist loadfile --no-loadscope-reorder
# Arguments for `make run` and the test targets: make run ARGS="--data-dir /tmp/x"
ARGS =

.PHONY: airgap charts checks images kube-assets help run test tests setup lint fmt types unit contract integration crash e2e ui bench bench-full bench-peers clean ci

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z][a-z0-9-]*:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

run: ## start Lymer (sets up .venv first); ARGS="--data-dir DIR"
	@sh tools/setup.sh run
	@exec $(BIN)/lymer $(ARGS)

test: checks tests ## everything a change must pass: lint, types, import layers, all tests

checks: lint types ui ## what is looked at before anything runs; each on its own with make -j

tests: setup ## all tests
	$(PYTEST) $(PARALLEL) $(ARGS)

setup: ## make .venv with lymer, certwright, tests and linters in it; again only when something changed
	@sh tools/setup.sh dev

lint: setup ## format check, ruff, spelling, import layers, generated docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/codespell --toml pyproject.toml README.md CONTRIBUTING.md GLOSSARY.md CHANGELOG.md docs packages
	PYTHONPATH=packages/lymer/src:packages/certwright/src $(BIN)/lint-imports --no-cache
	$(BIN)/python tools/gen_settings_docs.py --check

fmt: setup ## format, and fix what can be fixed safely
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

types: setup ## mypy --strict
	$(BIN)/mypy

unit: setup ## pure tests: no files, no sockets, no clock
	$(PYTEST) packages/lymer/tests/unit packages/certwright/tests/unit $(ARGS)

contract: setup ## one kit for each port, against every implementation
	$(PYTEST) packages/lymer/tests/contract packages/certwright/tests/contract $(ARGS)

integration: setup ## one part with the real thing: sockets, disk, engine
	$(PYTEST) packages/lymer/tests/integration packages/certwright/tests/integration $(ARGS)

crash: setup ## kill -9 in a loop, then count
	$(PYTEST) packages/lymer/tests/crash packages/certwright/tests/crash $(ARGS)

e2e: setup ## the program as a user starts it, with real SDKs
	$(PYTEST) packages/lymer/tests/e2e packages/certwright/tests/e2e $(ARGS)

kube-assets: ## compile a kube-apiserver for the cluster tests; prints KUBEBUILDER_ASSETS
	@tools/kube_assets.sh

kafka-assets: ## bring the jars of Kafka, Cassandra and OpenSearch for the tests; prints their folders
	@tools/kafka_assets.sh
	@tools/cassandra_assets.sh
	@tools/opensearch_assets.sh

charts: setup ## package the Helm charts into dist/charts, a repository that any web server can serve
	$(BIN)/python tools/package_charts.py $(ARGS)

images: ## build the container images with docker, podman, buildah or kaniko; ARGS="REGISTRY/PATH"
	@sh deploy/images/build.sh $(ARGS)

airgap: setup ## one archive for machines without internet: charts, image list, wheels, checksums, retag script
	$(BIN)/python tools/airgap.py $(ARGS)

ui: setup ## types, lint and tests of the web interface
	@sh tools/ui.sh

bench: setup ## measure at a million spans, about five minutes; ARGS="--spans 200k --quick"
	$(BIN)/python -m bench $(ARGS)
	$(BIN)/python -m bench.incidents --incidents 3 --quiet 10

bench-full: setup ## measure at 1 and 10 million spans and write docs/benchmarks.md
	$(BIN)/python -m bench --spans 1m,10m --markdown docs/benchmarks.md $(ARGS)

bench-peers: setup ## beside other backends, named by LYMER_PEER_*; writes docs/benchmarks.md; ARGS="--spans 1m,10m"
	$(BIN)/python -m bench.peers --markdown docs/benchmarks.md $(ARGS)

clean: ## remove everything that was made, .venv included; no trace data is touched
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	rm -rf packages/lymer/src/lymer/ui/dist packages/lymer/dist packages/lymer/ui/node_modules
	rm -rf packages/lymer/tests/e2e/js/node_modules
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

ci: ## what the build machine runs
	./.ci/run
