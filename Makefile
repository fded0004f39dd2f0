# Everything here is also in CONTRIBUTING.md in words. `make up` and `make test` install what they need.

.PHONY: up down test check bench

up:
	@tools/setup.sh up
	@.venv/bin/sampan up $(ARGS)

down:
	@.venv/bin/sampan down $(ARGS)

test:
	@tools/setup.sh test
	@tools/check.sh
	@tools/test.sh

check:
	@tools/setup.sh dev
	@tools/check.sh

bench:
	@tools/setup.sh bench
	@.venv/bin/python -m bench $(ARGS)
