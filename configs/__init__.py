"""The presets: one YAML file each, named like the preset, and ``reference.yaml`` to copy from."""

from importlib.resources import files

__all__ = ["preset_bytes", "preset_names"]

# It documents every setting and equals the default preset, so it is none of its own.
_REFERENCE = "reference"


def preset_names() -> tuple[str, ...]:
    """The names of the presets, sorted.

    >>> preset_names()
    ('default', 'high-frequency', 'long-chat', 'long-running', 'short-lived')
    """
    names = (file.name for file in files(__name__).iterdir())
    presets = {name.removesuffix(".yaml") for name in names if name.endswith(".yaml")}
    return tuple(sorted(presets - {_REFERENCE}))


def preset_bytes(name: str) -> bytes:
    """The YAML file of a preset.

    Args:
        name: One of :func:`preset_names`.
    """
    return files(__name__).joinpath(f"{name}.yaml").read_bytes()
