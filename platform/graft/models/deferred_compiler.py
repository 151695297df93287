"""Keeps torch's compiler out of the import of network libraries (torch 2.14, torchvision 0.29, timm 1.0).

timm and torchvision import ``torch._dynamo`` for a decorator and for a question that only the pooling of regions asks.
That is 1,500 modules and more than a second, a third of what `graft predict` takes for one image.
"""

import functools
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any

_DYNAMO, _UTILS = "torch._dynamo", "torch._dynamo.utils"


@contextmanager
def deferred_compiler() -> Iterator[None]:
    """While libraries are imported, and wherever torch asks its compiler only to leave something aside, stand-ins take
    its place; it is imported when it is first used.

    A library that asks for more of it than is known here gets the real one at once.
    """
    if _DYNAMO in sys.modules:
        yield
        return
    stand_ins = {
        _DYNAMO: _stand_in(_DYNAMO, disable=_disable),
        _UTILS: _stand_in(_UTILS, is_compile_supported=_is_compile_supported),
    }
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        _remove_stand_ins()


def _stand_in(name: str, **known: Any) -> ModuleType:
    module = ModuleType(name)

    def other(attribute: str) -> Any:
        if attribute.startswith("__"):  # `inspect` asks every module for its file
            raise AttributeError(attribute)
        _remove_stand_ins()
        return getattr(import_module(name), attribute)

    vars(module).update(known, __getattr__=other)
    return module


def _remove_stand_ins() -> None:
    for name in (_DYNAMO, _UTILS):
        if name in sys.modules and not _is_real(sys.modules[name]):
            del sys.modules[name]


def _is_real(module: ModuleType | None) -> bool:
    """Whether it was imported from a file: a stand-in has no specification."""
    return module is not None and module.__spec__ is not None


def _disable(function: Any = None, *given: Any, **named: Any) -> Any:
    """``torch.compiler.disable``: a function that is not compiled, even where what calls it is."""
    if function is None:
        return lambda wrapped: _disable(wrapped, *given, **named)

    @functools.cache
    def disabled() -> Callable[..., Any]:
        kept: Callable[..., Any] = import_module(_DYNAMO).disable(function, *given, **named)
        return kept

    if not inspect.isfunction(function):
        _remove_stand_ins()
        return disabled()

    @functools.wraps(function)
    def deferred(*args: Any, **kwargs: Any) -> Any:
        # Where the compiler is not imported, nothing is compiled.
        return (disabled() if _is_real(sys.modules.get(_DYNAMO)) else function)(*args, **kwargs)

    return deferred


def _is_compile_supported(device: str) -> bool:
    return bool(import_module(_UTILS).is_compile_supported(device))
