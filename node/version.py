"""The version of this program.

Not in the package itself: that is read before anything can answer a Ctrl-C (node/__main__.py), and this takes a while.
"""

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("tiersync")
except PackageNotFoundError:  # run from a tree that is not installed
    VERSION = "0"
