# Curvegate: everything that a person, a script or a reviewer types. `make` alone lists it.

SHELL := /bin/sh
.DEFAULT_GOAL := help
FILES ?=
ARGS ?=

OUT := build/out
TSC := node_modules/.bin/tsc -p .

.PHONY: help build check test test-firmware run interop sim fuzz fuzz-gateway bench pack deb deploy image \
	pins flash update-key update-file clean compile

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: compile ## build/curvegate and NaCl's five commands, completions, manual
	@node $(OUT)/scripts/bundle.js

check: compile ## types, layers, sizes, bans
	@node $(OUT)/test/support/run.js test/tidy.test.ts

test: build build/packages ## every test, check among them (FILES='test/unit/…': only those)
	@node $(OUT)/test/support/run.js $(FILES)

test-firmware: build build/packages ## builds images and starts them in QEMU (FILES=…)
	@sh scripts/packages.sh firmware
	@$(MAKE) --no-print-directory image BOARD=qemu-arm64
	@$(MAKE) --no-print-directory image BOARD=rpi-3
	@CURVEGATE_FIRMWARE=1 CURVEGATE_LONG=1 node $(OUT)/test/support/run.js \
		$(if $(FILES),$(FILES),test/firmware)

interop: build build/packages ## cases × {our client, our server} against NaCl's own tools
	@CURVEGATE_LONG=1 node $(OUT)/test/support/run.js --table test/interop

run: build ## a server on 127.0.0.1:4000 with a page to look at; keys under .curvegate/
	@exec build/curvegate server $(ARGS)

sim: compile ## the simulated network: throughput per loss × round-trip time; moves at every packet
	@node $(OUT)/test/sim/main.js $(ARGS)
	@STRIDE=1 node $(OUT)/test/support/run.js test/sim/mobility.test.ts

fuzz-gateway: compile ## ten million packets through the gateway's decision (COUNT=, SEED=)
	@node $(OUT)/test/fuzz/gateway.js

fuzz: compile ## random input for every receiver, from a printed seed
	@node $(OUT)/test/fuzz/main.js $(ARGS)

bench: build build/packages build/bench-packages ## speed and memory beside the peers (ARGS='--quick', or names of benches)
	@node --expose-gc $(OUT)/test/bench/main.js $(ARGS)

pack: build ## a tarball for npm install, in build/npm
	@mkdir -p build/npm && npm pack --silent --pack-destination build/npm

deb: build ## Debian packages for amd64, arm64 and armhf, in build/deb (ARGS='amd64': only that)
	@node $(OUT)/scripts/deb.js $(ARGS)

image: build ## a bootable image in build/image/BOARD: BOARD=qemu-arm64 (ARGS=--help: options)
	@node $(OUT)/scripts/image/main.js $(BOARD) $(ARGS)

test-images: build ## every board's image, twice and byte for byte, with its files and licences
	@CURVEGATE_LONG=1 node $(OUT)/test/support/run.js test/unit/scripts/image/real.alone.test.ts

pins: compile ## the newest packages for images, into scripts/image/pins.txt
	@node $(OUT)/scripts/image/make-pins.js

flash: compile ## writes an image to a card: BOARD=rpi-4 DEVICE=/dev/sdX (ARGS=--help: options, exit codes)
	@node $(OUT)/scripts/flash.js $(if $(BOARD),--board '$(BOARD)') \
		$(if $(DEVICE),--device '$(DEVICE)') $(ARGS)

deploy: build ## brings the program to a machine with Linux, over ssh: HOST=pi@box (ARGS=--help)
	@node $(OUT)/scripts/deploy.js $(if $(HOST),--host '$(HOST)') $(ARGS)

update-key: compile ## the key pair that signs updates, in .curvegate/; prints the public half
	@node $(OUT)/scripts/update-key.js

update-file: build ## the signed update of what `make image` built: BOARD=rpi-4 (ARGS=--app: small)
	@node $(OUT)/scripts/update-file.js $(if $(BOARD),--board '$(BOARD)') $(ARGS)

clean: ## removes what the other targets made (keys in .curvegate/ and node_modules stay)
	rm -rf build

compile: node_modules/.package-lock.json
	@$(TSC)

# npm writes this file last; a newer lock file means that the modules are out of date.
node_modules/.package-lock.json: package-lock.json
	npm ci --no-audit --no-fund
	@touch $@

# What the tests need beside Node. Without it they skip, and say so.
build/packages: scripts/packages.sh
	@sh scripts/packages.sh
	@mkdir -p build && touch $@

build/bench-packages: scripts/packages.sh
	@sh scripts/packages.sh bench
	@mkdir -p build && touch $@
