"""What a process makes once: a getter makes its value on first use, and a test can start over."""

import functools
from collections.abc import Callable

_forgetters: list[Callable[[], None]] = []


def once[**P, T](make: Callable[P, T]) -> Callable[P, T]:
    """A getter that calls `make` the first time and answers the same value from then on (one for each set of
    arguments)."""
    kept = functools.cache(make)
    on_forget(kept.cache_clear)

    @functools.wraps(make)
    def get(*args: P.args, **kwargs: P.kwargs) -> T:
        return kept(*args, **kwargs)  # type: ignore[arg-type]  # the cache demands hashable arguments, P cannot say so

    return get


def on_forget(forget: Callable[[], None]) -> None:
    """Have `forget` called by `forget_all`: for whatever a module keeps for the life of the process."""
    _forgetters.append(forget)


def forget_all() -> None:
    """As if the process had just started: getters, settings and what they keep are made anew. For tests."""
    for forget in _forgetters:
        forget()
