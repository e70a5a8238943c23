# make demo and make test do all the set-up on a fresh Debian 12 with Swift 6.3.

LIBRARIES := pkg-config libmicrohttpd-dev libsqlite3-dev libyaml-dev zlib1g-dev libsimdjson-dev \
	libcurl4-openssl-dev libssl-dev tzdata
PEERS := prometheus sqlite3 python3 python3-venv victoria-metrics \
	prometheus-alertmanager systemd nginx-light curl openssl binutils \
	chromium chromium-driver
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

.PHONY: help demo test tsan build bench format lint clean libraries peers

help: ## lists what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: libraries ## builds and runs a simulated company; Ctrl-C stops it
	swift build -c release --product costgauge
	.build/release/costgauge demo

test: libraries peers ## runs all tests, with the real Prometheus and friends
	swift build --build-tests
	REQUIRE_PEERS=1 swift test --skip-build

# What an event passes on its way to the ledger: rooms, then the real binary.
INTAKE := UsageTests IntakeTests OTLPTests LiteLLMTests LedgerTests \
	IngestTests TailTests HTTPTests OverloadTests LifeTests
TSAN := $(CURDIR)/.build/tsan

# The demo is no part of it, and slow. Reports are collected from the binaries that tests start, too.
tsan: libraries ## runs the tests of the intake under ThreadSanitizer
	$(call install,sqlite3)
	mkdir -p $(TSAN)
	rm -f $(TSAN)/report.*
	clang -O2 -Wall -Wextra -Werror -c Tests/ThreadSanitizer/mutex.c -o $(TSAN)/mutex.o
	TSAN_OPTIONS=log_path=$(TSAN)/report swift test --sanitize=thread --scratch-path $(TSAN) \
	  -Xlinker $(TSAN)/mutex.o $(addprefix --filter ,$(INTAKE)) --skip 'the demo runs'; status=$$?; \
	for report in $(TSAN)/report.*; do \
	  if [ -e $$report ]; then swift demangle <$$report; status=1; fi; \
	done; exit $$status

build: libraries ## builds .build/release/costgauge
	swift build -c release --product costgauge

bench: libraries build .build/peers/installed ## measures beside reference programs and prints one table
	$(call install,gcc g++ python3 wrk)
	mkdir -p .build/bench
	g++ -O3 -std=c++17 Tests/Benchmarks/floor.cpp -o .build/bench/floor -lsimdjson -lsqlite3
	gcc -O2 Tests/Benchmarks/nothing.c -o .build/bench/nothing -lmicrohttpd
	gcc -O2 -D_GNU_SOURCE Tests/Benchmarks/load.c -o .build/bench/load
	gcc -O2 -shared -fPIC Tests/Benchmarks/allocations.c -o .build/bench/allocations.so
	python3 Tests/Benchmarks/bench.py .build/release/costgauge .build/bench $(BENCH)
	python3 Tests/Benchmarks/checks.py .build/release/costgauge .build/bench
	.build/peers/bin/python Tests/Benchmarks/otlp.py .build/release/costgauge
	swift run -c release pricing-bench

format: ## formats the sources
	swift format -i -r Package.swift Sources Tests

lint: ## checks the format
	swift format lint --strict -r Package.swift Sources Tests

clean: ## removes what was built
	rm -rf .build

# Installs what is missing, and says so before it does.
define install
	@missing=""; \
	for package in $(1); do \
	  dpkg-query -W -f='$${Status}' $$package 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$package"; \
	done; \
	if [ -n "$$missing" ]; then \
	  command -v apt-get >/dev/null || { echo "please install:$$missing"; exit 1; }; \
	  echo "installing$$missing"; \
	  $(SUDO) apt-get update -q && \
	  $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $$missing; \
	fi
endef

libraries:
	@command -v swift >/dev/null || { echo "Swift 6.3 is needed: https://www.swift.org/install/linux/"; exit 1; }
	$(call install,$(LIBRARIES))

peers: .build/peers/installed
	$(call install,$(PEERS))

.build/peers/installed: Tests/requirements.txt
	$(call install,$(PEERS))
	python3 -m venv .build/peers
	.build/peers/bin/pip install -q -r Tests/requirements.txt
	touch $@
