"""Every setting is read, has the default that `.env.example` shows, and is documented."""

from typing import Any

import pytest

from ainews_site.settings import BASE_DIR, env
from tests.docs.blocks import ROOT
from tests.docs.env_example import Setting, read_settings

SETTINGS = {setting.name: setting for setting in read_settings()}
REFERENCE = (ROOT / "docs" / "reference" / "settings.md").read_text()


def test_env_example_and_the_schema_have_the_same_settings() -> None:
    assert sorted(SETTINGS) == sorted(env.scheme)


def test_no_setting_is_listed_twice() -> None:
    assert len(SETTINGS) == len(read_settings())


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=list(SETTINGS))
def test_a_setting_has_the_default_that_is_shown(setting: Setting) -> None:
    kind, default = env.scheme[setting.name]

    assert _read(kind, setting.default) == _shown(setting.name, default)


def _read(kind: type, text: str) -> Any:
    """As django-environ reads it; an empty value means the default, which must be empty as well."""
    if not text:
        return kind()
    if kind is bool:
        return text == "True"
    return text.split(",") if kind is list else kind(text)


def _shown(name: str, default: Any) -> Any:
    return default.removeprefix(f"{BASE_DIR}/") if name == "DATA" else default


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=list(SETTINGS))
def test_a_setting_is_described(setting: Setting) -> None:
    assert setting.group
    assert setting.description.endswith(".")
    assert f'<a id="{setting.name.lower()}"></a>' in REFERENCE


def test_every_setting_that_is_read_is_in_the_schema() -> None:
    source = (BASE_DIR / "ainews_site" / "settings.py").read_text()

    read = {name for name in SETTINGS if f'env("{name}")' in source}

    assert read == set(SETTINGS)
