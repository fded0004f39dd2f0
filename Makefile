# Everything here is also in CONTRIBUTING.md in words. `make up` and `make test` install what they need.

.PHONY: up down test check bench profile upstream

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

upstream:
	@tools/setup.sh dev
	@tools/upstream.sh
	@.venv/bin/python -m pytest -q tests/upstream

bench:
	@tools/setup.sh bench
	@.venv/bin/python -m bench $(ARGS)

profile:
	@tools/setup.sh bench
	@PATH=.venv/bin:$$PATH .venv/bin/python -m bench --only create get patch list --profile profiles $(ARGS)
