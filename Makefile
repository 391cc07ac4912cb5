# SPDX-License-Identifier: MIT
# The door to the house: short commands over Meson. `make run` and `make test` are all that anyone
# needs; both install what is missing, if they may.

BUILD ?= build
PREFIX ?= /usr/local
IMAGE ?=
# Warnings are errors where a machine looks at them, and only told where a person builds.
WERROR := $(if $(CI),true,false)

all: $(BUILD)/build.ninja
	@ninja -C $(BUILD) --quiet

$(BUILD)/build.ninja:
	@tools/need-packages build
	@meson setup $(BUILD) --prefix=$(PREFIX) -Dwerror=$(WERROR) >/dev/null

# make run IMAGE=disk.qcow2 measures that image; without IMAGE a small fragmented sample.
ifeq ($(IMAGE),)
run: $(BUILD)/sample.qcow2
	@$(BUILD)/qcow2frag $(BUILD)/sample.qcow2
else
run: all
	@$(BUILD)/qcow2frag "$(IMAGE)"
endif

# 64 MiB of data, which the host's file system gives a place before they are looked at.
$(BUILD)/sample.qcow2: tests/images/sample.txt | all
	@$(BUILD)/tests/mkqcow2 tests/images/sample.txt $(BUILD)/sample.qcow2
	@sync $(BUILD)/sample.qcow2

# What is installed now may have been missing when the build folder was made: it is looked for anew.
test:
	@tools/need-packages build test
	@[ ! -e $(BUILD)/build.ninja ] || meson setup --reconfigure $(BUILD) >/dev/null
	@$(MAKE) --no-print-directory all
	@tools/run-tests $(BUILD)

# The same tests under the sanitizers, and under valgrind.
test-asan:
	@tools/need-packages build test
	@[ -d $(BUILD)-asan ] || meson setup $(BUILD)-asan -Db_sanitize=address,undefined >/dev/null
	@ninja -C $(BUILD)-asan --quiet
	@tools/run-tests $(BUILD)-asan

test-valgrind:
	@tools/need-packages build test valgrind
	@[ ! -e $(BUILD)/build.ninja ] || meson setup --reconfigure $(BUILD) >/dev/null
	@$(MAKE) --no-print-directory all
	@tools/run-tests $(BUILD) --setup=valgrind --suite=unit

# A guest boots from a disk that was put in order; some minutes, as QEMU interprets.
test-boot:
	@tools/need-packages build boot
	@$(MAKE) --no-print-directory all
	@tests/boot/run $(BUILD)

# With what people run beside it: programs of some size, fetched and not installed.
test-ecosystem:
	@tools/need-packages build test ecosystem
	@$(MAKE) --no-print-directory all
	@tests/ecosystem/run $(BUILD)

bench:
	@tools/need-packages build bench
	@$(MAKE) --no-print-directory all
	@bench/run $(BUILD)
	@bench/defrag $(BUILD)

# make fuzz SECONDS=60: new inputs for a while, from the corpus under tests/fuzz.
SECONDS ?= 60
fuzz: $(BUILD)/build.ninja
	@tools/need-packages build fuzz
	@BUILD=$(BUILD) BUILD_FUZZ=$(BUILD)-fuzz tests/fuzz/run $(SECONDS)

# make torture N=100 SEED=1: images with random histories, made by QEMU; defrag must lose nothing.
N ?= 100
torture:
	@tools/need-packages build test
	@$(MAKE) --no-print-directory all
	@cd $(BUILD) && QCOW2FRAG="$$PWD/qcow2frag" python3 "$(CURDIR)/tests/cli/torture.py" $(N) $(SEED)

# make mutate SITES=5 SEED=1 FILES="src/base/size.c ...": which small mistakes no unit test notices.
SITES ?= 5
SEED ?= 1
FILES ?=
mutate:
	@tools/need-packages build test
	@tools/mutate --sites $(SITES) --seed $(SEED) $(FILES)

install: all
	@meson configure $(BUILD) --prefix=$(PREFIX)
	@meson install -C $(BUILD) --quiet $(if $(DESTDIR),--destdir "$(abspath $(DESTDIR))")

# Takes away what that put there; settings that somebody has changed stay.
uninstall:
	@DESTDIR="$(if $(DESTDIR),$(abspath $(DESTDIR)))" tools/uninstall $(BUILD)

# The tarball of a release, of what is committed, and the packages that are made of it: all in $(BUILD)/packages.
dist: all
	@tools/package dist $(BUILD)

deb: all
	@tools/need-packages build deb
	@tools/package deb $(BUILD)

rpm: all
	@tools/need-packages build rpm
	@tools/package rpm $(BUILD)

# The packages in a Debian of their own, as root; what stays is in $(BUILD)/packages.
test-package: all
	@tools/need-packages build deb rpm package
	@tests/package/run $(BUILD)

clean:
	@rm -rf $(BUILD) $(BUILD)-asan $(BUILD)-fuzz build-mutate

.PHONY: all run test test-asan test-valgrind test-boot test-ecosystem test-package bench fuzz torture \
  mutate install uninstall dist deb rpm clean
