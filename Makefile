# ledgerhook: builds, tests and installs. `make help` lists the targets.
#   MODE=release|asan|tsan|fuzz|coverage   CC=gcc|clang   EXTRA=-Werror   JOBS=2   V=1 shows commands
# A .c file is picked up by its folder; which program it belongs to is decided below, in one place.
VERSION := 0.1.0
MODE    ?= release
JOBS    ?= 2
PREFIX  ?= /usr/local
PYTHON  := /usr/bin/python3
FUZZ_SECONDS ?= 10
Q := $(if $(V),,@)
ifeq ($(origin CC),default)
CC := $(if $(filter fuzz,$(MODE)),clang,gcc)
endif
COMPILER := $(if $(findstring clang,$(CC)),clang,gcc)
B := build/$(MODE)$(if $(filter clang,$(COMPILER)),$(if $(filter fuzz,$(MODE)),,-clang))

# ---- flags ----
STD  := -std=gnu11 -D_GNU_SOURCE -I. -DLH_VERSION='"$(VERSION)"'
WARN := -Wall -Wextra -Wpedantic -Wformat=2 -Wshadow -Wundef -Wvla -Wpointer-arith -Wcast-qual \
        -Wwrite-strings -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition \
        -Wredundant-decls -Wnested-externs -Wnull-dereference -Wdouble-promotion -Wfloat-equal \
        -Wconversion -Wno-sign-conversion -Wimplicit-fallthrough -Wdate-time
warn-gcc := -Wformat-signedness -Wlogical-op -Wduplicated-cond -Wduplicated-branches \
        -Wjump-misses-init -Warith-conversion -Walloca -Wstringop-overflow=4 -Wtrampolines \
        -Wunused-macros
warn-clang := -Wshorten-64-to-32 -Wconditional-uninitialized -Wmissing-variable-declarations \
        -Wcomma -Wunreachable-code -Wassign-enum
HARD := -O2 -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection \
        -fcf-protection=full -fno-common -fPIE -Wframe-larger-than=8192
LDHARD := -pie -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code
# gcc's flow warnings misread the checks that the sanitizers insert; the release build has them on.
san-gcc := -Wno-null-dereference -Wno-maybe-uninitialized -Wno-stringop-overflow \
        -Wno-format-truncation -Wno-array-bounds
SAN := -O1 -fno-omit-frame-pointer $(san-$(COMPILER))
flags-release  := $(HARD)
flags-asan     := $(SAN) -fsanitize=address,undefined -fno-sanitize-recover=all
flags-tsan     := $(SAN) -fsanitize=thread
flags-fuzz     := $(SAN) -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
flags-coverage := -O0 --coverage
ifeq ($(flags-$(MODE)),)
$(error MODE is one of release asan tsan fuzz coverage, not "$(MODE)")
endif
CFLAGS  := $(STD) -g $(WARN) $(warn-$(COMPILER)) $(flags-$(MODE)) -MMD -MP $(EXTRA)
LDFLAGS := $(if $(filter release,$(MODE)),$(LDHARD),$(flags-$(MODE)))
LIBS          := -lcivetweb -lhiredis -lcrypto -lzstd -lpthread
LIBS-receiver := $(LIBS)
LIBS-worker   := $(LIBS) -lcurl

# ---- which file belongs to which program ----
# The receiver has no way out: neither curl nor service/export nor the tokens (queue/grants) are in
# it. The worker has no webhooks and no API: of handlers/ only what serves its operations port.
src = $(patsubst %.c,$(B)/%.o,$(wildcard $(1)))
COMMON := $(call src,service/base/*.c service/sync/*.c queue/*.c) \
          $(call src,handlers/handlers.c handlers/server*.c handlers/pages.c) \
          $(B)/lua_scripts.o $(B)/console_files.o
OBJ-receiver := $(filter-out $(B)/queue/grants.o,$(COMMON)) \
          $(filter-out $(COMMON),$(call src,handlers/*.c))
OBJ-worker   := $(COMMON) $(call src,service/export/*.c)
PROGRAMS := $(patsubst service/%_main.c,%,$(wildcard service/*_main.c))
PRODUCT  := $(sort $(OBJ-receiver) $(OBJ-worker))
UNIT     := $(patsubst %.c,$(B)/%,$(wildcard tests/unit/test_*.c))
FUZZERS  := $(patsubst %.c,$(B)/%,$(wildcard tests/fuzz/fuzz_*.c))
C_FILES   = $(shell find service queue handlers tests -name '*.[ch]')

.PHONY: all run test unit integration properties permutations lint analyze format format-check sanitize chaos shops fuzz coverage image
.PHONY: install help clean setup-build setup-run setup-test
.DELETE_ON_ERROR:
.SECONDARY:

all: $(PROGRAMS:%=$(B)/ledgerhook-%) ## build both programs into build/ (the default)
	@mkdir -p build
	$(if $(filter release,$(notdir $(B))),@for p in $(PROGRAMS); do \
	    ln -sfn release/ledgerhook-$$p build/ledgerhook-$$p; done)

.SECONDEXPANSION:
$(B)/ledgerhook-%: $(B)/service/%_main.o $$(OBJ-$$*)
	@echo "  LD $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $< $(OBJ-$*) $(LIBS-$*)
$(B)/%.o: %.c Makefile
	@mkdir -p $(@D)
	@echo "  CC $@"
	$(Q)$(CC) $(CFLAGS) -c -o $@ $<
$(B)/%.o: $(B)/%.c
	@echo "  CC $@"
	$(Q)$(CC) $(CFLAGS) -c -o $@ $<

# ---- generated: the Lua scripts with the SHA1 Redis gives them, and the console's files ----
# A string literal may have 4,095 characters, so the bytes are written as an array.
BYTES = od -An -v -t$(1) $(2) | sed 's/[0-9][0-9]*/&,/g'
LUA_LIB := $(wildcard queue/scripts/lib.lua)
LUA     := $(filter-out $(LUA_LIB),$(sort $(wildcard queue/scripts/*.lua)))
$(B)/lua_scripts.c: $(LUA) $(LUA_LIB) $(wildcard queue/scripts) Makefile
	@mkdir -p $(@D)/lua
	@{ echo '#include "queue/scripts.h"'; t='const struct script lua_scripts[] = {'; \
	for f in $(LUA); do n=$$(basename $$f .lua); o=$(@D)/lua/$$n.lua; \
	    { head -n1 $$f; cat $(LUA_LIB) /dev/null; tail -n+2 $$f; } >$$o; \
	    echo "static const char text_$$n[] = {"; $(call BYTES,d1,$$o); echo '0};'; \
	    t="$$t{\"$$n\", \"$$(sha1sum <$$o | cut -d' ' -f1)\","; \
	    t="$$t text_$$n, sizeof(text_$$n) - 1},"; \
	done; echo "$$t{0, 0, 0, 0}};"; } >$@.tmp && mv $@.tmp $@

CONSOLE := $(sort $(wildcard handlers/console/*))
$(B)/console_files.c: $(CONSOLE) $(wildcard handlers/console) Makefile
	@mkdir -p $(@D)
	@{ echo '#include "handlers/console_files.h"'; t='const struct console_file console_files[] = {'; \
	i=0; for f in $(CONSOLE); do i=$$((i + 1)); \
	    case $$f in *.html) y='text/html; charset=utf-8';; *.css) y='text/css; charset=utf-8';; \
	    *.js) y='text/javascript; charset=utf-8';; *.json) y=application/json;; \
	    *.svg) y=image/svg+xml;; *.png) y=image/png;; \
	    *) echo "console: no type for $$f" >&2; exit 1;; esac; \
	    echo "static const unsigned char bytes_$$i[] = {"; $(call BYTES,u1,$$f); echo '0};'; \
	    t="$$t{\"/$${f##*/}\", \"$$y\", bytes_$$i, sizeof(bytes_$$i) - 1,"; \
	    t="$$t \"$$(sha256sum <$$f | cut -d' ' -f1)\"},"; \
	done; echo "$$t{0, 0, 0, 0, 0}};"; } >$@.tmp && mv $@.tmp $@

# ---- tests ----
# Programs under test and unit tests find the tree by SOURCE_DIR, tests the programs by BUILD_DIR.
$(B)/libproduct.a: $(PRODUCT)
	@rm -f $@; ar rcs $@ $(PRODUCT)
$(B)/tests/unit/%: $(B)/tests/unit/%.o $(B)/libproduct.a
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ -lcmocka $(LIBS-worker)
$(B)/tests/unit/%.o: CFLAGS += -DSOURCE_DIR='"$(CURDIR)"'
$(B)/tests/fuzz/%: $(B)/tests/fuzz/%.o $(B)/libproduct.a
	$(Q)$(CC) $(flags-fuzz) -fsanitize=fuzzer -o $@ $^ $(LIBS-worker)

TEST_ENV := BUILD_DIR=$(abspath $(B)) SOURCE_DIR=$(CURDIR) PYTHONDONTWRITEBYTECODE=1 \
        ASAN_OPTIONS=abort_on_error=1:detect_leaks=1:strict_string_checks=1 \
        LSAN_OPTIONS=exitcode=23 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 \
        TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1:exitcode=66
# gcc 12's TSan does not start where the kernel scatters addresses widely; without scattering it does.
ifeq ($(MODE),tsan)
TEST_ENV := $(shell setarch -R true 2>/dev/null && echo setarch -R) env $(TEST_ENV)
endif
SUB := $(MAKE) --no-print-directory -j$(JOBS) MODE=$(MODE)

setup-build setup-run setup-test: setup-%:
	@tests/setup.sh $*
run: ## set up, build, start everything with demo orders on http://localhost:8081
	@tests/setup.sh run
	@$(SUB) all
	@$(PYTHON) tests/sim/demo.py
test: ## set up, build, run every test (MODE=asan: the same under ASan+UBSan)
	@tests/setup.sh test
	@$(SUB) EXTRA=-Werror all build-unit
	@$(SUB) EXTRA=-Werror unit
	@$(SUB) EXTRA=-Werror properties
	@$(SUB) EXTRA=-Werror integration
	@$(SUB) EXTRA=-Werror permutations ORDERS=10 TIMES=5
.PHONY: build-unit
build-unit: $(UNIT)
unit: $(UNIT) ## the C tests only, one binary a module
	@$(TEST_ENV) tests/unit/run.sh $(JOBS) $(UNIT)
integration: all ## the pytest tests only (PYTEST='-k name' narrows them)
	@$(TEST_ENV) $(PYTHON) -m pytest -q -n $(JOBS) -p no:cacheprovider $(PYTEST) tests/integration
PROPERTIES := $(B)/tests/properties/build_documents
$(PROPERTIES): $(B)/tests/properties/build_documents.o $(B)/libproduct.a
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS-worker)
properties: $(PROPERTIES) ## N (2000) random orders, built, written to the simulator, compared; SEED=n N=1 is one
	@$(TEST_ENV) $(PYTHON) tests/properties/properties.py --build $(abspath $(B)) --n $(or $(N),2000) --seed $(or $(SEED),1)
permutations: all ## ORDERS (100) random orders, their events arranged TIMES (20) times, through the real programs
	@$(TEST_ENV) $(PYTHON) tests/properties/permutations.py --orders $(or $(ORDERS),100) --times $(or $(TIMES),20) \
	    --seed $(or $(SEED),1)
sanitize: ## the whole suite under ASan+UBSan+LSan, the unit tests under TSan
	@$(MAKE) --no-print-directory test MODE=asan
	@$(MAKE) --no-print-directory -j$(JOBS) unit MODE=tsan
chaos: all ## kill and stop everything for MINUTES (10), then audit; SEED=n plays a run again
	@$(TEST_ENV) $(PYTHON) tests/chaos/chaos.py --minutes $(or $(MINUTES),10) --seed "$(SEED)" \
	    --workers $(or $(WORKERS),3) --receivers $(or $(RECEIVERS),2) --connections $(or $(CONNECTIONS),20)
shops: all $(B)/tests/bench/faster.so ## 1,000 missed orders found, 500 read at Amazon's limits, two minutes; SEED, ORDERS, PART
	@$(TEST_ENV) $(PYTHON) tests/shops/shops.py --seed $(or $(SEED),1) --orders $(or $(ORDERS),1000) $(PART)
fuzz: ## run every fuzz target for FUZZ_SECONDS (10)
	@$(MAKE) --no-print-directory -j$(JOBS) MODE=fuzz run-fuzz
.PHONY: run-fuzz
run-fuzz: $(FUZZERS)
	@tests/fuzz/run.sh $(FUZZ_SECONDS) $(FUZZERS)
coverage: ## line coverage by file, from the unit and integration tests
	@$(MAKE) --no-print-directory -j$(JOBS) MODE=coverage unit integration
	@tests/lint/coverage.sh build/coverage

# ---- benchmarks: of the release build ----
BENCH := $(addprefix $(B)/tests/bench/,load floor)
$(BENCH): $(B)/tests/bench/%: $(B)/tests/bench/%.o
	$(Q)$(CC) $(LDFLAGS) -o $@ $< -lcivetweb -lhiredis -lcrypto -lpthread
$(B)/tests/bench/faster.so: tests/bench/faster.c Makefile
	@mkdir -p $(@D)
	$(Q)$(CC) $(filter-out -MMD -MP -fPIE,$(CFLAGS)) -fPIC -shared -o $@ $<
.PHONY: bench bench-day build-bench
build-bench: $(BENCH) $(B)/tests/bench/faster.so
	@:
bench: ## what it costs: a table, and build/bench.json (PART='accepted idle' measures only these)
	@tests/setup.sh bench
	@$(SUB) all build-bench
	@$(TEST_ENV) $(PYTHON) tests/bench/bench.py --json build/bench.json $(PART)
bench-day: ## the same of a simulated day within Xero's smaller budget, about ten minutes
	@$(MAKE) --no-print-directory bench PART=day

# ---- lint ----
lint: ## the project's own rules: layers, owners, contracts, sizes, format, documents
	@CC=$(CC) tests/lint/run.sh
analyze: ## both compilers with -Werror, gcc -fanalyzer, cppcheck, clang-tidy
	@JOBS=$(JOBS) tests/lint/analyze.sh
format: ## format the C files in place
	@clang-format -i $(C_FILES)
format-check: ## say which C files are not formatted
	@clang-format --dry-run -Werror $(C_FILES)

# ---- packaging ----
image: ## build the container image ledgerhook:$(VERSION) (CONTAINER=docker|podman)
	$(or $(CONTAINER),docker) build -f deploy/Dockerfile -t ledgerhook:$(VERSION) .
install: all ## install both programs (DESTDIR, PREFIX)
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 755 $(PROGRAMS:%=$(B)/ledgerhook-%) $(DESTDIR)$(PREFIX)/bin/
help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' Makefile | sed 's/$$(VERSION)/$(VERSION)/' | \
	    awk -F'\t' '{ printf "  make %-13s %s\n", $$1, $$2 }'
clean: ## remove build/
	rm -rf build

-include $(shell find $(B) -name '*.d' 2>/dev/null)
