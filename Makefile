# Short verbs. `make help` lists them.
PYTHON ?= python3
BIN := .venv/bin
NEWSROOM_PORT ?= 8765
EVAL ?= ../shared
# PORT, HOST and DATA come from the command line, the environment or .env.

export PUBLISH
.PHONY: release docs screenshots help run demo setup intelligence test test-full test-mutants bench bench-pages bench-intelligence bench-10m bench-small load drill chaos lint clean
# FOLDER= keeps the library of bench-10m (33 GB) for the next time.

help:
	@echo "make run                run AI News with real feeds: http://127.0.0.1:8000/ (PORT=, HOST=, DATA=)"
	@echo "make demo               run AI News with a sample newsroom, without a network"
	@echo "make intelligence       install the embedding model for EMBEDDINGS=onnx"
	@echo "make test               run lint, types and all tests that must pass"
	@echo "make test-full          run the same and the slow tests"
	@echo "make test-mutants       change nine modules in small ways; list changes that no test notices (MODULES=)"
	@echo "make bench              measure speed"
	@echo "make bench-pages        measure what pages cost; fail if a page is beyond its budget (DATABASE=, ITEMS=, ONLY=)"
	@echo "make bench-intelligence measure stories, search, ranking, trends and digests (EVAL=)"
	@echo "make bench-10m          measure ten million items in PostgreSQL: 33 GB, most of an hour (FOLDER= keeps them)"
	@echo "make bench-small        measure 100,000 items and 20 readers in 512 MB and half a core (ITEMS=, SECONDS=, FOLDER=)"
	@echo "make load               play up to 1,000 readers of a million items, through Nginx (ITEMS=, SECONDS=, ONLY=)"
	@echo "make drill              lose PostgreSQL, SQLite, SECRET_KEY and the archive; restore and compare (ITEMS=, FOLDER=)"
	@echo "make chaos              kill, stop and cut off processes under load; check that nothing is lost (SECONDS=, SEED=, ONLY=)"
	@echo "make docs               write the generated parts of the documentation"
	@echo "make screenshots        take the pictures of README and docs/tour.md in the sample newsroom"
	@echo "make release            build wheel, sdist, SBOM and checksums in dist/; PUBLISH=1 also tags the version"
	@echo "make lint               run ruff, mypy and the import rules"
	@echo "make clean              remove build files; var/ is kept"

run: setup
	@LOG_LEVEL="$${LOG_LEVEL:-WARNING}" exec $(BIN)/python manage.py start

demo: setup
	@DATA="$${DATA:-var/demo}" DATABASE_URL= REDIS_URL= FETCH_ALLOW_PRIVATE=127.0.0.1 \
	FETCH_PORTS=$(NEWSROOM_PORT) FETCH_HOST_PAUSE=0 LOG_LEVEL=WARNING \
	exec $(BIN)/python manage.py start --demo --newsroom-port $(NEWSROOM_PORT)

setup:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	{ echo "AI News needs Python 3.11 or newer; name one with make run PYTHON=python3.12."; exit 1; }
	@PYTHON="$(PYTHON)" tests/install.sh base

intelligence: setup
	@PYTHON="$(PYTHON)" tests/install.sh intelligence

test:
	@tests/run.sh

test-full:
	@FULL=1 tests/run.sh

test-mutants:
	@tests/install.sh dev
	@$(BIN)/python -m tests.mutants $(MODULES)

bench:
	@tests/install.sh dev
	@for name in ingest grouping reading trends live; do $(BIN)/python benchmarks/$$name.py || exit 1; done

# The library is kept in FOLDER, by default var/bench.
bench-pages:
	@tests/install.sh dev
	@$(BIN)/python benchmarks/pages.py $(if $(DATABASE),--database "$(DATABASE)") \
	$(if $(ITEMS),--items "$(ITEMS)") $(if $(FOLDER),--folder "$(FOLDER)") $(if $(ONLY),--only "$(ONLY)")

# Each subject of `evaluate`; labelled data is read from EVAL if it exists.
bench-intelligence:
	@tests/install.sh dev
	@for file in $(wildcard $(EVAL)/eval/stories.tsv); do for model in none onnx; do \
	$(BIN)/python manage.py evaluate stories $$file --embeddings $$model || exit 1; done; done
	@for folder in $(wildcard $(EVAL)/eval/cranfield); do \
	$(BIN)/python manage.py evaluate search $$folder || exit 1; done
	@$(BIN)/python manage.py evaluate ranking $(wildcard $(EVAL)/replay/*.tar.xz)
	@$(BIN)/python manage.py evaluate trends
	@$(BIN)/python benchmarks/digests.py
	@$(BIN)/python benchmarks/ranking.py

bench-10m:
	@tests/install.sh dev
	@$(BIN)/python benchmarks/scale.py postgres --items 10000000 $(if $(FOLDER),--folder "$(FOLDER)")

# Servers and readers are on this machine alone. The library is that of bench-pages.
load:
	@tests/install.sh dev
	@$(BIN)/python benchmarks/load.py $(if $(ITEMS),--items "$(ITEMS)") \
	$(if $(SECONDS),--seconds "$(SECONDS)") $(if $(FOLDER),--folder "$(FOLDER)") $(if $(ONLY),--only "$(ONLY)")

# It needs root, for control groups.
bench-small:
	@tests/install.sh dev
	@$(BIN)/python benchmarks/small_machine.py $(if $(ITEMS),--items "$(ITEMS)") \
	$(if $(SECONDS),--seconds "$(SECONDS)") $(if $(FOLDER),--folder "$(FOLDER)")

# FOLDER has the library of bench-pages; the copies that the drill destroys are below it.
drill:
	@tests/install.sh dev
	@$(BIN)/python -m benchmarks.drill $(if $(ITEMS),--items "$(ITEMS)") $(if $(FOLDER),--folder "$(FOLDER)")

# As root it runs in a network namespace of its own.
chaos:
	@tests/install.sh dev
	@$(BIN)/python -m benchmarks.chaos $(if $(SECONDS),--seconds "$(SECONDS)") \
	$(if $(SEED),--seed "$(SEED)") $(if $(ONLY),--only "$(ONLY)")

docs:
	$(BIN)/python -m tests.docs.generate

screenshots:
	@tests/install.sh dev
	@DJANGO_SETTINGS_MODULE=ainews_site.settings $(BIN)/python -m tests.screenshots

release:
	@tests/install.sh dev
	@$(BIN)/python -m tests.release

lint:
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy . && $(BIN)/lint-imports

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
