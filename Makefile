# SPDX-License-Identifier: GPL-2.0-or-later
#
# make run    installs what it needs, builds, and boots a Debian disk that is seen in a VNC viewer or browser
# make run-grub  the same with a disk that holds only GRUB: there in a second, nothing to download
# make test   installs what it needs and runs all tests
# make bench  compares with QEMU in one run
# make torture compares more random instructions with the host's processor
# make conformance  compares QMP's answers with QEMU's, and runs QEMU's own device tests (qtest), fetched and built
# make lint   checks formatting
# make install PREFIX=/usr/local  installs the program, its manual, completion for shells, and a unit for systemd
# make man completion  makes the manual and the completion in .build/share
# make setup  only installs what the others need

SHELL := /bin/bash
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
CACHE ?= $(if $(XDG_CACHE_HOME),$(XDG_CACHE_HOME),$(HOME)/.cache)/martlet
MARTLET := .build/release/martlet
PYTHON := .venv/bin/python

# What building and running needs.
BUILD_PACKAGES := libvncserver-dev libpixman-1-dev libaio-dev libxkbcommon-dev libpng-dev zlib1g-dev libjson-c-dev libslirp-dev libusb-1.0-0-dev pkg-config \
	seabios ipxe-qemu novnc xkb-data grub-pc-bin grub-common mtools xorriso mmdebstrap fakeroot e2fsprogs
# What the tests need besides.
TEST_PACKAGES := nasm acpica-tools dmidecode groff-base qemu-system-x86 qemu-utils tigervnc-viewer xvfb xdotool openssh-client tcpdump tshark iputils-ping iproute2 \
	gvncviewer chromium x11-apps imagemagick socat python3-venv isolinux syslinux-common memtest86+ ipxe \
	bochs bochsbios vgabios \
	debian-installer-12-netboot-amd64 debian-installer-12-netboot-i386

# What building QEMU's test programs needs.
CONFORMANCE_PACKAGES := gcc ninja-build meson dpkg-dev bzip2 libglib2.0-dev libfdt-dev zlib1g-dev qemu-utils qemu-system-x86

PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
SYSCONFDIR ?= /etc
UNITDIR ?= $(PREFIX)/lib/systemd/system
SHARE := .build/share

.PHONY: install man completion build run run-grub test unit-test system-test bench torture conformance lint setup setup-build setup-test clean

build: setup-build
	swift build -c release --product martlet --static-swift-stdlib

run: build
	Fixtures/images/debian-disk.sh $(CACHE)/debian-disk.img
	@echo "The screen: a VNC viewer on the address below, or a browser on the address with http."
	@echo "Log in as root, password martlet. What you change is gone at the end: -snapshot."
	$(MARTLET) $(CACHE)/debian-disk.img -snapshot -m 1G -vnc :0,to=99,websocket=on $(ARGS)

run-grub: build
	Fixtures/images/grub-disk.sh $(CACHE)/grub-disk.img
	@echo "The screen: a VNC viewer on the address below, or a browser on the address with http."
	$(MARTLET) $(CACHE)/grub-disk.img -vnc :0,to=99,websocket=on $(ARGS)

test: setup-test lint unit-test system-test

# Quick tests first: a module's registers before whole guests.
unit-test:
	swift build --build-tests
	MARTLET_TORTURE_COUNT=$${MARTLET_TORTURE_COUNT:-1000000} swift test --skip-build

system-test: build
	MARTLET=$(MARTLET) CACHE=$(CACHE) $(PYTHON) -m pytest -q -n 2 Tests/System $(PYTEST_ARGS)

bench: build setup-test
	MARTLET=$(MARTLET) CACHE=$(CACHE) $(PYTHON) Fixtures/bench/run.py $(BENCH_ARGS)
	MARTLET=$(MARTLET) CACHE=$(CACHE) $(PYTHON) Fixtures/bench/soft.py
	MARTLET=$(MARTLET) $(PYTHON) Fixtures/bench/network.py

# Optimised, in a build of its own.
torture:
	MARTLET_TORTURE_COUNT=$${MARTLET_TORTURE_COUNT:-20000000} \
	  swift test -c release -Xswiftc -enable-testing --scratch-path .build-torture --filter TortureTests

conformance: build
	$(call install,$(CONFORMANCE_PACKAGES))
	MARTLET=$(MARTLET) python3 Fixtures/conformance/qmp-compare.py
	MARTLET=$(MARTLET) CACHE=$(CACHE) python3 Fixtures/conformance/run.py $(PROGRAMS)

man: build
	mkdir -p $(SHARE)
	$(MARTLET) --generate man > $(SHARE)/martlet.1

completion: build
	mkdir -p $(SHARE)
	$(MARTLET) --generate bash > $(SHARE)/martlet.bash
	$(MARTLET) --generate zsh > $(SHARE)/_martlet
	$(MARTLET) --generate fish > $(SHARE)/martlet.fish

install: man completion
	install -D -m 755 $(MARTLET) $(DESTDIR)$(BINDIR)/martlet
	install -D -m 644 $(SHARE)/martlet.1 $(DESTDIR)$(PREFIX)/share/man/man1/martlet.1
	install -D -m 644 $(SHARE)/martlet.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/martlet
	install -D -m 644 $(SHARE)/_martlet $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_martlet
	install -D -m 644 $(SHARE)/martlet.fish $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/martlet.fish
	mkdir -p $(DESTDIR)$(UNITDIR) $(DESTDIR)$(SYSCONFDIR)/martlet
	sed 's|@bindir@|$(BINDIR)|' Packaging/martlet@.service > $(DESTDIR)$(UNITDIR)/martlet@.service
	chmod 644 $(DESTDIR)$(UNITDIR)/martlet@.service

lint:
	swift format lint --strict --parallel --recursive Sources Tests Package.swift

setup: setup-build setup-test

# Asks apt only for what is missing, so that a second run needs no network and no root.
define install
	@missing="$$(for p in $(1); do dpkg-query -W -f '$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || echo $$p; done)"; \
	if [ -n "$$missing" ]; then \
	  echo "Installing:" $$missing; \
	  $(SUDO) apt-get update -q && \
	  $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $$missing; \
	fi
endef

setup-build:
	$(call install,$(BUILD_PACKAGES))

setup-test: setup-build .venv/installed
.venv/installed: Tests/System/requirements.txt
	$(call install,$(TEST_PACKAGES))
	python3 -m venv .venv
	.venv/bin/pip install -q --disable-pip-version-check -r Tests/System/requirements.txt
	touch $@

clean:
	rm -rf .build .venv
