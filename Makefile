# make            the release programs, manual pages and completions
# make test       formatting, clippy and all tests; first installs what they need (as root, with apt)
# make uml        the tests that need link kinds which this kernel may lack, in user-mode-linux
# make deny       licences, sources and advisories of the dependencies
# make msrv       compiles with the oldest Rust that Cargo.toml promises
# make aarch64    builds the programs for 64-bit ARM and runs them under qemu: two minutes
# make check      is this host's network ready?
# make demo       shows netready while a network comes up, in namespaces of its own: 10 seconds, no root
# make demo-recording   records the demo again, into docs/demo.svg
# make install    DESTDIR=, PREFIX=/usr; enables and starts nothing
# make deb        target/debian/netready_*.deb; make rpm: target/generate-rpm/*.rpm
# make dist       a release in target/dist: tarball, .deb, .rpm, sources, SHA256SUMS; the same bytes from the same commit
# make dist-check builds the commit again in another folder and compares it with target/dist: minutes
# make check-packages installs and checks what make dist made, as root: lintian, rpm, makepkg
# make boot       boots Debian with the package in it, as root: minutes (docs/boot.md)
# make qemu       boots Debian with its kernel in qemu, and suspends it, as root: two minutes and more (docs/testing.md)
# make bench      measures netready beside today's tools, as root: minutes (docs/numbers.md)
# make faults     fails each system call of each command in turn, as root: an hour and a half (docs/testing.md)
# make fuzz       fuzzes what netready reads, SECONDS=60 a target: needs a nightly toolchain (docs/testing.md)
# make properties the unit tests with other random inputs, ROUNDS=5 times; SEED= sets the first number
# make simulate   random stories against a simulated kernel for SECONDS=60; SEED= sets the first one
# make oracle     random changes of the network from SEED= on, SEQUENCES=20, as root: does netready agree with the kernel?
# make soak       an hour of a host's life in MINUTES=10, as root: memory, descriptors, CPU time (docs/testing.md)
# make model      every interleaving of a few events in small worlds; STATES= in each (docs/testing.md)
# make mutants    mutation tests of what decides when a gate opens: an hour or more (.cargo/mutants.toml)

CARGO   ?= cargo
PREFIX  ?= /usr
DESTDIR ?=
JOBS    ?= $(shell nproc)
STATIC  ?= auto

TARGET  := $(or $(CARGO_TARGET_DIR),target)
BINDIR  := $(PREFIX)/bin
LIBDIR  := $(PREFIX)/lib
SHARE   := $(PREFIX)/share
# Subcommands of cargo that this machine may lack: compiled once, for all clones. Remove the folder to get newer ones.
TOOLS   ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/netready-tools

.PHONY: all build manual check demo demo-recording test uml prepare lint msrv aarch64 docs deny install deb rpm package-files dist \
	dist-check check-packages boot qemu properties simulate oracle soak model mutants clean

all: build manual

# STATIC=no builds netready dynamic, like the other programs: packaging/README.md.
build:
	CARGO="$(CARGO)" STATIC="$(STATIC)" ./packaging/build

# In the development profile: the tests need it too, and a manual page is written fast enough.
manual:
	$(CARGO) run --locked --example manual -- $(TARGET)/man

check:
	$(CARGO) run --release --locked -- check

demo: build
	NETREADY=$(abspath $(TARGET))/release/netready ./examples/demo.sh

demo-recording: build
	NETREADY=$(abspath $(TARGET))/release/netready $(CARGO) run --locked --example record -- docs/demo.svg ./examples/demo.sh

prepare:
	./.ci/prepare

lint:
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets --locked -- -D warnings
	$(CARGO) clippy --all-targets --locked --package netready-bench -- -D warnings

# Most tests wait more than they work: three at a time, where a machine has two processors.
test: prepare lint
	$(CARGO) test --locked --package netready-bench
	RUST_TEST_THREADS=$${RUST_TEST_THREADS:-3} $(CARGO) test --locked

uml: prepare
	$(CARGO) test --locked --test namespaces --test uml kinds::

# With the oldest compiler that Cargo.toml promises to be enough. It has a folder of its own: the other compiler's files stay.
RUST_VERSION := $(shell sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
msrv:
	CARGO_TARGET_DIR=$(TARGET)/msrv $(CARGO) +$(RUST_VERSION).0 check --locked --workspace

# What it needs is said in the script. CI does not run it: it compiles everything once more.
aarch64:
	CARGO="$(CARGO)" ./packaging/aarch64

docs:
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --no-deps --locked --document-private-items

install:
	test -x $(TARGET)/release/netready || { echo "run make first, as the user who builds"; exit 1; }
	install -Dm755 $(TARGET)/release/netready $(DESTDIR)$(BINDIR)/netready
	install -Dm755 -t $(DESTDIR)$(PREFIX)/libexec $(TARGET)/release/netready-probe $(TARGET)/release/netready-tools
	for manager in system user; do \
		install -Dm755 -t $(DESTDIR)$(LIBDIR)/systemd/$$manager-generators $(TARGET)/release/netready-generator; \
	done
	for manager in system user; do \
		for unit in netready.service netready@.service; do \
			install -Dm644 systemd/$$manager/$$unit $(DESTDIR)$(LIBDIR)/systemd/$$manager/$$unit; \
			sed -i 's#/usr/bin/netready#$(BINDIR)/netready#' $(DESTDIR)$(LIBDIR)/systemd/$$manager/$$unit; \
		done; \
	done
	for dropin in systemd/user/*.service.d/*.conf; do \
		install -Dm644 "$$dropin" "$(DESTDIR)$(LIBDIR)/$$dropin"; \
		sed -i 's#/usr/bin/netready#$(BINDIR)/netready#g' "$(DESTDIR)$(LIBDIR)/$$dropin"; \
	done
	install -Dm644 -t $(DESTDIR)$(LIBDIR)/systemd/catalog packaging/journal/netready.catalog
	for gate in gates/*.toml; do install -Dm644 -t $(DESTDIR)$(LIBDIR)/netready $$gate; done
	for section in 5 7 8; do install -Dm644 -t $(DESTDIR)$(SHARE)/man/man$$section man/*.$$section; done
	for page in $(TARGET)/man/*.1; do install -Dm644 -t $(DESTDIR)$(SHARE)/man/man1 $$page; done
	install -Dm644 $(TARGET)/completions/netready.bash $(DESTDIR)$(SHARE)/bash-completion/completions/netready
	install -Dm644 -t $(DESTDIR)$(SHARE)/zsh/site-functions $(TARGET)/completions/_netready
	install -Dm644 -t $(DESTDIR)$(SHARE)/fish/vendor_completions.d $(TARGET)/completions/netready.fish
	for text in README.md CHANGELOG.md CONTRIBUTING.md SECURITY.md LICENSE-MIT LICENSE-APACHE; do \
		install -Dm644 -t $(DESTDIR)$(SHARE)/doc/netready $$text; \
	done
	for page in docs/*.md docs/*.svg docs/how-to/*.md packaging/README.md; do \
		install -Dm644 $$page $(DESTDIR)$(SHARE)/doc/netready/$$page; \
	done
	install -Dm644 -t $(DESTDIR)$(SHARE)/doc/netready/docs/schema docs/schema/*.json
	install -Dm644 -t $(DESTDIR)$(SHARE)/doc/netready/docs/examples docs/examples/*

# The packages' contents are listed in Cargo.toml, below [package.metadata.deb] and .generate-rpm.
# Of target/, the tools know release/ only, wherever CARGO_TARGET_DIR has it.
deb: package-files $(TOOLS)/bin/cargo-deb
	PATH="$(abspath $(TOOLS))/bin:$$PATH" $(CARGO) deb --no-build

rpm: package-files $(TOOLS)/bin/cargo-generate-rpm
	PATH="$(abspath $(TOOLS))/bin:$$PATH" $(CARGO) generate-rpm --payload-compress gzip --auto-req builtin

package-files: build manual
	rm -rf $(TARGET)/release/man
	cp -r $(TARGET)/man $(TARGET)/completions $(TARGET)/release/
	gzip -9n $(TARGET)/release/man/*.1

# What may be in the dependency tree (deny.toml): licences, sources, and, where their database can be fetched, advisories.
deny: $(TOOLS)/bin/cargo-deny
	PATH="$(abspath $(TOOLS))/bin:$$PATH" ./.ci/deny

# Not optimised: cargo-deny compiles in 95 s of processor time, and checks in 2 s.
QUICKLY := --debug --config profile.dev.debug=false
$(TOOLS)/bin/cargo-deny: INSTALL_OPTIONS := $(QUICKLY)
# It compresses 10 MB with zlib-rs, and hashes them with sha2.
$(TOOLS)/bin/cargo-generate-rpm: INSTALL_OPTIONS := $(QUICKLY) --config profile.dev.debug-assertions=false \
	--config profile.dev.overflow-checks=false --config profile.dev.package.zlib-rs.opt-level=3 \
	--config profile.dev.package.sha2.opt-level=3

$(TOOLS)/bin/cargo-%:
	PATH="$$PATH:$(abspath $(TOOLS))/bin" && if p=$$(command -v cargo-$*); then \
		mkdir -p $(TOOLS)/bin && ln -sf "$$p" $@; \
	else \
		$(CARGO) install --locked $(INSTALL_OPTIONS) --root $(TOOLS) cargo-$*; \
	fi

dist:
	./packaging/dist

dist-check:
	./packaging/dist check

check-packages:
	./packaging/dist repeat
	./packaging/check

boot: prepare deb
	$(CARGO) test --locked --test boot -- --include-ignored --skip compare:: --skip qemu:: --test-threads=4
	cat $(TARGET)/tmp/boot/table.md $(TARGET)/tmp/boot/pulls.md

# Debian's package qemu-system-x86 must be there.
qemu: prepare deb
	$(CARGO) test --locked --test boot -- --ignored --nocapture qemu::

# ── Faults and fuzzing: docs/testing.md ──

SECONDS ?= 60
FUZZ    ?= $(sort $(basename $(notdir $(wildcard fuzz/fuzz_targets/*.rs))))

.PHONY: faults fuzz

faults:
	NETREADY_FAULTS=all $(CARGO) test --locked --test faults -- --include-ignored --nocapture --test-threads=4

# One target: make fuzz FUZZ=netlink SECONDS=600. The inputs that a run finds stay below target/; fuzz/corpus is only read.
fuzz: $(TOOLS)/bin/cargo-fuzz
	for name in $(FUZZ); do \
		echo "== $$name" && mkdir -p $(TARGET)/fuzz/$$name && \
		PATH="$(abspath $(TOOLS))/bin:$$PATH" $(CARGO) +nightly fuzz run --sanitizer none $$name \
			$(abspath $(TARGET))/fuzz/$$name $(abspath fuzz/corpus)/$$name -- -max_total_time=$(SECONDS) -max_len=4096 -print_final_stats=1 \
			|| exit 1; \
	done

# ── The figures of docs/numbers.md ──
#
# make bench           the table and the plots, in target/bench; BENCH=--quick takes 90 seconds, BENCH='event start' is
#                      those rows. It measures the release build; STATIC= and what else `make build` knows, it knows too.
# make bench-counts    instructions and system calls of this build and of the last commit, or of BEFORE=COMMIT
# make counts          the same beside what benches/counts.tsv has; RECORD=yes replaces that
# make bench-boot      one boot after the other, side by side with other wait services: BOOTS=10, SUITES='trixie forky'
# make bench-docs      puts the tables and plots that are in target/bench into docs
BENCH  ?=
BEFORE ?=
RECORD ?=
BOOTS  ?= 10
SUITES ?= trixie forky

NUMBERS := $(TARGET)/release/numbers
RESULTS := $(TARGET)/bench
COUNTED := --programs $(TARGET)/release --out $(RESULTS)

.PHONY: numbers bench bench-counts counts bench-boot bench-docs

numbers:
	$(CARGO) build --release --locked --package netready-bench

# With real-time priority where it can be had: what is measured then goes before all else.
bench: build numbers
	$$(chrt -f 1 true 2>/dev/null && echo chrt -f 1) $(NUMBERS) $(COUNTED) $(BENCH)

bench-counts: build numbers
	before=$$(./benches/before $(BEFORE)) && $(NUMBERS) counts $(COUNTED) --before "$$before"

counts: numbers
	$(NUMBERS) counts $(COUNTED) --recorded benches/counts.tsv $(if $(RECORD),--write,--quick)

bench-boot: prepare deb numbers
	mkdir -p $(RESULTS)
	rm -f $(RESULTS)/boots.tsv
	for suite in $(SUITES); do \
		NETREADY_BOOT_SUITE=$$suite NETREADY_BOOTS=$(BOOTS) NETREADY_COMPARE=$(abspath $(RESULTS))/boots.tsv \
			$(CARGO) test --locked --test boot -- --ignored compare:: || exit 1; \
	done
	$(NUMBERS) boots $(RESULTS)/boots.tsv $(COUNTED)

bench-docs: numbers
	$(NUMBERS) documents docs $(COUNTED)

# Each round has another seed. A failure is repeated with the last number that was printed: make properties SEED=… ROUNDS=1
properties:
	seed=$(or $(SEED),$$(od -An -N4 -tu4 /dev/urandom)); \
	for round in $$(seq $(or $(ROUNDS),5)); do \
		echo "SEED=$$((seed))"; \
		PROPTEST_RNG_SEED=$$((seed)) $(CARGO) test --locked --quiet --lib --test generator || exit 1; \
		seed=$$((seed + 1)); \
	done

# A story that fails is printed in words. Its number SEED repeats it.
simulate:
	NETREADY_SIMULATE_SECONDS=$(or $(SECONDS),60) NETREADY_SIMULATE_SEED=$(or $(SEED),1000000) \
		$(CARGO) test --locked --profile simulate --package netready-core --lib \
		-- simulate::for_a_while --include-ignored --nocapture

# Random sequences of changes that nobody has tried before, unless SEED= says which. A failure is printed with its seed.
oracle:
	NETREADY_ORACLE_SEED=$(or $(SEED),$$(date +%s)) NETREADY_ORACLE_SEQUENCES=$(or $(SEQUENCES),20) \
		$(CARGO) test --locked --test namespaces oracle:: -- --include-ignored --nocapture

# Gates that live through random changes of the network. The operations of a failure are printed with their seed.
soak:
	NETREADY_SOAK_SECONDS=$$(($(or $(MINUTES),10) * 60)) \
		$(CARGO) test --locked --test namespaces soak:: -- --include-ignored --nocapture

model:
	NETREADY_MODEL_STATES=$(or $(STATES),100000) $(CARGO) test --locked --profile simulate --package netready-core \
		--lib -- explore::every_interleaving_of_more_events --include-ignored --nocapture

# The files, the package and the exceptions are in .cargo/mutants.toml. It fails if a mutant survives.
# A part of it: make mutants MUTANTS='--file crates/core/src/continuity.rs'
# As many mutants are built and tested at a time as there are processors; JOBS=1 means one. Without debug information the
# builds are shorter.
mutants: $(TOOLS)/bin/cargo-mutants
	PATH="$(abspath $(TOOLS))/bin:$$PATH" CARGO_PROFILE_DEV_DEBUG=none \
		$(CARGO) mutants --package netready-core --jobs $(JOBS) --output $(TARGET) $(MUTANTS)

clean:
	$(CARGO) clean
