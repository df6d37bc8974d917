"""Stands in for packages that a tool imports and does not need for what is tested here.

The wheel of torch on PyPI brings 5 GB of CUDA. Lhotse imports it, and does without it to load a manifest and its audio. The
names of the stand-in are classes without methods, so code that computes with them fails.
"""

import contextlib
import importlib.abc
import importlib.machinery
import sys
import types


class Names(type):
    """A class whose unknown attributes are such classes, too."""

    def __getattr__(cls, name):
        return placeholder(name)

    def __call__(cls, *arguments, **options):
        # As a decorator, with or without options, it returns the function.
        return arguments[0] if len(arguments) == 1 and callable(arguments[0]) else super().__call__()


def placeholder(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return Names(name, (), {"__call__": lambda self, function: function, "__getattr__": lambda self, name: placeholder(name)})


class Substitute(types.ModuleType):
    __path__ = []
    __version__ = "0.0"

    def __getattr__(self, name):
        return placeholder(name)


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def __init__(self, packages):
        self.packages = packages

    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in self.packages:
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec):
        return Substitute(spec.name)

    def exec_module(self, module):
        pass


@contextlib.contextmanager
def stand_in(*packages):
    """Within it, these packages can be imported. Afterwards they are missing again, for tools that look for them."""
    finder = Finder(packages)
    sys.meta_path.append(finder)  # the last place in which Python looks
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in [name for name, module in sys.modules.items() if isinstance(module, Substitute)]:
            del sys.modules[name]
