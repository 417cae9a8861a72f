"""The specification: one list of laws, and what looks for breaks of them.

See :mod:`backpack.spec.laws` for the laws. There are four ways to have them checked::

    from backpack.spec import check_policy, machine_for, policy_suite

    print(check_policy(MyPruning))              # in a program
    TestMyPruning = policy_suite(MyPruning)     # by pytest, a test for each law
    TestMine = machine_for(make).TestCase       # the state machine itself, by Hypothesis

and ``backpack check my_policies:MyPruning`` on the command line. It needs the extra
``backpack-memory[spec]``, which brings Hypothesis.
"""

try:
    import hypothesis as _  # noqa: F401
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        'backpack.spec needs Hypothesis; pip install "backpack-memory[spec]" brings it',
        name=error.name,
    ) from error

from backpack.spec.check import check_backpack, check_policy
from backpack.spec.laws import LAWS, Law, LawBroken, check_laws, laws_of, require
from backpack.spec.machine import BackpackMachine, machine_for
from backpack.spec.model import REMOVED, Model
from backpack.spec.report import Report, Verdict
from backpack.spec.standard import standard_backpack
from backpack.spec.suite import policy_suite
from backpack.spec.target import backpack_with

__all__ = [
    "LAWS",
    "REMOVED",
    "BackpackMachine",
    "Law",
    "LawBroken",
    "Model",
    "Report",
    "Verdict",
    "backpack_with",
    "check_backpack",
    "check_laws",
    "check_policy",
    "laws_of",
    "machine_for",
    "policy_suite",
    "require",
    "standard_backpack",
]
