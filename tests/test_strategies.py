"""Strategies are constructed from settings with exactly the arguments they take, and checked."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Optional

import pytest
from attrs import field, frozen
from hypothesis import given
from hypothesis import strategies as st

from backpack.errors import ConfigError
from backpack.policies import Full, KeepTagged, Oldest
from backpack.protocols import PruningPolicy, SizingPolicy
from backpack.registry import AXES
from backpack.strategies import Use, check, construct, placed, use_from

HERE = __name__
PRUNING = AXES["pruning"]
STORAGE = AXES["storage"]


class Plain:
    """A policy with one argument it needs and one it doesn't."""

    def __init__(self, share: float, *, names: Any = ()) -> None:
        self.share = share
        self.names = names

    def __call__(self, request: object, /) -> tuple[str, ...]:
        """Choose nothing."""
        return ()


class Open(Plain):
    """A policy that takes any argument."""

    def __init__(self, **settings: object) -> None:
        super().__init__(1.0)
        self.settings = settings


class Bare(Plain):
    """A policy without arguments."""

    def __init__(self) -> None:
        super().__init__(1.0)


class Failing(Bare):
    """A policy that can't be constructed."""

    def __init__(self) -> None:
        raise LookupError("no\nGPU")


class Strict(Plain):
    """A policy that checks its argument the way built-in ones do."""

    def __init__(self, share: float) -> None:
        raise ConfigError(f"{share} is too much", field="share")


class Silent:
    """An object that is no policy."""


class OneWay:
    """A storage policy that can't read."""

    def hold(self, version: object, /) -> bytes:
        """Hold nothing."""
        return b""


class Crooked(OneWay):
    """A storage policy that reads something else."""

    def read(self) -> bytes:
        """Read nothing."""
        return b""


class Later(OneWay):
    """A storage policy that reads asynchronously."""

    async def read(self, version: object, /) -> bytes:
        """Read nothing."""
        return b""


class Attribute(OneWay):
    """A storage policy whose method is none."""

    read = b""


class Signed:
    """A policy whose signature can't be told."""

    __signature__ = "none"

    def __init__(self, share: float = 1.0) -> None:
        self.share = share

    def __call__(self, request: object, /) -> tuple[str, ...]:
        """Choose nothing."""
        return ()


class Wrapper(Bare):
    """A policy that wraps others, declared in every way that is understood."""

    def __init__(
        self,
        required: PruningPolicy,
        optional: PruningPolicy | None = None,
        old_style: Optional[PruningPolicy] = None,  # noqa: UP045
        quoted: "PruningPolicy | None" = None,  # noqa: UP037
        sizing: SizingPolicy | None = None,
        other: Callable[[PruningPolicy], object] | str | None = None,
        bare: object = None,
    ) -> None:
        super().__init__()
        self.arguments = (required, optional, old_style, quoted, sizing, other, bare)


def _to_policy(value: object) -> object:
    return value


@frozen
class AttrsWrapper(Bare):
    """A policy that wraps another and converts it."""

    inner: PruningPolicy = field(converter=_to_policy)
    count: int = field(init=False, default=0)


def choose(request: object) -> tuple[str, ...]:
    """Choose nothing."""
    return ()


async def choose_later(request: object) -> tuple[str, ...]:
    """Choose nothing, later."""
    return ()


def make(policy: float) -> Callable[[object], tuple[str, ...]]:
    """Make a policy, as a function that takes settings would."""
    return choose


READY = Plain(0.5)


def made(name: str, **arguments: object) -> Any:
    """A pruning policy of this module."""
    return construct(PRUNING, Use(f"{HERE}:{name}", arguments))


def refusal(call: Callable[[], object]) -> str:
    """The message with which a call is refused."""
    with pytest.raises(ConfigError) as caught:
        call()
    assert str(caught.value).isprintable()
    return str(caught.value)


names = st.from_regex(r"[a-z]{1,8}", fullmatch=True)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=6,
)


# --- settings --------------------------------------------------------------------------------


@given(name=st.text(min_size=1), arguments=st.dictionaries(st.text(max_size=8), plain, max_size=4))
def test_a_mapping_is_a_name_and_arguments(name: str, arguments: dict[str, object]) -> None:
    """The key ``use`` names the strategy; all the others are its arguments."""
    arguments.pop("use", None)
    assert Use(name, arguments) == use_from(PRUNING, {"use": name, **arguments})


@given(name=st.text(min_size=1))
def test_a_name_alone(name: str) -> None:
    """A bare name is a strategy without arguments; a record stays what it is."""
    assert Use(name) == use_from(PRUNING, name)
    assert Use(name) == use_from(PRUNING, Use(name))


@given(setting=plain)
def test_any_setting_is_understood_or_refused(setting: object) -> None:
    """Whatever a file says, it is a strategy or an error on one line."""
    try:
        assert use_from(PRUNING, setting).name
    except ConfigError as error:
        refused = str(error)
        assert refused.isprintable()


NAMES = "keep-tagged, least-accessed, none, oldest, thinning"
A_PRUNING = "expected a pruning policy: a name, or a mapping like {use: oldest}; found"


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (5, f"{A_PRUNING} a whole number"),
        (None, f"{A_PRUNING} nothing (null)"),
        (["oldest"], f"{A_PRUNING} a list"),
        ({1: 2}, "a name of an argument must be text; found a whole number"),
        (
            {"fraction": 0.2},
            (
                "'use' is missing: it says which pruning policy, like {use: oldest}; "
                f"there are: {NAMES}"
            ),
        ),
        ("", f"expected the name of a pruning policy; found empty text; there are: {NAMES}"),
        (
            {"use": None},
            (
                "use: expected the name of a pruning policy; found nothing (null); "
                f"there are: {NAMES}"
            ),
        ),
        (
            {"use": ["oldest"]},
            f"use: expected the name of a pruning policy; found a list; there are: {NAMES}",
        ),
    ],
)
def test_settings_refused(setting: object, message: str) -> None:
    """A setting that names no strategy is refused, saying what was found and what is allowed."""
    assert message == refusal(lambda: use_from(PRUNING, setting))


# --- constructing ----------------------------------------------------------------------------


@given(share=plain, names=plain)
def test_arguments_arrive(share: object, names: object) -> None:
    """A class gets the arguments of the setting: equal, but its own to change."""
    use = Use(f"{HERE}:Plain", {"share": share, "names": names})
    policy: Any = construct(PRUNING, use)
    assert (share, names) == (policy.share, policy.names)
    if isinstance(names, list | dict):
        assert names is not policy.names


@given(arguments=st.dictionaries(names, plain, max_size=4))
def test_open_class_takes_anything(arguments: dict[str, object]) -> None:
    """A class that takes any argument gets them all."""
    assert arguments == made("Open", **arguments).settings


def test_built_in() -> None:
    """A built-in policy is constructed by its name."""
    assert construct(PRUNING, Use("oldest", {"fraction": 0.5})) == Oldest(0.5)


def test_function_and_ready_object() -> None:
    """A plain function is a policy, and so is an object that stands ready in a module."""
    assert choose is made("choose")
    assert READY is made("READY")


def test_signature_that_cannot_be_told() -> None:
    """A class whose signature can't be told is called with what the setting says."""
    assert made("Signed", share=0.5).share == 0.5
    message = f"'{HERE}:Signed' refused its arguments: TypeError: "
    assert refusal(lambda: made("Signed", x=1)).startswith(message)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("Plain", {"shre": 1}, "shre: {} takes no argument 'shre'; did you mean 'share'?"),
        ("Plain", {"x": 1}, "x: {} takes no argument 'x'; it takes: share, names"),
        ("Bare", {"x": 1}, "x: {} takes no argument 'x'; it takes none"),
        ("Plain", {}, "{} needs the argument 'share'; it takes: share, names"),
        ("Failing", {}, "{} refused its arguments: LookupError: no GPU"),
        ("Strict", {"share": 9}, "share: 9 is too much"),
        (
            "choose",
            {"b": 1, "a": 2},
            (
                "a: {} is a function and takes no arguments; found a, b; "
                "write a class to have arguments"
            ),
        ),
        (
            "READY",
            {"share": 1},
            (
                "share: {} is a ready-made object and takes no arguments; found share; "
                "write a class to have arguments"
            ),
        ),
        (
            "Silent",
            {},
            (
                "use: {} is no pruning policy: it cannot be called; "
                "a pruning policy is called with one PruneRequest"
            ),
        ),
        (
            "HERE",
            {},
            (
                "use: {} is no pruning policy: it cannot be called; "
                "a pruning policy is called with one PruneRequest"
            ),
        ),
        (
            "choose_later",
            {},
            (
                "use: {} is no pruning policy: it is asynchronous, and nothing would await it; "
                "a pruning policy is called with one PruneRequest"
            ),
        ),
        (
            "refusal.zzzz",
            {},
            f"use: '{HERE}.refusal' has nothing called 'zzzz'; check the spelling",
        ),
    ],
)
def test_construction_refused(name: str, arguments: dict[str, object], message: str) -> None:
    """What can't be constructed is refused, naming the argument and what would be allowed."""
    assert message.format(repr(f"{HERE}:{name}")) == refusal(lambda: made(name, **arguments))


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("Silent", "it has no method 'hold'"),
        ("OneWay", "it has no method 'read'"),
        ("Attribute", "its method 'read' cannot be called"),
        ("Later", "its method 'read' is asynchronous, and nothing would await it"),
        (
            "Crooked",
            "its method 'read' cannot be called with one argument (too many positional arguments)",
        ),
    ],
)
def test_storage_refused(name: str, problem: str) -> None:
    """A storage policy needs both its methods; the error names the one that is wrong."""
    use = Use(f"{HERE}:{name}")
    assert (
        f"use: '{HERE}:{name}' is no storage policy: {problem}; "
        "a storage policy has the methods hold(version) and read(version)"
    ) == refusal(lambda: construct(STORAGE, use))


# --- strategies in strategies ----------------------------------------------------------------


def test_nested_strategies() -> None:
    """An argument annotated with a contract is constructed from a name or a mapping."""
    oldest = {"use": "oldest", "fraction": 0.5}
    policy = made(
        "Wrapper",
        required=oldest,
        optional="oldest",
        old_style=oldest,
        quoted=oldest,
        sizing=None,
        other="oldest",
        bare=oldest,
    )
    half = Oldest(0.5)
    assert (half, Oldest(), half, half, None, "oldest", oldest) == policy.arguments


def test_nested_in_attrs() -> None:
    """The annotation of an attrs class counts, though a converter takes anything."""
    assert made("AttrsWrapper", inner={"use": "none"}).inner is not None
    assert construct(PRUNING, Use("keep-tagged", {"inner": "oldest"})) == KeepTagged(Oldest())


def test_nested_twice() -> None:
    """Strategies nest as deep as they are written."""
    inner = {"use": "keep-tagged", "inner": {"use": "oldest", "fraction": 0.5}}
    policy = construct(PRUNING, Use("keep-tagged", {"inner": inner}))
    assert KeepTagged(KeepTagged(Oldest(0.5))) == policy


@pytest.mark.parametrize("given", [choose, Oldest(0.5)])
def test_nested_objects(given: object) -> None:
    """A caller may hand over the inner strategy itself."""
    assert given is made("AttrsWrapper", inner=given).inner


@pytest.mark.parametrize(
    ("inner", "message"),
    [
        ("oldst", "inner.use: no pruning policy is called 'oldst'; did you mean 'oldest'?"),
        (
            {"use": "oldest", "fractoin": 1},
            "inner.fractoin: 'oldest' takes no argument 'fractoin'; did you mean 'fraction'?",
        ),
        (
            {"use": "keep-tagged", "inner": {"use": "oldest", "fraction": 2}},
            (
                "inner.inner.fraction: 2 is not a fraction; "
                "write a number above 0 and at most 1, like 0.2"
            ),
        ),
        (None, f"inner: {A_PRUNING} nothing (null)"),
        (
            lambda: (),
            (
                "inner: '<lambda>' is no pruning policy: it cannot be called with one argument "
                "(too many positional arguments); a pruning policy is called with one PruneRequest"
            ),
        ),
    ],
)
def test_nested_refused(inner: object, message: str) -> None:
    """An error inside is told with the whole path to it."""
    use = Use("keep-tagged", {"inner": inner})
    assert message == refusal(lambda: construct(PRUNING, use))


def test_imports_stay_off_inside() -> None:
    """Refusing imports holds for inner strategies too."""
    use = Use("keep-tagged", {"inner": f"{HERE}:choose"})
    message = refusal(lambda: construct(PRUNING, use, allow_imports=False))
    assert f"inner.use: '{HERE}:choose' would be imported, and imports are off" in message


def test_imports_stay_off_in_the_codec() -> None:
    """Refusing imports holds for the classes a codec would import as it meets them."""
    use = Use("msgpack", {"allow": ["fractions:Fraction"]})
    assert construct(AXES["codec"], use)
    assert (
        "allow: names classes to import, and imports are off (allow_imports=False); delete it"
    ) == refusal(lambda: construct(AXES["codec"], use, allow_imports=False))


# --- checking --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "strategy", [choose, Plain(0.1), Oldest(), functools.partial(choose), {}.get, max]
)
def test_callables_pass(strategy: object) -> None:
    """Whatever can be called with one argument passes, where a call is the contract."""
    check(PRUNING, strategy, field=None)


def test_storage_passes() -> None:
    """An object with both methods passes as a storage policy."""
    check(STORAGE, Full(), field=None)


class Waiting:
    """A policy that is called asynchronously."""

    async def __call__(self, request: object, /) -> tuple[str, ...]:
        """Choose nothing, later."""
        return ()


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        (Oldest, "'Oldest' is a class; pass an object of it: Oldest(...)"),
        (5, "'int' is no pruning policy: it cannot be called; {}"),
        (Full(), "'Full' is no pruning policy: it cannot be called; {}"),
        (
            Waiting(),
            "'Waiting' is no pruning policy: it is asynchronous, and nothing would await it; {}",
        ),
    ],
)
def test_check_refuses(strategy: object, message: str) -> None:
    """What doesn't satisfy the contract is refused, and a class instead of an object is told."""
    contract = "a pruning policy is called with one PruneRequest"
    expected = f"pruning: {message.format(contract)}"
    assert expected == refusal(lambda: check(PRUNING, strategy, field="pruning"))


def test_placed() -> None:
    """An error is told from further out; what it knows of its place stays."""
    error = placed(ConfigError("no", field="fraction"), "pruning", where="agent.yaml:6")
    assert str(error) == "agent.yaml:6: pruning.fraction: no"
    assert str(placed(error, "", where="other.yaml:1")) == str(error)
    assert str(placed(ConfigError("no"), "pruning")) == "pruning: no"
