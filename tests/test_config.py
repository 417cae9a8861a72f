"""Presets and files become configurations; overrides change them; errors name file, line, field."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import structlog
import yaml
from attrs import evolve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backpack.archive import SqlArchive
from backpack.codec import MsgpackCodec, UnsafePickleCodec
from backpack.config import Use, load_file, load_preset, preset_names
from backpack.errors import ConfigError
from backpack.policies import (
    Compressed,
    Delta,
    EncodedSize,
    KeepAll,
    KeepTagged,
    Oldest,
    Preview,
    Stub,
)

HERE = __name__
MIB = 1024**2
CODEC = MsgpackCodec()
DOCS = Path(__file__).parent.parent / "docs" / "configuration.md"
ALLOWED = "write a whole number of bytes, or a number and a unit, like '50 MiB' or '1.5 GB'"


class Counting:
    """A policy with state: how often it was asked."""

    made = 0

    def __init__(self) -> None:
        type(self).made += 1
        self.asked = 0

    def __call__(self, request: object, /) -> tuple[str, ...]:
        """Count, and choose nothing."""
        self.asked += 1
        return ()


class Exact:
    """A policy that would raise what it is told to."""

    def __init__(self, error: str) -> None:
        raise {"config": ConfigError("bad luck"), "other": RuntimeError("worse\nluck")}[error]


def choose(request: object) -> tuple[str, ...]:
    """Choose nothing."""
    return ()


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The path ``agent.yaml`` in an empty folder, which is the current one."""
    monkeypatch.chdir(tmp_path)
    return Path("agent.yaml")


def refusal(path: Path, text: str, **overrides: Any) -> str:
    """The message with which a file is refused."""
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_file(path, **overrides)
    assert str(caught.value).isprintable()
    return str(caught.value)


def preset_refusal(name: Any, **overrides: Any) -> str:
    """The message with which a preset or its overrides are refused."""
    with pytest.raises(ConfigError) as caught:
        load_preset(name, **overrides)
    assert str(caught.value).isprintable()
    return str(caught.value)


prunings: st.SearchStrategy[dict[str, Any]] = st.deferred(
    lambda: st.one_of(
        st.just({"use": "none"}),
        st.fixed_dictionaries({"use": st.just("oldest"), "fraction": st.floats(0.01, 1)}),
        st.fixed_dictionaries({"use": st.just("keep-tagged"), "inner": prunings}),
    )
)
documents = st.fixed_dictionaries(
    {},
    optional={
        "preset": st.just("mine"),
        "description": st.just("Mine."),
        "max_history_size": st.integers(MIB, 2**40),
        "sizing": st.sampled_from(["encoded", {"use": "deep"}]),
        "reference": st.fixed_dictionaries(
            {
                "use": st.sampled_from(["stub", "preview"]),
                "max_value_size": st.integers(1, MIB) | st.just("10 KiB"),
            }
        ),
        "storage": st.sampled_from(["full", {"use": "compressed", "level": 5}]),
        "pruning": prunings,
    },
).filter(bool)


# --- files -----------------------------------------------------------------------------------


@given(document=documents, flow=st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_file_says_the_same_as_overrides(
    file: Path, document: dict[str, Any], flow: bool
) -> None:
    """A file is the default preset with its settings as overrides: equal, and built equal."""
    file.write_text(yaml.safe_dump(document, default_flow_style=flow))
    read = load_file(file, codec=CODEC)
    overrides = {k: v for k, v in document.items() if k not in ("preset", "description")}
    same = load_preset("default", codec=CODEC, **overrides)
    assert evolve(same, name=read.name, description=read.description) == read
    assert same.build() == read.build() == read.strategies


@given(document=documents, where=st.integers(0, 8), name=st.from_regex(r"[a-z_]+", fullmatch=True))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_an_unknown_setting_is_refused(
    file: Path, document: dict[str, Any], where: int, name: str
) -> None:
    """Wherever it stands, a setting that doesn't exist is refused with its line."""
    known = {"preset", "description", "max_history_size", "sizing", "reference", "storage"}
    if name in known | {"pruning", "codec"}:
        return
    lines = [f"{key}: {json.dumps(value)}" for key, value in document.items()]
    lines.insert(where, f"{name}: 1")
    line = lines.index(f"{name}: 1") + 1
    message = refusal(file, "\n".join(lines))
    assert message.startswith(f"agent.yaml:{line}: no setting is called {name!r}; ")


def test_example(file: Path) -> None:
    """A file that says everything is read as it says."""
    file.write_text(
        """
        preset: notes
        description: >
          Keeps everything
          small.
        max_history_size: 8 MiB
        sizing: deep
        reference: {use: preview, max_value_size: 1 MiB, characters: 80}
        storage: {use: compressed, level: 9}
        pruning:
          use: keep-tagged
          inner: {use: oldest, fraction: 0.5}
          tags: [milestone]
        codec: unsafe-pickle
        """
    )
    config = load_file(str(file))
    assert (
        "notes",
        "Keeps everything small.",
        8 * MIB,
        Use("deep"),
        Use("keep-tagged", {"inner": {"use": "oldest", "fraction": 0.5}, "tags": ["milestone"]}),
        "agent.yaml",
    ) == (
        config.name,
        config.description,
        config.max_history_size,
        config.sizing,
        config.pruning,
        config.source,
    )
    arguments = config.arguments()
    assert Preview(MIB, 80) == arguments["reference"]
    assert Compressed(9) == arguments["storage"]
    assert KeepTagged(Oldest(0.5), tags=("milestone",)) == arguments["pruning"]
    assert isinstance(arguments["codec"], UnsafePickleCodec)


def test_file_that_leaves_out(file: Path) -> None:
    """What a file leaves out is that of the default preset; its name is that of the file."""
    file.write_text("pruning: none")
    config, default = load_file(file), load_preset("default")
    assert (config.name, config.description) == ("agent.yaml", "")
    assert (default.max_history_size, default.reference) == (
        config.max_history_size,
        config.reference,
    )
    assert KeepAll() == config.strategies.pruning


def test_class_and_function_of_ones_own(file: Path) -> None:
    """A file may name a class or a function."""
    file.write_text(f"pruning: {HERE}:Counting")
    assert isinstance(load_file(file).strategies.pruning, Counting)
    file.write_text(f"pruning: {{use: '{HERE}:choose'}}")
    assert load_file(file).strategies.pruning is choose


def test_limit_that_equals_the_budget(file: Path) -> None:
    """A value may be as large as the budget; a policy without a limit has nothing to check."""
    file.write_text("max_history_size: 50 KiB\nreference: {use: stub, max_value_size: 50 KiB}")
    assert load_file(file).strategies.reference == Stub(51200)
    file.write_text(f"max_history_size: 4096\nreference: {HERE}:choose")
    assert load_file(file).max_history_size == 4096


def test_documented_file(file: Path) -> None:
    """The file shown in the documentation is read as it is explained there."""
    text = DOCS.read_text(encoding="utf-8")
    (example,) = re.findall(r"```yaml\n(preset: .*?)```", text, re.DOTALL)
    file.write_text(example)
    assert load_file(file).strategies.pruning == KeepTagged(Oldest(0.1))


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (6, "pruning: {use: oldst}"),
        (7, "pruning: {use: oldest, fraction: 2}"),
        (3, "max_history_size: 50 M"),
        (4, "reference: {use: stub, max_value_size: 2 MiB}"),
    ],
)
def test_documented_errors(file: Path, line: int, text: str) -> None:
    """The errors shown in the documentation are those that are raised."""
    rest = "\nmax_history_size: 1 MiB" if "MiB" in text else ""
    message = refusal(file, "\n" * (line - 1) + text + rest)
    assert message in DOCS.read_text(encoding="utf-8").splitlines()


def test_imports_refused(file: Path) -> None:
    """With imports off, a class of one's own is refused, and built-in strategies work."""
    assert refusal(file, f"\n\npruning:\n  use: {HERE}:choose", allow_imports=False) == (
        f"agent.yaml:4: pruning.use: '{HERE}:choose' would be imported, and imports are off "
        "(allow_imports=False); built in: keep-tagged, least-accessed, none, oldest, thinning"
    )
    file.write_text("pruning: none")
    assert load_file(file, allow_imports=False).strategies.pruning == KeepAll()


NAMES = "keep-tagged, least-accessed, none, oldest, thinning"
SETTINGS = (
    "archive, codec, description, max_history_size, preset, pruning, reference, sizing, storage"
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "pruning:\n  use: oldst",
            ":2: pruning.use: no pruning policy is called 'oldst'; did you mean 'oldest'?",
        ),
        (
            "pruning: oldst",
            ":1: pruning.use: no pruning policy is called 'oldst'; did you mean 'oldest'?",
        ),
        ("\nprunning: none", ":2: no setting is called 'prunning'; did you mean 'pruning'?"),
        ("zzz: 1", f":1: no setting is called 'zzz'; there are: {SETTINGS}"),
        ("preset: 5", ":1: preset: expected text; found a whole number"),
        ("description: [a]", ":1: description: expected text; found a list"),
        (
            "max_history_size: 50 M",
            (
                ":1: max_history_size: '50 M' is not a size: there is no unit 'M'; "
                "did you mean 'MiB' (1024) or 'MB' (1000)?"
            ),
        ),
        (
            "max_history_size:",
            f":1: max_history_size: nothing (null) is not a size; {ALLOWED}",
        ),
        (
            "sizing:",
            (
                ":1: sizing: expected a sizing policy: a name, or a mapping like {use: encoded}; "
                "found nothing (null)"
            ),
        ),
        (
            "pruning: {use: null}",
            (
                ":1: pruning.use: expected the name of a pruning policy; found nothing (null); "
                f"there are: {NAMES}"
            ),
        ),
        (
            "pruning:\n  fraction: 0.2",
            (
                ":1: pruning: 'use' is missing: it says which pruning policy, like {use: oldest}; "
                f"there are: {NAMES}"
            ),
        ),
        (
            "pruning:\n  use: oldest\n  fraction: 0",
            (
                ":3: pruning.fraction: 0 is not a fraction; "
                "write a number above 0 and at most 1, like 0.2"
            ),
        ),
        (
            "pruning:\n  use: oldest\n  fraction: 010",
            (
                ":3: pruning.fraction: 010 begins with a zero, which some readers of YAML take for "
                "octal; write 10, or '010' in quotes"
            ),
        ),
        (
            "pruning:\n  use: oldest\n  fractoin: 1",
            ":3: pruning.fractoin: 'oldest' takes no argument 'fractoin'; did you mean 'fraction'?",
        ),
        (
            "pruning:\n  use: keep-tagged\n  inner:\n    use: oldest\n    fraction: 2",
            (
                ":5: pruning.inner.fraction: 2 is not a fraction; "
                "write a number above 0 and at most 1, like 0.2"
            ),
        ),
        (
            "reference:\n  use: stub\n\n  max_value_size: lots",
            f":4: reference.max_value_size: 'lots' is not a size; {ALLOWED}",
        ),
        (
            "max_history_size: 1 MiB\nreference:\n  use: stub\n  max_value_size: 2 MiB",
            (
                ":4: reference.max_value_size: 2,097,152 bytes for one value is above "
                "max_history_size (1,048,576 bytes); lower it, or raise max_history_size"
            ),
        ),
        (
            "\nmax_history_size: 50 KiB",
            (
                ":2: reference.max_value_size: 102,400 bytes for one value is above "
                "max_history_size (51,200 bytes); lower it, or raise max_history_size"
            ),
        ),
        (
            "max_history_size: 4 kB\nreference: {use: stub, max_value_size: 1 kB}",
            ":1: max_history_size: 4,000 bytes cannot hold a history; the least is 4,096 bytes",
        ),
        (
            f"pruning:\n  use: {HERE}:Exact",
            f":1: pruning: '{HERE}:Exact' needs the argument 'error'; it takes: error",
        ),
        (f"pruning:\n  use: {HERE}:Exact\n  error: config", ":1: pruning: bad luck"),
        (
            f"pruning:\n  use: {HERE}:Exact\n  error: other",
            f":1: pruning: '{HERE}:Exact' refused its arguments: RuntimeError: worse luck",
        ),
        (
            "storage:\n  use: pathlib:Path",
            (
                ":2: storage.use: 'pathlib:Path' is no storage policy: it has no method 'hold'; "
                "a storage policy has the methods hold(version) and read(version)"
            ),
        ),
    ],
)
def test_file_refused(file: Path, text: str, message: str) -> None:
    """What can't work is refused with file, line, field, what was found and what is allowed."""
    assert f"agent.yaml{message}" == refusal(file, text)


def test_causes_are_kept(file: Path) -> None:
    """What a class raised stands behind the error that tells of it; nothing else does."""
    file.write_text(f"pruning: {{use: '{HERE}:Exact', error: other}}")
    with pytest.raises(ConfigError) as caught:
        load_file(file)
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_missing_file(file: Path) -> None:
    """A missing file is a ConfigError too, with the nearest name."""
    file.write_text("pruning: none")
    with pytest.raises(ConfigError) as caught:
        load_file("agent.yml")
    assert str(caught.value) == "agent.yml: no such file; did you mean 'agent.yaml'?"


# --- presets and overrides -------------------------------------------------------------------


@given(
    name=st.sampled_from(preset_names()),
    size=st.integers(2 * MIB, 2**40),
    fraction=st.floats(0.01, 1),
)
def test_overrides_replace(name: str, size: int, fraction: float) -> None:
    """Overrides change what they name, and nothing else."""
    pruning = {"use": "oldest", "fraction": fraction}
    config = load_preset(name, max_history_size=size, pruning=pruning)
    own = load_preset(name)
    assert (size, Oldest(fraction)) == (config.max_history_size, config.strategies.pruning)
    untouched = ("name", "description", "sizing", "reference", "storage", "codec")
    assert [getattr(own, name) for name in untouched] == [getattr(config, n) for n in untouched]


@pytest.mark.parametrize(
    ("override", "pruning"),
    [
        (Oldest(0.5), Oldest(0.5)),
        (choose, choose),
        ("none", KeepAll()),
        ({"use": "keep-tagged", "inner": "none"}, KeepTagged(KeepAll())),
        ({"fraction": 0.5}, Oldest(0.5)),
        (Use("oldest", {"fraction": 0.5}), Oldest(0.5)),
        (None, Oldest(0.2)),
    ],
)
def test_forms_of_an_override(override: object, pruning: object) -> None:
    """An override is a strategy, a name, or a mapping with ``use`` or without."""
    assert pruning == load_preset("default", pruning=override).strategies.pruning


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"prunning": "none"}, "no setting is called 'prunning'; did you mean 'pruning'?"),
        (
            {"description": "mine"},
            (
                "no setting is called 'description'; there are: archive, codec, max_history_size, "
                "pruning, reference, sizing, storage"
            ),
        ),
        (
            {"pruning": {"fractoin": 1}},
            "pruning.fractoin: 'oldest' takes no argument 'fractoin'; did you mean 'fraction'?",
        ),
        (
            {"pruning": {"fraction": 2}},
            "pruning.fraction: 2 is not a fraction; write a number above 0 and at most 1, like 0.2",
        ),
        (
            {"pruning": Oldest},
            "pruning: 'Oldest' is a class; pass an object of it: Oldest(...)",
        ),
        (
            {"pruning": 5},
            (
                "pruning: 'int' is no pruning policy: it cannot be called; "
                "a pruning policy is called with one PruneRequest"
            ),
        ),
        (
            {"storage": choose},
            (
                "storage: 'choose' is no storage policy: it has no method 'hold'; "
                "a storage policy has the methods hold(version) and read(version)"
            ),
        ),
        (
            {"max_history_size": True},
            (
                "max_history_size: true is not a size; write a whole number of bytes, or a number "
                "and a unit, like '50 MiB' or '1.5 GB'"
            ),
        ),
        (
            {"reference": Stub(64 * MIB), "max_history_size": "50 MiB"},
            (
                "reference.max_value_size: 67,108,864 bytes for one value is above "
                "max_history_size (52,428,800 bytes); lower it, or raise max_history_size"
            ),
        ),
        (
            {"max_history_size": "50 KiB"},
            (
                "default.yaml:8: reference.max_value_size: 102,400 bytes for one value is above "
                "max_history_size (51,200 bytes); lower it, or raise max_history_size"
            ),
        ),
    ],
)
def test_override_refused(overrides: dict[str, object], message: str) -> None:
    """An override that can't work is refused; its error names no line, for it has none."""
    assert message == preset_refusal("default", **overrides)


def test_lines_of_what_an_override_keeps(file: Path) -> None:
    """What an override leaves as the file has it keeps its line; the rest has none."""
    text = "max_history_size: 50 KiB\nreference:\n  use: preview\n  max_value_size: 60 KiB"
    kept, replaced = (
        refusal(file, text, reference=reference)
        for reference in ({"characters": 5}, {"characters": 5, "max_value_size": "70 KiB"})
    )
    assert kept.startswith("agent.yaml:4: reference.max_value_size: 61,440 bytes")
    assert replaced.startswith("agent.yaml:1: reference.max_value_size: 71,680 bytes")
    message = refusal(file, text, reference={"characters": None})
    assert message.startswith("reference.characters: ")
    message = refusal(file, "codec: {use: msgpack}", codec={"allow": 5})
    assert (
        message == "codec: 'msgpack' refused its arguments: TypeError: 'int' object is not iterable"
    )


def test_arguments_for_a_strategy_object(file: Path) -> None:
    """Arguments alone need a strategy they belong to."""
    file.write_text("pruning: none")
    with pytest.raises(ConfigError) as caught:
        load_file(file, pruning={"fraction": 0.5})
    assert (
        str(caught.value) == "pruning.fraction: 'none' takes no argument 'fraction'; it takes none"
    )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("defualt", "no preset is called 'defualt'; did you mean 'default'?"),
        (
            "agent.yaml",
            (
                "no preset is called 'agent.yaml'; there are: default, high-frequency, "
                "long-chat, long-running, short-lived; or take a file of your own, with "
                "from_file or --config"
            ),
        ),
        (
            "../configs/zzz",
            (
                "no preset is called '../configs/zzz'; there are: default, high-frequency, "
                "long-chat, long-running, short-lived; or take a file of your own, with "
                "from_file or --config"
            ),
        ),
        (
            None,
            (
                "no preset is called nothing (null); there are: default, high-frequency, "
                "long-chat, long-running, short-lived; or take a file of your own, with "
                "from_file or --config"
            ),
        ),
    ],
)
def test_unknown_preset(name: Any, message: str) -> None:
    """A preset that doesn't exist is refused with the nearest name, or all of them."""
    assert message == preset_refusal(name)


# --- what a configuration is -----------------------------------------------------------------


def test_arguments_of_the_default() -> None:
    """The arguments are those of a Backpack, ready to be passed."""
    arguments = dict(load_preset("default").arguments())
    assert isinstance(arguments.pop("codec"), MsgpackCodec)
    assert {
        "max_history_size": 50 * MIB,
        "sizing": EncodedSize(),
        "reference": Stub(100 * 1024),
        "storage": Delta(),
        "pruning": Oldest(0.2),
        "archive": None,
    } == arguments


def test_an_archive_is_read_like_any_strategy(tmp_path: Path) -> None:
    """From a file, from an override, over the file's, and away."""
    file = tmp_path / "agent.yaml"
    file.write_text("archive: {use: sql, url: 'sqlite:///a.db', sync: power}", encoding="utf-8")
    written = SqlArchive("sqlite:///a.db", sync="power")
    assert written == load_file(file).strategies.archive
    changed = load_file(file, archive={"write": "on-commit"}).strategies.archive
    assert SqlArchive("sqlite:///a.db", write="on-commit", sync="power") == changed
    other = {"use": "sql", "url": "sqlite:///b.db"}
    assert SqlArchive("sqlite:///b.db") == load_preset("default", archive=other).strategies.archive
    assert written is load_preset("default", archive=written).strategies.archive
    assert load_preset("default", archive=None).archive is None
    file.write_text("archive: null", encoding="utf-8")
    assert load_file(file).strategies.archive is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "archive: sqll",
            "agent.yaml:1: archive.use: no archive is called 'sqll'; did you mean",
        ),
        ("archive: sql", "agent.yaml:1: archive: 'sql' needs the argument 'url'; it takes: url, "),
        ("archive: {use: sql, url: x}", "agent.yaml:1: archive.url: 'x' is no URL of an archive; "),
        (
            "archive: {use: sql, url: 'sqlite:///x', sync: disk}",
            "agent.yaml:1: archive.sync: found 'disk'; there are: power, process",
        ),
        ("archive: {use: 'x:Y'}", "agent.yaml:1: archive.use: "),
    ],
)
def test_a_bad_archive_is_refused(text: str, message: str, tmp_path: Path) -> None:
    """Names the line, as for any strategy."""
    file = tmp_path / "agent.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_file(file)
    assert message in str(caught.value)


def test_strategies_are_constructed_once() -> None:
    """Reading constructs each strategy once; the arguments are those; building makes new ones."""
    Counting.made = 0
    config = load_preset("default", pruning=f"{HERE}:Counting")
    first = config.arguments()["pruning"]
    assert Counting.made == 1
    assert first is config.arguments()["pruning"] is config.strategies.pruning
    assert config.build().pruning is not first
    assert Counting.made == 2


def test_building_uses_the_objects_given() -> None:
    """An object that overrode a setting is used as it is, whenever it is built."""
    mine = Counting()
    config = load_preset("default", pruning=mine)
    assert mine is config.build().pruning is config.strategies.pruning


def test_equality(file: Path) -> None:
    """Configurations that say the same are equal, wherever they were read."""
    default = load_preset("default")
    file.write_text(
        f"# a comment\npreset: default\ndescription: {default.description!r}\n"
        "pruning:\n  fraction: 0.2\n  use: oldest"
    )
    assert default == load_file(file)
    assert default != load_preset("default", max_history_size="1 GiB")
    assert default != load_preset("default", pruning={"fraction": 0.5})


def test_log() -> None:
    """Loading a configuration is logged, once structlog is configured."""
    structlog.reset_defaults()
    try:
        with structlog.testing.capture_logs() as logs:
            load_preset("default")
    finally:
        structlog.reset_defaults()
    assert [
        {
            "event": "config_loaded",
            "log_level": "info",
            "name": "default",
            "source": "default.yaml",
            "max_history_size": 50 * MIB,
        }
    ] == logs


def test_silence(capfd: pytest.CaptureFixture[str]) -> None:
    """Nothing is printed as long as the application hasn't configured structlog."""
    structlog.reset_defaults()
    load_preset("default")
    assert ("", "") == tuple(capfd.readouterr())
    assert not structlog.is_configured()
