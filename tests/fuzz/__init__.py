"""Bad input by the thousand: whatever a client sends, the server answers as upstream does and keeps what it has.

Under `make test` every test here tries a fixed number of inputs, the same each time. For a real search, with other inputs
at every run, say how long:

    SAMPAN_FUZZ_SECONDS=600 python -m pytest tests/fuzz -x

Each test then goes on for that long. A failing hypothesis test prints the smallest input it found; add it as a row to the
tables of bad input in tests/component. What holds of every answer stands in `oracles`.
"""
