# make demo, make test: everything they need is installed first, as far as it is not there.

.DEFAULT_GOAL := help
.PHONY: help setup packages demo test test-long check bench bench-corpus bench-fixes deb clean

# What suture and its tests run, by Debian package.
PACKAGES := binutils busybox-static bzip2 clang debhelper dpkg-dev fish g++ gcc gcc-12 gcc-12-s390x-linux-gnu git kmod libc6-dev libelf1 lz4 make mmdebstrap musl-tools openssl patch procps qemu-system-x86 qemu-utils util-linux xz-utils zsh zstd

# Beside the other linkers in Debian 12, a package of its own since.
PACKAGES += $(if $(wildcard /usr/bin/ld.gold),,binutils-gold)

help:
	@echo "make demo          real fixes, live in a stock kernel and a stock redis-server, and a machine that is kept patched"
	@echo "make test          everything that is checked and tested"
	@echo "make test-long     the same, with more moments, bytes and kernels tried: before a release"
	@echo "make check         types, format, lint, dead code, layering, docs"
	@echo "make deb           the Debian package, to this directory"
	@echo "make bench         what is measured, to bench/results and docs/benchmarks.md"
	@echo "make bench-corpus  every file that differs between two stock kernels, as a livepatch"
	@echo "make bench-fixes   published fixes in running programs under load, to docs/fixes.md"

setup: packages node_modules/.package-lock.json

packages:
	@missing=$$(for package in $(PACKAGES); do \
	  dpkg-query -W -f '$${db:Status-Status}' $$package 2>/dev/null | grep -qx installed || echo $$package; done); \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" -ne 0 ]; then \
	  echo "PACKAGES_MISSING: packages are needed that only root can install" >&2; \
	  echo "  sudo apt-get install" $$missing >&2; exit 1; fi; \
	export DEBIAN_FRONTEND=noninteractive; \
	apt-get update -q && apt-get install -q -y --no-install-recommends $$missing

node_modules/.package-lock.json: package-lock.json
	npm ci --no-audit --no-fund
	@touch $@

demo: setup
	@npm run --silent demo

test: setup
	@node_modules/.bin/node test/all.ts

# Firmware that checks signatures, and what signs a kernel for it.
test-long: PACKAGES += ovmf sbsigntool
test-long: setup
	@SUTURE_LONG=1 node_modules/.bin/node test/all.ts

check: setup
	@npm run --silent check

bench: setup
	@npm run --silent bench

bench-corpus: setup
	@npm run --silent bench:corpus

# wrk is a load generator of the programs that are patched.
bench-fixes: PACKAGES += dnsperf python3 wrk
bench-fixes: setup
	@npm run --silent bench:fixes

deb: setup
	@node_modules/.bin/node packaging/deb.ts

clean:
	rm -rf dist coverage
