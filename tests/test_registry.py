"""Names -> objects: what is built in, what others install, what is unknown."""

from __future__ import annotations

from importlib.metadata import EntryPoint, EntryPoints
from typing import get_args

import pytest

from longtake import registry
from longtake.errors import ConfigError
from longtake.models import load_model
from longtake.models.scripted import ScriptedModel
from longtake.registry import Kind, names, resolve

KINDS: tuple[Kind, ...] = get_args(Kind)


class Parrot:
    """A plug-in as CONTRIBUTING.md describes one."""

    def __init__(self, name: str) -> None:
        self.name = name

    @classmethod
    def from_spec(cls, argument: str) -> Parrot:
        return cls(argument)


def install(monkeypatch: pytest.MonkeyPatch, *entries: EntryPoint) -> None:
    """As if packages with these entry points were installed."""
    monkeypatch.setattr(registry, "entry_points", EntryPoints(entries).select)


def plug_in(name: str, target: str = "test_registry:Parrot", kind: Kind = "model") -> EntryPoint:
    return EntryPoint(name, target, f"longtake.{kind}")


@pytest.mark.parametrize("kind", KINDS)
def test_every_built_in_name_resolves(kind: Kind) -> None:
    assert names(kind)
    for name in names(kind):
        assert callable(resolve(kind, name))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["nobody", "", "Reader", "longtake.models.reader:Reader"])
def test_an_unknown_name_lists_the_known_ones(kind: Kind, name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve(kind, name)
    assert str(caught.value).startswith(f"there is no {kind} {name!r}")
    assert str(caught.value).endswith(f"; known: {', '.join(names(kind))}")


def test_a_name_that_is_nearly_one_is_met_with_it() -> None:
    with pytest.raises(ConfigError, match=r"no agent 'crpo' \(did you mean 'crop'\?\); known"):
        resolve("agent", "crpo")


def test_what_others_install_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, plug_in("parrot"), plug_in("other", kind="agent"))
    assert names("model") == ["openai", "parrot", "reader", "scripted"]
    assert resolve("model", "parrot") is Parrot
    assert resolve("agent", "other") is Parrot
    with pytest.raises(ConfigError, match="known: openai, parrot, reader"):
        resolve("model", "other")


def test_a_model_of_others_is_loaded_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, plug_in("parrot"))
    model = load_model("parrot:grey:small")
    assert isinstance(model, Parrot)
    assert model.name == "grey:small"
    with pytest.raises(ConfigError, match="cannot be made from base_url"):
        load_model("parrot:grey", base_url="http://box/v1")
    with pytest.raises(ConfigError, match="known: ollama, openai, parrot, reader"):
        load_model("cat")


def test_what_is_built_in_cannot_be_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or installing a package would change what `--model openai:...` sends keys to."""
    install(monkeypatch, plug_in("scripted"))
    assert resolve("model", "scripted") is ScriptedModel
    assert names("model").count("scripted") == 1


def test_names_load_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, plug_in("broken", "no_such_module:Thing"))
    assert "broken" in names("model")


@pytest.mark.parametrize("target", ["no_such_module:Parrot", "test_registry:NoSuchName"])
def test_what_is_installed_but_cannot_be_loaded_is_named(monkeypatch: pytest.MonkeyPatch, target: str) -> None:
    install(monkeypatch, plug_in("broken", target))
    with pytest.raises(ConfigError, match=f"'broken' is installed as {target}"):
        resolve("model", "broken")
