# Each target is a thin wrapper around the command that you would type.

SHELL := /bin/bash
.DEFAULT_GOAL := help

TOOLS  := $(CURDIR)/target/tools
VENV   := $(CURDIR)/target/venv
SAM    := $(CURDIR)/target/sam
BENCH  := $(CURDIR)/target/bench
OCI    := $(CURDIR)/target/oci-venv
export PATH := $(TOOLS)/bin:$(VENV)/bin:$(PATH)
export SAM_CLI_TELEMETRY := 0

# The emulators and SAM need Python 3.12 or newer. The default Python may be older than another installed one.
PYTHON = $(shell for p in python3.14 python3.13 python3.12 python3 $$HOME/.pyenv/versions/3.1[2-9]*/bin/python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null && { echo $$p; break; }; done)

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  %-16s %s\n", $$1, $$2 }'

.PHONY: run
run: ## Replay the main job over the sample events (needs only Rust)
	cargo run --quiet -- replay --world events/replay/world.json events/replay/*.event.json

# One of the two: make demo-aws STORY=horizontal
.PHONY: demo-aws
demo-aws: emulators ## Run, print and plot two loads on AWS's emulators, in real time
	cargo test --quiet $(AWS) --test it -- closed_loop::$(STORY) --nocapture

# One of the two: make demo-oci STORY=vertical
.PHONY: demo-oci
demo-oci: emulators-oci ## Run, print and plot two loads on OCI's emulator, where a minute takes a second
	cargo test --quiet --features oci --test it -- closed_loop::$(STORY) --nocapture

# Fast checks run first. The rest waits as often as it computes, so two jobs run in parallel. Otherwise one core would be
# idle while the largest client compiles, and both cores while the tests wait for the emulators.
.PHONY: test
test: export CARGO_INCREMENTAL := 0
test: ## Set up what is needed and run everything, emulators included
	cargo fmt --check
	$(MAKE) --jobs=2 lint environments isolation deny typos validate crate
	$(MAKE) --jobs=2 tests size size-oci

.PHONY: environments
environments: tools emulators emulators-oci sam

.PHONY: check
check: ## Format, lints, tests and docs of the core, no cloud's client (the inner loop)
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings
	$(NEXTEST)
	cargo test --quiet --doc
	$(RUSTDOC)

# Without nextest installed, the inner loop still works.
NEXTEST = if cargo nextest --version >/dev/null 2>&1; then cargo nextest run; else cargo test --lib --bins --tests; fi

# The crate has no examples. With `--examples`, cargo resolves the features of dependencies as for the tests, and reuses
# what clippy has checked.
RUSTDOC = RUSTDOCFLAGS=-Dwarnings cargo doc --no-deps --quiet --lib --examples

# The AWS client and host alone. The extra features match the build with every cloud, so that the SDK is compiled once for
# both. The package for Lambda is built without them.
AWS := --features aws,rustls/ring,tokio/signal

.PHONY: check-aws
check-aws: tools emulators validate ## The same with the AWS client and host, against the emulators
	cargo clippy $(AWS) --all-targets -- -D warnings
	cargo nextest run $(AWS)
	$(RUSTDOC) $(AWS) --bin stepladder-lambda

.PHONY: check-oci
check-oci: tools emulators-oci ## The same with the OCI client and host; Oracle's own SDK and FDK verify the emulators
	cargo clippy --features oci --all-targets -- -D warnings
	cargo nextest run --features oci
	$(RUSTDOC) --features oci --bin stepladder-oci
	$(OCI)/bin/python tests/emulators/oci/test_oci.py

.PHONY: lint
lint: ## Lints and docs with every cloud, then lints with each cloud alone and with none
	cargo clippy --all-features --all-targets -- -D warnings
	$(RUSTDOC) --all-features --bin stepladder-lambda --bin stepladder-oci
	cargo clippy $(AWS) --all-targets -- -D warnings
	cargo clippy --features oci --all-targets -- -D warnings
	cargo clippy --all-targets -- -D warnings

.PHONY: tests
tests: tools emulators emulators-oci ## Every test, in one build with every cloud, against the emulators
	cargo nextest run --all-features
	cargo test --quiet --doc --all-features
	$(OCI)/bin/python tests/emulators/oci/test_oci.py

.PHONY: isolation
isolation: ## Prove that neither the core nor the OCI function depends on an AWS crate
	@for features in "" oci; do \
		tree=$$(cargo tree --no-default-features --features "$$features" --edges normal --prefix none --format '{p}') && \
		! grep -E '^(aws-|lambda_runtime)' <<< "$$tree" || exit 1; \
	done; echo "the core and the OCI function depend on no AWS crate"

# The advisory database is a network service of its own, so it has its own target.
.PHONY: deny
deny: tools ## Check licences, bans and sources of dependencies
	cargo deny check bans licenses sources

.PHONY: advisories
advisories: tools ## Check dependencies against the advisory database (needs the network)
	cargo deny check advisories

.PHONY: typos
typos: emulators ## Check spelling
	typos

.PHONY: validate
validate: export AWS_DEFAULT_REGION := us-east-1
validate: emulators sam ## Check template.yaml and the template of a release, without an account
	mkdir -p target && $(VENV)/bin/python scripts/release_template.py > target/template-release.yaml
	cfn-lint template.yaml target/template-release.yaml
	$(SAM)/bin/sam validate --lint
	$(SAM)/bin/sam validate --lint --template-file target/template-release.yaml
	$(VENV)/bin/python tests/packaging/test_template.py
	$(VENV)/bin/python tests/packaging/test_dist.py

.PHONY: crate
crate: ## Check which files `cargo package` takes
	$(PYTHON) tests/packaging/test_crate.py

# Another architecture needs its Rust target. This machine's target is installed.
ARCHITECTURE ?= $(if $(filter arm64 aarch64,$(shell uname -m)),arm64,x86_64)
ARM          := $(filter arm64 aarch64,$(ARCHITECTURE))
BOOTSTRAP    := .aws-sam/build/AlarmFunction/bootstrap

.PHONY: package
package: emulators sam ## Build the function for Lambda, for ARCHITECTURE or else this machine's
	$(SAM)/bin/sam build --parameter-overrides Architecture=$(ARCHITECTURE)
	@test -x $(BOOTSTRAP) || { echo "expected $(BOOTSTRAP), found none: see what sam build says"; exit 1; }

.PHONY: size
size: package ## Print the size of the function's package; more than 5 MB is a failure
	$(VENV)/bin/python tests/packaging/size.py $(BOOTSTRAP)

STATIC_TARGET := $(if $(ARM),aarch64,x86_64)-unknown-linux-musl
OCI_FUNCTION  := target/oci/function

# Three options make the binary smaller. Packed relocations take a tenth of a megabyte instead of a third. Identical
# functions are linked once, unless their addresses are compared. A program that aborts on a panic needs no unwind index.
STATIC_LINK := --pack-dyn-relocs=relr --icf=safe --no-eh-frame-hdr

# $(call static,FEATURES,BINARY) builds a program that needs no library. zig compiles the C code and Rust's own linker links
# it, so no other cross toolchain is needed. zig has another name for the target, so the crate's default flags are left out.
define static
! command -v rustup >/dev/null || rustup target add $(STATIC_TARGET)
env CRATE_CC_NO_DEFAULTS=1 \
	"CC_$(subst -,_,$(STATIC_TARGET))=python-zig cc" \
	"AR_$(subst -,_,$(STATIC_TARGET))=python-zig ar" \
	"CFLAGS_$(subst -,_,$(STATIC_TARGET))=-target $(subst -unknown,,$(STATIC_TARGET)) -O2 -fPIC -ffunction-sections" \
	cargo rustc --release --locked --features "$(1)" --bin $(2) --target $(STATIC_TARGET) \
	--config 'target.$(STATIC_TARGET).linker="rust-lld"' -- $(addprefix -Clink-arg=,$(STATIC_LINK))
endef

.PHONY: package-oci
package-oci: emulators ## Lay out the OCI function for fn deploy, for ARCHITECTURE or else this machine's
	$(call static,oci,stepladder-oci)
	rm -rf $(OCI_FUNCTION) && mkdir -p $(OCI_FUNCTION)
	cp target/$(STATIC_TARGET)/release/stepladder-oci $(addprefix src/bin/oci/,func.yaml passwd group) $(OCI_FUNCTION)
	cp src/bin/oci/Dockerfile.package $(OCI_FUNCTION)/Dockerfile
	$(VENV)/bin/python tests/packaging/test_oci.py
	@echo "to deploy it: cd $(OCI_FUNCTION) && fn deploy --app APPLICATION"

# OCI Functions pulls this before a cold function answers its first alarm.
LARGEST_OCI := 5000000

# Without the network, the target's standard library may be missing.
.PHONY: size-oci
size-oci: ## Print the size of the OCI function's binary; more than 5 MB is a failure
	@if command -v rustup >/dev/null && ! rustup target add $(STATIC_TARGET); then \
		echo "skipped: Rust's $(STATIC_TARGET) cannot be fetched, so there is no binary to weigh"; exit 0; \
	fi; \
	$(MAKE) package-oci || exit 1; \
	bytes=$$(wc -c < $(OCI_FUNCTION)/stepladder-oci) && echo "binary: $$bytes bytes of $(LARGEST_OCI) allowed" && \
		test "$$bytes" -le $(LARGEST_OCI) || { echo "it is too large: cargo tree --features oci shows what has come in"; exit 1; }

DIST     := target/dist
STAGE    := target/dist-stage
VERSION   = $(shell cargo pkgid | sed 's/.*[\#@]//')
COMMAND   = stepladder-$(VERSION)-$(STATIC_TARGET)
LICENSES := LICENSE-APACHE LICENSE-MIT
PACK      = $(VENV)/bin/python scripts/pack.py

# $(call shell_files,FOLDER) writes completions and man pages. They are the same for every machine, so the command of this one
# writes them.
define shell_files
mkdir -p $(1)/completions $(1)/man && \
	for shell in bash fish zsh; do \
		cargo run --quiet -- completions $$shell > $(1)/completions/stepladder.$$shell || exit 1; \
	done && \
	cargo run --quiet -- man $(1)/man
endef

.PHONY: dist
dist: emulators tools-dist package-oci ## Build the archives of a release for ARCHITECTURE, below target/dist
	$(call static,aws oci,stepladder)
	cargo lambda build --release --locked $(if $(ARM),--arm64,--x86-64) --bin stepladder-lambda
	rm -rf $(STAGE) && mkdir -p $(DIST) $(addprefix $(STAGE)/,$(COMMAND) lambda stepladder-oci)
	cp target/$(STATIC_TARGET)/release/stepladder README.md CHANGELOG.md $(LICENSES) $(STAGE)/$(COMMAND)
	$(call shell_files,$(STAGE)/$(COMMAND))
	cp target/lambda/stepladder-lambda/bootstrap $(LICENSES) $(STAGE)/lambda
	cp $(OCI_FUNCTION)/* $(LICENSES) $(STAGE)/stepladder-oci
	$(PACK) $(DIST)/$(COMMAND).tar.gz $(STAGE)/$(COMMAND)
	$(PACK) $(DIST)/stepladder-lambda-$(ARCHITECTURE).zip $(STAGE)/lambda
	$(PACK) $(DIST)/stepladder-oci-$(ARCHITECTURE).tar.gz $(STAGE)/stepladder-oci
	$(VENV)/bin/python scripts/release_template.py > $(DIST)/template-release.yaml
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) cargo cyclonedx --quiet --features aws,oci --target $(STATIC_TARGET) \
		--format json --spec-version 1.5 --override-filename $(COMMAND).cdx
	sed 's|$(CURDIR)|/stepladder|g' $(COMMAND).cdx.json > $(DIST)/$(COMMAND).cdx.json && rm $(COMMAND).cdx.json
	$(MAKE) checksums

.PHONY: checksums
checksums: ## Write the checksums of what is in target/dist, and check all of it
	cd $(DIST) && sha256sum $$(ls | grep -v SHA256SUMS) > SHA256SUMS
	DIST=$(DIST) $(PYTHON) tests/packaging/test_dist.py

.PHONY: release-draft
release-draft: checksums ## Draft a release of TAG on GitHub with what is in target/dist
	gh release create "$(TAG)" --draft --verify-tag --generate-notes $(DIST)/*

STACK      ?= stepladder
PARAMETERS ?=

.PHONY: deploy
deploy: package ## Deploy STACK with PARAMETERS to the account of the environment
	$(SAM)/bin/sam deploy --stack-name $(STACK) --resolve-s3 --capabilities CAPABILITY_IAM \
		--no-fail-on-empty-changeset --parameter-overrides Architecture=$(ARCHITECTURE) $(PARAMETERS)

.PHONY: bless
bless: ## Accept the program's current output as the expected output
	INSTA_UPDATE=always cargo test --lib schema::tests::it_follows_from_the_types
	INSTA_UPDATE=always cargo test --test it

# An existing binary is measured as it is. After a change, remove it or name another.
BENCH_BINARY ?= target/lambda/stepladder-lambda/bootstrap

.PHONY: bench
bench: bench-decide $(BENCH)/ready $(BENCH_BINARY) ## Measure decisions, and the Lambda function's start next to boto3 (BENCH_FLAGS=--help)
	$(BENCH)/bin/python benches/lambda/bench.py --binary $(BENCH_BINARY) $(BENCH_FLAGS)

.PHONY: bench-decide
bench-decide: ## Measure what one decision and its plan take
	cargo bench --bench decide

target/lambda/stepladder-lambda/bootstrap: | emulators
	cargo lambda build --release --bin stepladder-lambda

BENCH_OCI_BINARY ?= $(OCI_FUNCTION)/stepladder-oci

.PHONY: bench-oci
bench-oci: emulators-oci $(BENCH_OCI_BINARY) ## Measure the OCI function's start and calls (BENCH_FLAGS=--help)
	$(OCI)/bin/python benches/oci/bench.py --binary $(BENCH_OCI_BINARY) $(BENCH_FLAGS)

$(OCI_FUNCTION)/stepladder-oci:
	$(MAKE) package-oci

# Tests one in so many mutants. All of them take hours.
MUTANTS ?= 1

.PHONY: mutants
mutants: tools-mutants ## Mutate the decision code line by line, and check that a test fails (MUTANTS=12 tries one in twelve)
	cargo mutants --in-place --sharding round-robin --shard 0/$(MUTANTS)

.PHONY: tools-mutants
tools-mutants:
	@cargo mutants --version >/dev/null 2>&1 || $(INSTALL) cargo-mutants

.PHONY: ladders
ladders: ## Write the ladders of SageMaker's instance types from the packages that scripts/ladders.py names
	$(PYTHON) scripts/ladders.py

FUZZED := parse policy tags world invocation

.PHONY: fuzz
fuzz: tools-fuzz ## Fuzz what comes from outside (FUZZ_SECONDS=600 for each target; needs a nightly toolchain)
	for target in $(FUZZED); do \
		mkdir -p fuzz/corpus/$$target && \
		cargo +nightly fuzz run $$target fuzz/corpus/$$target $(wildcard events/*) -- \
			-max_len=65536 -max_total_time=$(or $(FUZZ_SECONDS),600) || exit 1; \
	done

# A separate target directory, because cargo allows one build at a time in each, and other builds run meanwhile.
INSTALL := cargo install --quiet --locked --root $(TOOLS) --target-dir $(TOOLS)/build

# cargo-deny reads one file, so an optimized build takes longer than it saves.
.PHONY: tools
tools: ## Install the cargo tools that are missing, below target/
	@cargo nextest --version >/dev/null 2>&1 || $(INSTALL) cargo-nextest
	@cargo deny --version >/dev/null 2>&1 || $(INSTALL) --debug cargo-deny

# Of the CycloneDX project itself, Apache-2.0. It lists what these features need on this target, and not what tests need.
.PHONY: tools-dist
tools-dist:
	@cargo cyclonedx --version >/dev/null 2>&1 || $(INSTALL) --debug cargo-cyclonedx

.PHONY: tools-fuzz
tools-fuzz:
	@cargo fuzz --version >/dev/null 2>&1 || $(INSTALL) cargo-fuzz

.PHONY: emulators
emulators: $(VENV)/ready ## Create the emulators' virtual environment, once

$(VENV)/ready: tests/emulators/requirements.txt
	$(call environment,$(VENV))

.PHONY: emulators-oci
emulators-oci: $(OCI)/ready ## Create the virtual environment of OCI's emulators, once

$(OCI)/ready: tests/emulators/oci/requirements.txt
	$(call environment,$(OCI))

.PHONY: sam
sam: $(SAM)/ready ## Create the environment of the SAM command, once

$(SAM)/ready: tests/packaging/requirements.txt
	$(call environment,$(SAM))

$(BENCH)/ready: benches/lambda/requirements.txt
	$(call environment,$(BENCH))

# A virtual environment with the packages in the first prerequisite.
define environment
@test -n "$(PYTHON)" || { echo "Python 3.12 or newer is needed, and none was found"; exit 1; }
$(PYTHON) -m venv $(1)
$(1)/bin/pip install --quiet --disable-pip-version-check -r $<
touch $@
endef
