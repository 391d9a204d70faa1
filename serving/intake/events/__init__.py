"""Events of sending services, one module per provider.

A new provider is a module with ``PROVIDER`` beside these, named in ``_MODULES``; its
crosswalk lies in ``data/crosswalks``, its fixtures in ``tests/fixtures/events``.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from importlib import import_module

from whybounce.serving.intake.events.generic import Paths, generic_format
from whybounce.serving.intake.events.provider import Provider
from whybounce.serving.intake.format import Format

_MODULES = ("ses", "sparkpost", "mailgun", "postmark", "sendgrid", "mailjet", "brevo", "kumomta")
"""In the order in which equal claims are decided."""


@cache
def providers() -> dict[str, Provider]:
    """Return the providers by name."""
    found = [import_module(f"whybounce.serving.intake.events.{name}").PROVIDER for name in _MODULES]
    return {provider.name: provider for provider in found}


FORMATS: tuple[Format, ...] = (
    *(provider.format() for provider in providers().values() if provider.name != "kumomta"),
    # KumoMTA's records one a line are a log, whose reader knows more: the format of that name beside these.
    replace(providers()["kumomta"].format(), name="kumomta-hook"),
    generic_format(Paths()),
)
