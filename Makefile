# libsds: building, testing and installing the C library.
#
# `make` alone lists the targets. All output goes to build/.

VERSION := $(strip $(file <VERSION))

ifneq ($(words $(CURDIR)),1)
$(error the path "$(CURDIR)" has a space in it, which options of the linker cannot carry: build in another folder)
endif

# The number in the SONAME changes when the ABI breaks; the file behind it also
# bears the release, so that two releases can lie side by side.
ABI     := 1
SONAME  := libsds.so.$(ABI)
SHARED  := $(SONAME).$(VERSION)

# Where `make install` puts things. DESTDIR, if any, goes before all of it.
PREFIX     := /usr/local
LIBDIR     := $(PREFIX)/lib
INCLUDEDIR := $(PREFIX)/include
MANDIR     := $(PREFIX)/share/man
DESTDIR    :=

GO       := go
CC       := gcc
CXX      := g++
OBJCOPY  := objcopy
CLANG    := clang
FUZZTIME := 60s
MINUTES  := 30
FUZZ     := .

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOLANGCI    := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

.PHONY: help lib demo examples docs test wheel setup test-all matrix bench fuzz lint abi install clean hosts hosts-valgrind hosts-asan hosts-race interop examples-asan uninstall dist deb go-archive

help:
	@echo 'make lib       build/libsds.so, build/libsds.a and their header'
	@echo 'make go-archive  build/libsds-go.a, for programs with a Go runtime of their own'
	@echo 'make demo      build, stage an installation, run examples/c/chat.c against it'
	@echo 'make examples  build/native, the shortest complete host, and build/sqlite_store,'
	@echo '               which keeps channels in SQLite (libsqlite3-dev)'
	@echo 'make docs      build/docs/html: the header as pages, with doxygen'
	@echo 'make test      everything that must hold, in ten to fifteen minutes'
	@echo 'make matrix    rewrite tests/abi/matrix.md: every function in every misuse'
	@echo 'make wheel     build/wheel: the Python package with the library in it'
	@echo 'make setup     install what `make test-all` wants: languages, packagers, cross compilers'
	@echo 'make test-all  make test with nothing left out, packages and other systems'
	@echo 'make sim       the protocol in virtual time, SEEDS=$(SEEDS) of it, and a report: build/sim'
	@echo 'make interop   build/interop: participants for scripts/test-interop, which talks with @waku/sds'
	@echo 'make bench     the cost targets, as ratios to yardsticks of the same run'
	@echo 'make soak      memory, threads, descriptors and messages over a long run, MINUTES=$(MINUTES);'
	@echo '               its samples go to build/soak/samples.csv'
	@echo 'make fuzz      every fuzz target, FUZZTIME=$(FUZZTIME) each; FUZZ=PATTERN chooses some'
	@echo 'make lint      gofmt, go vet, staticcheck'
	@echo 'make lint      gofmt, go vet, staticcheck, golangci-lint'
	@echo 'make coverage  what the tests cover of core, capi and what belongs to it'
	@echo 'make mutation  mutants of core, and whether tests kill them: five minutes of one core'
	@echo 'make keep-version  what this version keeps, for later ones to load: before it is tagged'
	@echo 'make abi       take over what tests/abi keeps of the ABI, after an addition'
	@echo 'make install   PREFIX=$(PREFIX) LIBDIR=$(LIBDIR) DESTDIR='
	@echo 'make uninstall with the same variables: remove what install put there'
	@echo 'make dist      build/libsds-$(VERSION).tar.gz, the sources as they are committed'
	@echo 'make deb       build/deb: the Debian packages libsds1 and libsds-dev (dpkg-dev, debhelper)'
	@echo 'make cross     the targets for Windows, Android, macOS, iOS and other processors'
	@echo 'make clean     remove build/'

# ---- the library ----------------------------------------------------------

# The user's Go and C settings stay out of the library: the same sources and
# toolchain give the same bytes everywhere. -buildid= is empty for the same
# reason (it would hash the path of the version script); the GNU build id, which
# the linker makes from the contents, remains.
#
# Go takes a package from its cache without looking at the headers of other folders
# that it includes. A macro that nobody reads tells it that they have changed.
HEADERS  := $(shell cat include/*.h capi/*.h persistence_callbacks/*.h | cksum | cut -d ' ' -f 1)
GO_BUILD := GOFLAGS= GOWORK=off GOEXPERIMENT= CGO_ENABLED=1 CC='$(CC)' CGO_CFLAGS=-O2 \
            CGO_CPPFLAGS=-DSDS_HEADERS=$(HEADERS) CGO_LDFLAGS= \
            $(GO) build -trimpath -buildvcs=false

# Preemption by signal is off: signals are the host's.
LINK_ALL    := -s -w -buildid= -X=runtime.godebugDefault=asyncpreemptoff=1
LINK_SHARED := $(LINK_ALL) -extldflags "-Wl,-soname,$(SONAME) -Wl,--version-script=$(CURDIR)/include/libsds.map"

SOURCES := go.mod go.sum VERSION Makefile $(wildcard include/*) \
           $(shell find core capi internal persistence_callbacks -name '*.go' -not -name '*_test.go' -o -name '*.[ch]' 2>/dev/null)

lib: build/libsds.so build/libsds.a build/libsds.h

go-archive: build/libsds-go.a

build/$(SHARED): $(SOURCES)
	$(GO_BUILD) -buildmode=c-shared -ldflags '$(LINK_SHARED)' -o $@ ./capi
	@rm -f $(basename $@).h

build/$(SONAME): build/$(SHARED)
	ln -sf $(SHARED) $@

build/libsds.so: build/$(SONAME)
	ln -sf $(SONAME) $@

build/libsds.a: $(SOURCES)
	$(GO_BUILD) -buildmode=c-archive -ldflags '$(LINK_ALL)' -o $@ ./capi
	@rm -f build/libsds.h

# After the archive: the header that Go writes beside it bears the same name.
build/libsds.h: include/libsds.h build/libsds.a
	cp $< $@

# The archive for programs that have a Go runtime, too: those of two collide by their names.
# So all of it is linked into one object, in which only the functions of the header are
# left global.
build/libsds-go.a: build/libsds.a
	$(LD) -r -d --whole-archive $< -o build/libsds-go.o
	$(OBJCOPY) --wildcard --keep-global-symbol='Sds*' build/libsds-go.o
	@rm -f $@
	$(AR) rcD $@ build/libsds-go.o
	@rm build/libsds-go.o

build/libsds.pc: packaging/libsds.pc.in Makefile VERSION
	@mkdir -p build
	@rm -f $@ # it may be root's, from an installation
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' \
	    -e 's|@LIBDIR@|$(patsubst $(PREFIX)/%,$${prefix}/%,$(LIBDIR))|' \
	    -e 's|@INCLUDEDIR@|$(patsubst $(PREFIX)/%,$${prefix}/%,$(INCLUDEDIR))|' $< > $@

# The prefix is no file that make could see change.
.PHONY: build/libsds.pc

install: lib build/libsds.pc
	install -d '$(DESTDIR)$(INCLUDEDIR)' '$(DESTDIR)$(LIBDIR)/pkgconfig'
	install -m 644 include/libsds.h '$(DESTDIR)$(INCLUDEDIR)/'
	install -m 755 build/$(SHARED) '$(DESTDIR)$(LIBDIR)/'
	ln -sf $(SHARED) '$(DESTDIR)$(LIBDIR)/$(SONAME)'
	ln -sf $(SONAME) '$(DESTDIR)$(LIBDIR)/libsds.so'
	install -m 644 build/libsds.a '$(DESTDIR)$(LIBDIR)/'
	install -m 644 build/libsds.pc '$(DESTDIR)$(LIBDIR)/pkgconfig/'
	install -d '$(DESTDIR)$(MANDIR)/man3'
	install -m 644 packaging/libsds.3 '$(DESTDIR)$(MANDIR)/man3/'

# Another release may lie beside this one: of what bears no version, only what is
# this one's goes.
uninstall:
	@cd '$(DESTDIR)$(LIBDIR)' && set -x && rm -f $(SHARED) && \
	    if [ "$$(readlink $(SONAME))" = $(SHARED) ]; then rm $(SONAME); fi && \
	    if grep -qsx 'Version: $(VERSION)' pkgconfig/libsds.pc; then \
	        rm -f libsds.so libsds.a pkgconfig/libsds.pc '$(DESTDIR)$(INCLUDEDIR)/libsds.h' '$(DESTDIR)$(MANDIR)/man3/libsds.3'; \
	    fi

# ---- a source tarball --------------------------------------------------------

# The commit gives every byte, its date the times: the same commit gives the same
# tarball. What is not committed is not in it.
DIST := libsds-$(VERSION)

dist:
	@git rev-parse --is-inside-work-tree >/dev/null 2>&1 && [ -z "$$(git rev-parse --show-prefix)" ] || \
	    { echo 'make dist: this is no git checkout of libsds: a source tarball is made of a commit' >&2; exit 1; }
	@[ -z "$$(git status --porcelain)" ] || echo 'make dist: note: what is not committed is not in the tarball' >&2
	@mkdir -p build
	git -c tar.umask=0022 archive --format=tar --prefix=$(DIST)/ -o build/$(DIST).tar HEAD
	@tar -xOf build/$(DIST).tar $(DIST)/VERSION | grep -qxF '$(VERSION)' || \
	    { echo 'make dist: VERSION is not committed' >&2; exit 1; }
	gzip -9nf build/$(DIST).tar
	cd build && sha256sum $(DIST).tar.gz > SHA256SUMS

# ---- Debian packages ---------------------------------------------------------

deb:
	GO='$(GO)' packaging/deb

# ---- other systems -----------------------------------------------------------

include packaging/cross.mk

# ---- a first program -------------------------------------------------------

STAGE := $(CURDIR)/build/stage

# DEMO_ARGS are handed to the program; --help lists them.
DEMO_ARGS :=

demo:
	@scripts/need demo
	@$(MAKE) --no-print-directory install PREFIX=/usr DESTDIR='$(STAGE)'
	$(CC) -std=c11 -O2 -Wall -Wextra -pedantic -I'$(STAGE)/usr/include' examples/c/chat*.c -o build/chat \
	    -L'$(STAGE)/usr/lib' -lsds -pthread '-Wl,-rpath,$(STAGE)/usr/lib'
	build/chat $(DEMO_ARGS)

# ---- further programs ------------------------------------------------------

EXAMPLE_FLAGS := -Wall -Wextra -pedantic -Werror -Iinclude
EXAMPLE_CC    := $(CC) -std=c11 $(EXAMPLE_FLAGS)

examples: build/native build/sqlite_store

# The one that is copied first keeps to C99, and C++ reads it as well.
NATIVE_CC  := $(CC) -std=c99 $(EXAMPLE_FLAGS)
NATIVE_CXX := $(CXX) -std=c++11 -x c++ $(EXAMPLE_FLAGS)

build/native: examples/c/native.c include/libsds.h build/libsds.so
	$(NATIVE_CC) -O2 $< -o $@ -Lbuild -lsds '-Wl,-rpath,$(CURDIR)/build'

build/native-cxx: examples/c/native.c include/libsds.h build/libsds.so
	$(NATIVE_CXX) -O2 $< -o $@ -Lbuild -lsds '-Wl,-rpath,$(CURDIR)/build'

build/sqlite_store: examples/c/sqlite_store.c include/libsds.h build/libsds.so
	$(EXAMPLE_CC) -O2 $< -o $@ -Lbuild -lsds -lsqlite3 -pthread '-Wl,-rpath,$(CURDIR)/build'

# ---- documentation -----------------------------------------------------------

docs:
	@scripts/need docs
	@rm -rf build/docs
	@mkdir -p build/docs
	VERSION='$(VERSION)' doxygen docs/Doxyfile

# ---- tests -------------------------------------------------------------------

test:
	+@MAKE='$(MAKE)' GO='$(GO)' CC='$(CC)' CXX='$(CXX)' scripts/test

matrix: build/hosts/plain/matrix
	$< --table tests/abi/matrix.md

# A Python package that carries the library.
wheel: lib
	$(MAKE) -C bindings/python wheel OUT='$(CURDIR)/build'

# What the bindings, the packages and the builds for other systems want beside what
# the tests want, and then all of it with nothing left out.
setup:
	scripts/need demo docs test python nim rust packages cross interop
	@$(MAKE) --no-print-directory $(GOLANGCI_BUILT)

test-all:
	+@SDS_TEST_ALL=1 MAKE='$(MAKE)' GO='$(GO)' CC='$(CC)' CXX='$(CXX)' scripts/test

bench: lib
	$(GO) run ./tests/bench

# ---- simulation ----------------------------------------------------------------

# SIM_ARGS are handed to the program; `$(GO) run ./tests/sim run --help` lists them.
SEEDS    := 1000
SIM_ARGS :=

.PHONY: sim
sim:
	$(GO) run ./tests/sim run --seeds $(SEEDS) --report build/sim/report.html $(SIM_ARGS)

# ---- further checks ------------------------------------------------------------

fuzz:
	FUZZTIME='$(FUZZTIME)' FUZZ='$(FUZZ)' GO='$(GO)' CLANG='$(CLANG)' MAKE='$(MAKE)' scripts/fuzz

lint:
	@unformatted=$$(gofmt -l $$(find . -name '*.go' -not -path './build/*')); \
	    if [ -n "$$unformatted" ]; then echo "not formatted with gofmt:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	GOFLAGS= $(GO) run $(STATICCHECK) ./...
	@$(MAKE) --no-print-directory golangci

# To compile it takes minutes, once; then it is in Go's cache, and beside what is built.
GOLANGCI_BUILT := build/tools/golangci-lint-$(lastword $(subst @, ,$(GOLANGCI)))

.PHONY: golangci

golangci: $(GOLANGCI_BUILT)
	$< run ./...

$(GOLANGCI_BUILT):
	@mkdir -p $(@D)
	GOFLAGS= GOBIN='$(CURDIR)/$(@D)' $(GO) install $(GOLANGCI)
	@mv $(@D)/golangci-lint $@

# The ABI that is compared with what it was is read from the debug information of
# the C functions, which are what the header declares.
abi:
	@MAKE='$(MAKE)' CC='$(CC)' scripts/check-abi renew

build/abi/$(SONAME): $(SOURCES)
	$(subst CGO_CFLAGS=-O2,CGO_CFLAGS='-O2 -g',$(GO_BUILD)) -buildmode=c-shared -ldflags '$(filter-out -s -w,$(LINK_SHARED))' -o $@ ./capi
	@rm -f $(basename $@).h

clean:
	rm -rf build

# The C hosts, in several builds (two more below): as they are, with a library that tells valgrind
# what it allocates, with AddressSanitizer on both sides of the ABI, and with
# Go's race detector inside the library.
HOSTS        := $(patsubst tests/capi/%.c,%,$(wildcard tests/capi/*.c))
# Not in every build are those that have to do with C++ or bring a malloc() of their own.
HOSTS_IN_C   := $(filter-out leaving exits,$(HOSTS))
HOST_HEADERS := $(wildcard tests/capi/*.h) include/libsds.h
HOST_CC      := $(CC) -std=c11 -D_POSIX_C_SOURCE=200809L -Wall -Wextra -pedantic -Werror -O1 -g -Iinclude -pthread
# Only the hosts that name a function of the library are to load it at their start.
HOST_LINK    := -Wl,--as-needed -lsds -ldl -lstdc++

# What these do in C++.
build/hosts/plain/leaving build/hosts/plain/exits build/hosts/valgrind/leaving build/hosts/valgrind/exits \
build/hosts/asan/leaving build/hosts/asan/exits: build/hosts/cplusplus.o

build/hosts/cplusplus.o: tests/capi/cplusplus.cpp tests/capi/cplusplus.h
	@mkdir -p $(@D)
	$(CXX) -std=c++11 -Wall -Wextra -pedantic -Werror -O1 -g -fPIE -c $< -o $@

hosts: $(addprefix build/hosts/plain/,$(HOSTS)) build/hosts/plain/gohost
hosts-valgrind: $(addprefix build/hosts/valgrind/,$(HOSTS))
hosts-asan: $(addprefix build/hosts/asan/,$(HOSTS))
hosts-race: $(addprefix build/hosts/race/,order reentrant threads lifecycle persistence procedures store native insight matrix slow crowd clock)

build/hosts/plain/%: tests/capi/%.c $(HOST_HEADERS) build/libsds.so
	@mkdir -p $(@D)
	$(HOST_CC) $< $(filter %.o,$^) -o $@ -Lbuild $(HOST_LINK) '-Wl,-rpath,$(CURDIR)/build'

build/hosts/plain/gohost: $(wildcard tests/capi/gohost/*.go) include/libsds.h go.mod
	@mkdir -p $(@D)
	$(GO) build -o $@ ./tests/capi/gohost

# With symbols and lines, for what valgrind reports.
build/valgrind/$(SONAME): $(SOURCES)
	$(GO_BUILD) -tags valgrind -buildmode=c-shared -ldflags '$(filter-out -s -w,$(LINK_SHARED)) -compressdwarf=false' -o $@ ./capi
	@rm -f $(basename $@).h
	ln -sf $(SONAME) build/valgrind/libsds.so

build/hosts/valgrind/%: tests/capi/%.c $(HOST_HEADERS) build/valgrind/$(SONAME)
	@mkdir -p $(@D)
	$(HOST_CC) $< $(filter %.o,$^) -o $@ -Lbuild/valgrind $(HOST_LINK) -Wl,-rpath,$(CURDIR)/build/valgrind

build/asan/$(SONAME): $(SOURCES)
	$(GO_BUILD) -asan -buildmode=c-shared -ldflags '$(LINK_SHARED)' -o $@ ./capi
	@rm -f $(basename $@).h
	ln -sf $(SONAME) build/asan/libsds.so

build/hosts/asan/%: tests/capi/%.c $(HOST_HEADERS) build/asan/$(SONAME)
	@mkdir -p $(@D)
	$(HOST_CC) -fsanitize=address -fno-omit-frame-pointer $< $(filter %.o,$^) -o $@ -Lbuild/asan $(HOST_LINK) -Wl,-rpath,$(CURDIR)/build/asan

examples-asan: build/asan/native build/asan/native-cxx build/asan/sqlite_store

build/asan/native: examples/c/native.c include/libsds.h build/asan/$(SONAME)
	$(NATIVE_CC) -O1 -g -fsanitize=address -fno-omit-frame-pointer $< -o $@ -Lbuild/asan -lsds '-Wl,-rpath,$(CURDIR)/build/asan'

build/asan/native-cxx: examples/c/native.c include/libsds.h build/asan/$(SONAME)
	$(NATIVE_CXX) -O1 -g -fsanitize=address -fno-omit-frame-pointer $< -o $@ -Lbuild/asan -lsds '-Wl,-rpath,$(CURDIR)/build/asan'

build/asan/sqlite_store: examples/c/sqlite_store.c include/libsds.h build/asan/$(SONAME)
	$(EXAMPLE_CC) -O1 -g -fsanitize=address -fno-omit-frame-pointer $< -o $@ -Lbuild/asan -lsds -lsqlite3 -pthread \
	    '-Wl,-rpath,$(CURDIR)/build/asan'

# Participants for tests/interop, in C over a library that has the time from the test:
# one file is another, all else is what is installed.
INTEROP_CLOCK := tests/interop/testdata/clock.go

interop: build/interop/participants

build/interop/$(SONAME): $(SOURCES) $(INTEROP_CLOCK)
	@mkdir -p $(@D)
	@echo '{"Replace": {"$(CURDIR)/core/clock.go": "$(CURDIR)/$(INTEROP_CLOCK)"}}' > build/interop/overlay.json
	$(GO_BUILD) -overlay build/interop/overlay.json -buildmode=c-shared -ldflags '$(LINK_SHARED)' -o $@ ./capi
	@rm -f $(basename $@).h
	ln -sf $(SONAME) build/interop/libsds.so

build/interop/participants: tests/interop/c/participants.c include/libsds.h build/interop/$(SONAME)
	$(HOST_CC) $< -o $@ -Lbuild/interop -lsds -Wl,-rpath,$(CURDIR)/build/interop

build/race/libsds.a: $(SOURCES)
	$(GO_BUILD) -race -buildmode=c-archive -ldflags '$(LINK_ALL)' -o $@ ./capi
	@rm -f build/race/libsds.h

# The race detector's memory map needs a program at a fixed address.
build/hosts/race/%: tests/capi/%.c $(HOST_HEADERS) build/race/libsds.a
	@mkdir -p $(@D)
	$(HOST_CC) -no-pie $< build/race/libsds.a -o $@ -lm

# ---- a long run ----------------------------------------------------------------

SOAK := $(wildcard tests/soak/*.c)

.PHONY: soak
soak: build/soak/soak
	$< -o build/soak/samples.csv $(MINUTES)

build/soak/soak: $(SOAK) $(wildcard tests/soak/*.h) include/libsds.h build/libsds.so
	@mkdir -p $(@D)
	$(HOST_CC) $(SOAK) -o $@ -Lbuild -lsds -lm '-Wl,-rpath,$(CURDIR)/build'
# ---- fuzzing with libFuzzer ------------------------------------------------------
#
# The Go compiler puts libFuzzer's counters into the packages that are named here, and
# clang AddressSanitizer into the C that is around them.
FUZZ_FLAGS := -trimpath -buildvcs=false -buildmode=c-archive -tags libfuzzer -ldflags '$(LINK_ALL)' \
              -gcflags='github.com/libsds/libsds/...=-d=libfuzzer' \
              -gcflags='google.golang.org/protobuf/encoding/protowire=-d=libfuzzer' -gcflags='encoding/json=-d=libfuzzer'
FUZZ_GO    := GOFLAGS= GOWORK=off GOEXPERIMENT= CGO_ENABLED=1 CC='$(CLANG)' CGO_CPPFLAGS=-DSDS_HEADERS=$(HEADERS) CGO_LDFLAGS=
CALLS      := tests/fuzz/calls.c tests/fuzz/input.h tests/fuzz/keeper.h include/libsds.h
CALLS_C    := -std=c11 -D_POSIX_C_SOURCE=200809L -Wall -Wextra -pedantic -Werror -O1 -g -Iinclude

build/fuzz/libsds.a: $(SOURCES)
	$(FUZZ_GO) CGO_CFLAGS='-O1 -g -fsanitize=address,fuzzer-no-link' $(GO) build $(FUZZ_FLAGS) -o $@ ./capi
	@rm -f build/fuzz/libsds.h

build/fuzz/calls: $(CALLS) build/fuzz/libsds.a
	$(CLANG) $(CALLS_C) -fsanitize=address,fuzzer $< build/fuzz/libsds.a -o $@ -lm

build/fuzz/decoders: $(SOURCES) $(wildcard tests/fuzz/decoders/*.go)
	$(FUZZ_GO) CGO_CFLAGS=-O2 $(GO) build $(FUZZ_FLAGS) -o build/fuzz/libdecoders.a ./tests/fuzz/decoders
	@rm -f build/fuzz/libdecoders.h
	$(CLANG) -fsanitize=fuzzer build/fuzz/libdecoders.a -o $@ -lm

# Runs the inputs of tests/fuzz/corpus, without clang.
build/hosts/asan/replay: tests/fuzz/replay.c $(CALLS) build/asan/$(SONAME)
	@mkdir -p $(@D)
	$(CC) $(CALLS_C) -fsanitize=address -fno-omit-frame-pointer $< tests/fuzz/calls.c -o $@ -Lbuild/asan $(HOST_LINK) \
	    '-Wl,-rpath,$(CURDIR)/build/asan'
# ---- the C hosts with further sanitizers ---------------------------------------

# Of undefined behaviour and of races in C, on both sides of the ABI. Go's own code is
# not looked at here; hosts-race does that, which in turn does not see the C functions.
# Go tells this sanitizer of threads what its calls from and to C synchronize.
UBSAN := -fsanitize=undefined -fno-sanitize-recover=all
TSAN  := -fsanitize=thread

.PHONY: hosts-ubsan hosts-tsan

hosts-ubsan: $(addprefix build/hosts/ubsan/,$(filter-out allocation,$(HOSTS_IN_C)))
hosts-tsan: $(addprefix build/hosts/tsan/,$(filter-out allocation,$(HOSTS_IN_C)))

build/ubsan/$(SONAME): $(SOURCES)
	$(subst CGO_LDFLAGS=,CGO_LDFLAGS='$(UBSAN)',$(subst CGO_CFLAGS=-O2,CGO_CFLAGS='-O2 -g $(UBSAN)',$(GO_BUILD))) \
	    -buildmode=c-shared -ldflags '$(LINK_SHARED)' -o $@ ./capi
	@rm -f $(basename $@).h
	ln -sf $(SONAME) build/ubsan/libsds.so

build/hosts/ubsan/%: tests/capi/%.c $(HOST_HEADERS) build/ubsan/$(SONAME)
	@mkdir -p $(@D)
	$(HOST_CC) $(UBSAN) $< -o $@ -Lbuild/ubsan $(HOST_LINK) -Wl,-rpath,$(CURDIR)/build/ubsan

build/tsan/libsds.a: $(SOURCES)
	$(subst CGO_LDFLAGS=,CGO_LDFLAGS='$(TSAN)',$(subst CGO_CFLAGS=-O2,CGO_CFLAGS='-O2 -g $(TSAN)',$(GO_BUILD))) \
	    -buildmode=c-archive -ldflags '$(LINK_ALL)' -o $@ ./capi
	@rm -f build/tsan/libsds.h

build/hosts/tsan/%: tests/capi/%.c $(HOST_HEADERS) build/tsan/libsds.a
	@mkdir -p $(@D)
	$(HOST_CC) $(TSAN) $< build/tsan/libsds.a -o $@ -lm -ldl

# The host with faults, by which scripts/check-sanitizers sees that these builds notice them.
build/hosts/ubsan/faulty: tests/sanitizers/faulty.c build/ubsan/$(SONAME)
	@mkdir -p $(@D)
	$(HOST_CC) $(UBSAN) $< -o $@ -Lbuild/ubsan $(HOST_LINK) -Wl,-rpath,$(CURDIR)/build/ubsan

build/hosts/tsan/faulty: tests/sanitizers/faulty.c build/tsan/libsds.a
	@mkdir -p $(@D)
	$(HOST_CC) $(TSAN) $< build/tsan/libsds.a -o $@ -lm -ldl

# ---- what versions kept ----------------------------------------------------------

.PHONY: keep-version

# Before a version is tagged: what it keeps, for the versions to come.
keep-version:
	@! git rev-parse -q --verify 'refs/tags/v$(VERSION)' >/dev/null || \
	    { echo 'make keep-version: v$(VERSION) is tagged: what it kept stays as it is' >&2; exit 1; }
	$(GO) test ./core/store -run '^TestAStoreOfEveryVersionOpensForEverAfter$$' -count=1 -keep '$(VERSION)'

# ---- coverage ------------------------------------------------------------------

# The library that writes what the hosts covered to the folder GOCOVERDIR, when they end.
COVERED := github.com/libsds/libsds/core/...,github.com/libsds/libsds/capi/...,github.com/libsds/libsds/internal/...,github.com/libsds/libsds/persistence_callbacks/...

.PHONY: coverage hosts-coverage

coverage:
	MAKE='$(MAKE)' GO='$(GO)' CC='$(CC)' scripts/check-coverage

hosts-coverage: $(addprefix build/hosts/coverage/,$(HOSTS_IN_C))

# It is built from a copy of the sources, in which the hook lies beside them.
build/coverage/$(SONAME): $(SOURCES) tests/coverage/hook.go.txt tests/coverage/hook.c.txt
	@rm -rf build/coverage/sources
	@mkdir -p build/coverage/sources
	@tar -cf - go.mod go.sum include core capi internal persistence_callbacks | tar -xf - -C build/coverage/sources
	@cp tests/coverage/hook.go.txt build/coverage/sources/capi/coverage_hook.go
	@cp tests/coverage/hook.c.txt build/coverage/sources/capi/coverage_hook.c
	cd build/coverage/sources && $(GO_BUILD) -cover -covermode=atomic -coverpkg='$(COVERED)' \
	    -buildmode=c-shared -ldflags '$(LINK_SHARED)' -o '$(CURDIR)/$@' ./capi
	@rm -f $(basename $@).h
	ln -sf $(SONAME) build/coverage/libsds.so

build/hosts/coverage/%: tests/capi/%.c $(HOST_HEADERS) build/coverage/$(SONAME)
	@mkdir -p $(@D)
	$(HOST_CC) $< -o $@ -Lbuild/coverage $(HOST_LINK) -Wl,-rpath,$(CURDIR)/build/coverage

# ---- mutants -------------------------------------------------------------------

.PHONY: mutation mutation-sample

mutation:
	$(GO) run ./tests/mutation

# A few of each package, the same in each run.
mutation-sample:
	$(GO) run ./tests/mutation -sample 120
