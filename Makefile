# rruntime: the commands for people. Each target has one line of help; `make help` prints them.

CARGO   ?= cargo
PREFIX  ?= /usr/local
DESTDIR ?=
BINDIR  ?= $(PREFIX)/sbin
MANDIR  ?= $(PREFIX)/share/man/man8
BASHDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHDIR  ?= $(PREFIX)/share/zsh/site-functions
FISHDIR ?= $(PREFIX)/share/fish/vendor_completions.d

# .cargo/config.toml names the host as the target, so cargo puts the binary one folder deeper than usual. `install` uses
# the link, because under sudo there is often no rustc to ask.
HOST    := $(shell rustc -vV 2>/dev/null | sed -n 's/^host: //p')
# A release is linked with musl where this toolchain can (hack/install-deps sees to it), and otherwise with the host's C
# library: glibc's start alone takes 0.2 ms of every command, for it asks the processor what it can do (docs/performance.md).
MUSL    := $(HOST:-gnu=-musl)
RELEASE  = $(if $(wildcard $(shell rustc --print sysroot 2>/dev/null)/lib/rustlib/$(MUSL)/lib),$(MUSL),$(HOST))
BINARY   = target/rruntime

# Manual pages and completions, which the binary prints at build time: install only copies, and runs nothing as root.
PAGES    = target/pages

# The runtime that run, engines and bench use. RUNTIME=runc chooses another one.
RUNTIME ?=
export RUNTIME

.PHONY: help run test test-vm test-long compare install uninstall bench lint engines engines-vm shim build package deb tarball aarch64 deps clean conformance

help: ## list the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | awk -F '\t' '{ printf "  make %-12s %s\n", $$1, $$2 }'

run: deps ## build rruntime and run bundles/hello: a container that prints what it sees of itself
	@if [ -z "$(RUNTIME)" ]; then $(MAKE) --no-print-directory build; fi
	@hack/run-hello

build: ## build the release binary, target/rruntime
	RRUNTIME_COMMIT=$$(git rev-parse --short=12 HEAD 2>/dev/null || echo unknown) $(CARGO) build --release --locked --target $(RELEASE)
	@ln -sfn $(RELEASE)/release/rruntime $(BINARY)
	@rm -rf $(PAGES) && mkdir -p $(PAGES)
	@$(BINARY) manual --directory $(PAGES)
	@for shell in bash zsh fish; do $(BINARY) completion $$shell > $(PAGES)/$$shell || exit 1; done

# Test programs whose subject differs between cgroup v1 and v2: they run a second time on the other.
BOTH     = --test cgroup --test config --test lifecycle --test security

# Tests hand the paths of what was built to many a shell. Where this directory's name has other characters than letters,
# digits and ./_- in it, they are built in a directory of this user's below /var/tmp.
ifeq ($(origin CARGO_TARGET_DIR),undefined)
ifneq ($(shell case "$$PWD" in (*[!A-Za-z0-9./_-]*) echo odd ;; esac),)
test test-long: export CARGO_TARGET_DIR := /var/tmp/rruntime-tests-$(shell id -u)-$(shell printf %s "$$PWD" | cksum | cut -d ' ' -f 1)
test test-long: plain-target
endif
endif

.PHONY: plain-target
plain-target:
	@mkdir -p "$$CARGO_TARGET_DIR" && [ -O "$$CARGO_TARGET_DIR" ] && [ ! -L "$$CARGO_TARGET_DIR" ] || \
		{ echo "make test: $$CARGO_TARGET_DIR is not ours; remove it, or set CARGO_TARGET_DIR" >&2; exit 1; }
	@echo "the name of this directory is not plain: tests are built in $$CARGO_TARGET_DIR"

test: deps ## unit and integration tests; the cgroup tests on v1 and v2, those of systemd in a container with a whole systemd
	@if command -v cargo-nextest >/dev/null 2>&1; then \
		echo "=== lane host"; set -ex; $(CARGO) nextest run --locked --no-fail-fast; \
		$(CARGO) test --locked --doc --quiet; echo "=== lane v2-view"; \
		hack/v2-view $(CARGO) nextest run --locked --no-fail-fast $(BOTH); \
	else \
		echo "=== lane host"; set -ex; $(CARGO) test --locked --no-fail-fast; echo "=== lane v2-view"; hack/v2-view $(CARGO) test --locked --no-fail-fast $(BOTH); \
	fi
	hack/test-in-box || [ $$? = 77 ]

test-vm: deps ## run the tests that need a machine of their own in virtual machines (LANES="uml qemu" chooses; LANES="--own uml" runs only what no cheaper lane shows)
	@hack/test-lanes $(LANES)

test-long: deps ## run the races of tests/security/gym twenty times longer, and all of hack/compare
	@set -ex; GYM_ROUNDS=20 $(CARGO) test --locked --test security gym:: -- --nocapture --test-threads 1; \
	GYM_ROUNDS=20 hack/v2-view $(CARGO) test --locked --test security gym:: -- --nocapture --test-threads 1
	@set -ex; $(MAKE) --no-print-directory build; hack/peers --fetch || true; hack/compare; hack/compare --fuzz 2000; \
	hack/compare-in-vm --sample 300 || [ $$? = 77 ]

# So many cases of tests/peers, and so many made by chance, are run under runc, crun and rruntime; the seed chooses them.
SAMPLE ?= 240
FUZZ   ?= 100
SEED   ?= 1

compare: deps ## run a sample of the cases of tests/peers under runc, crun and rruntime (SAMPLE=, FUZZ=, SEED=)
	@if [ -z "$(RUNTIME)" ]; then $(MAKE) --no-print-directory build; fi
	@hack/peers --fetch || true
	@hack/compare --check
	@hack/compare --sample $(SAMPLE) --seed $(SEED)
	@hack/compare --fuzz $(FUZZ) --seed $(SEED)

engines: deps ## test with podman, containerd and Docker, with cgroups by file and by systemd (skips those that are not installed)
	@if [ -z "$(RUNTIME)" ]; then $(MAKE) --no-print-directory build; fi
	@tests/engines/run
	@tests/engines/run-in-box || [ $$? = 77 ]
	@CONMON=ours tests/engines/run-in-box podman || [ $$? = 77 ]

engines-vm: deps ## the same with systemd's cgroups on cgroup v2 with its controllers, in a virtual machine
	@if [ -z "$(RUNTIME)" ]; then $(MAKE) --no-print-directory build; fi
	@tests/engines/run-in-vm || [ $$? = 77 ]

shim: deps ## test our shim for containerd with a private containerd and without one (CONTAINERD=1.6, 1.7 or 2; SHIM=runc: containerd's own)
	@if [ -z "$(RUNTIME)" ]; then $(MAKE) --no-print-directory build; fi
	@tests/shim/run

bench: deps ## compare the speed with crun, runc and the floor; writes tables and plots to target/bench
	@if [ -z "$(RUNTIME)" ]; then $(MAKE) --no-print-directory build; fi
	@hack/bench

lint: ## check formatting, clippy, licences and advisories
	$(CARGO) fmt --check
	rustfmt --check --edition 2024 init/src/main.rs hack/deps/src/main.rs
	$(CARGO) clippy --locked --all-targets -- -D warnings
	@if command -v cargo-deny >/dev/null 2>&1; then \
		$(CARGO) deny --offline check bans licenses sources && \
		{ $(CARGO) deny check advisories || echo "skipped: advisories (the advisory database is not available)"; }; \
	else echo "skipped: cargo-deny is not installed (cargo install cargo-deny)"; fi

package: ## check that the packaged crate builds the same binary in another directory and another home
	@$(MAKE) --no-print-directory build
	@hack/check-package

deb: build ## make a Debian package, target/dist/rruntime_VERSION_ARCH.deb (hack/check-deb tries it out)
	@hack/dist deb

tarball: build ## make target/dist/rruntime-VERSION-linux-ARCH.tar.gz, the same bytes at every run
	@hack/dist tarball

aarch64: build ## cross-build target/rruntime-aarch64 with Debian's gcc-aarch64-linux-gnu, and try it in emulation
	@hack/install-deps --package
	@hack/check-aarch64 --release

conformance: ## write docs/conformance.md from the tables in tests/spec/conformance
	RRUNTIME_WRITE_PAGES=1 $(CARGO) test --locked --test spec the_page_is_what_the_tables_say

install: ## install binary, manual pages and completions in $(DESTDIR)$(PREFIX); run make build first
	@test -x $(BINARY) -a -f $(PAGES)/rruntime.8 || { echo "make install: $(BINARY) or its pages are missing; run 'make build' first" >&2; exit 1; }
	@# An existing directory keeps its mode; install -d would change it.
	@for each in $(BINDIR) $(MANDIR) $(BASHDIR) $(ZSHDIR) $(FISHDIR); do \
		test -d "$(DESTDIR)$$each" || install -d "$(DESTDIR)$$each" || exit 1; done
	install -m 0755 $(BINARY) "$(DESTDIR)$(BINDIR)/rruntime"
	ln -sfn rruntime "$(DESTDIR)$(BINDIR)/containerd-shim-rruntime-v1"
	install -m 0644 $(PAGES)/*.8 "$(DESTDIR)$(MANDIR)"
	install -m 0644 $(PAGES)/bash "$(DESTDIR)$(BASHDIR)/rruntime"
	install -m 0644 $(PAGES)/zsh "$(DESTDIR)$(ZSHDIR)/_rruntime"
	install -m 0644 $(PAGES)/fish "$(DESTDIR)$(FISHDIR)/rruntime.fish"

uninstall: ## remove what make install has installed
	rm -f "$(DESTDIR)$(BINDIR)/containerd-shim-rruntime-v1"
	rm -f "$(DESTDIR)$(BINDIR)/rruntime" "$(DESTDIR)$(MANDIR)/rruntime.8" "$(DESTDIR)$(MANDIR)"/rruntime-*.8
	rm -f "$(DESTDIR)$(BASHDIR)/rruntime" "$(DESTDIR)$(ZSHDIR)/_rruntime" "$(DESTDIR)$(FISHDIR)/rruntime.fish"

deps: ## install what the build and the tests need (does nothing if it is all installed)
	@hack/install-deps

clean: ## remove target and everything in it
	$(CARGO) clean
