"""The running program: store, link, control service, CLI, configuration, telemetry, simulator, testing kit."""

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("tiersync")
except PackageNotFoundError:  # run from a tree that is not installed
    VERSION = "0"
