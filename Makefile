# make            the release binary, manual pages and completions
# make test       formatting, clippy and all tests; first installs what they need (as root, with apt)
# make check      is this host's network ready?
# make install    DESTDIR=, PREFIX=/usr; enables and starts nothing

CARGO   ?= cargo
PROFILE ?= --release
PREFIX  ?= /usr
DESTDIR ?=

TARGET  := $(or $(CARGO_TARGET_DIR),target)
BINDIR  := $(PREFIX)/bin
LIBDIR  := $(PREFIX)/lib
SHARE   := $(PREFIX)/share

.PHONY: all build manual check test prepare lint docs install clean

all: build manual

build:
	$(CARGO) build --release --locked

manual:
	$(CARGO) run $(PROFILE) --locked --example manual -- $(TARGET)/man

check:
	$(CARGO) run --release --locked -- check

prepare:
	./.ci/prepare

lint:
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets --locked -- -D warnings

test: prepare lint
	$(CARGO) test --locked

docs:
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --no-deps --locked

install:
	test -x $(TARGET)/release/netready || { echo "run make first, as the user who builds"; exit 1; }
	install -Dm755 $(TARGET)/release/netready $(DESTDIR)$(BINDIR)/netready
	for manager in system user; do \
		for unit in netready.service netready@.service; do \
			install -Dm644 systemd/$$manager/$$unit $(DESTDIR)$(LIBDIR)/systemd/$$manager/$$unit; \
			sed -i 's#/usr/bin/netready#$(BINDIR)/netready#' $(DESTDIR)$(LIBDIR)/systemd/$$manager/$$unit; \
		done; \
	done
	for gate in gates/*.toml; do install -Dm644 -t $(DESTDIR)$(LIBDIR)/netready $$gate; done
	install -Dm644 -t $(DESTDIR)$(SHARE)/man/man5 man/netready.toml.5
	for page in $(TARGET)/man/*.1; do install -Dm644 -t $(DESTDIR)$(SHARE)/man/man1 $$page; done
	install -Dm644 $(TARGET)/completions/netready.bash $(DESTDIR)$(SHARE)/bash-completion/completions/netready
	install -Dm644 -t $(DESTDIR)$(SHARE)/zsh/site-functions $(TARGET)/completions/_netready
	install -Dm644 -t $(DESTDIR)$(SHARE)/fish/vendor_completions.d $(TARGET)/completions/netready.fish
	for text in README.md CHANGELOG.md LICENSE-MIT LICENSE-APACHE; do \
		install -Dm644 -t $(DESTDIR)$(SHARE)/doc/netready $$text; \
	done
	for page in docs/*.md; do install -Dm644 -t $(DESTDIR)$(SHARE)/doc/netready/docs $$page; done

clean:
	$(CARGO) clean
