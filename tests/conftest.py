"""Hypothesis profiles: ``light`` by default, ``spec`` and ``deep`` on request.

Choose one with ``pytest --hypothesis-profile=spec``.
"""

from hypothesis import HealthCheck, settings

_slow = [
    HealthCheck.too_slow,
    HealthCheck.data_too_large,
    HealthCheck.filter_too_much,
    HealthCheck.large_base_example,  # a program of 500 steps is large, however small each is
]

# The default run says the same on every machine; the longer ones look for what it has missed.
settings.register_profile(
    "light",
    deadline=None,
    derandomize=True,
    max_examples=60,
    stateful_step_count=30,
    suppress_health_check=_slow,
)
settings.register_profile(
    "spec",
    deadline=None,
    max_examples=500,
    stateful_step_count=50,
    suppress_health_check=_slow,
    print_blob=True,
)
settings.register_profile(
    "deep",
    deadline=None,
    max_examples=12,
    stateful_step_count=500,
    suppress_health_check=_slow,
    print_blob=True,
)
settings.load_profile("light")
