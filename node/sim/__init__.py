"""The federation in one process: real core, real SQLite, a seeded virtual clock and network, and every fault there is.

Operators rehearse with it (`tiersync simulate --seed N`); the tests find bugs with it. A seed decides everything.
"""
