"""Whether a server traces, and where it sends spans: `--trace` and OpenTelemetry's own variables.

https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

import logging
from importlib.metadata import entry_points
from os import environ
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from lit_infer.errors import LitError, MissingExtraError, UsageError, require
from lit_infer.server.telemetry.tracing import Tracing

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace.export import SpanExporter

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_DEFAULT_ENDPOINT = "http://localhost:4318"
_PACKAGES = {"http/protobuf": "otlp_proto_http", "grpc": "otlp_proto_grpc"}
log = logging.getLogger("lit_serve")


def start(*, asked: bool) -> Tracing | None:
    """Start tracing if `--trace` or the environment asks for it, and log that; None: nothing is traced.

    Raises UsageError for invalid variables, and MissingExtraError if `--trace` is given but not installed. Variables
    alone only lead to a warning then: they are often set for all programs of a machine.
    """
    names = [name.strip() for name in environ.get("OTEL_TRACES_EXPORTER", "").split(",") if name.strip()]
    off = _switched_off(names)
    if off and asked:
        raise UsageError(f"--trace, but {off}: leave one of them out")
    if off or not (asked or names or _first(_ENDPOINTS)):
        return None
    try:
        require("opentelemetry.sdk", extra="trace", purpose="tracing")
        require("opentelemetry.exporter.otlp.proto.http", extra="trace", purpose="tracing")
    except MissingExtraError as error:
        if asked:
            raise
        log.warning("OTEL_* variables ask for traces, but there will be none: %s", error)
        return None
    return _started(names or ["otlp"])


def _switched_off(names: list[str]) -> str:
    """The variable that disables tracing, in words; empty if none does."""
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return "OTEL_SDK_DISABLED is true"
    return "OTEL_TRACES_EXPORTER is none" if names == ["none"] else ""


def _started(names: list[str]) -> Tracing:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    try:
        provider = TracerProvider(resource=_resource(), shutdown_on_exit=False)  # sampled as OTEL_TRACES_SAMPLER says
        destinations = []
        for name in names:
            exporter, destination = _exporter(name)
            provider.add_span_processor(
                BatchSpanProcessor(exporter)
            )  # a bounded queue, which drops spans when it is full
            destinations.append(destination)
        tracing = Tracing(provider)
    except LitError:
        raise
    except ValueError as error:  # the SDK's error for a variable that it cannot read
        raise UsageError(f"OpenTelemetry's OTEL_* variables: {error}") from None
    log.info("traces of %s go to %s", provider.resource.attributes["service.name"], " and ".join(destinations))
    return tracing


def _exporter(name: str) -> "tuple[SpanExporter, str]":
    """The exporter, and its destination in words. Any installed one can be named, as usual with OpenTelemetry."""
    destination = name
    if name == "otlp":
        name, destination = _otlp()
    found = list(entry_points(group="opentelemetry_traces_exporter", name=name))
    if not found:
        package = "opentelemetry-exporter-" + name.replace("_", "-")
        raise UsageError(
            f"no trace exporter {name} is installed, only otlp and console. Perhaps: pip install {package}"
        )
    return found[0].load()(), destination


def _otlp() -> tuple[str, str]:
    protocol = _first(_PROTOCOLS) or "http/protobuf"
    if protocol not in _PACKAGES:
        raise UsageError(f"OTEL_EXPORTER_OTLP_PROTOCOL is {protocol}; supported are {' and '.join(_PACKAGES)}")
    endpoint = _first(_ENDPOINTS) or _DEFAULT_ENDPOINT
    url = urlsplit(endpoint)
    if protocol != "grpc" and (url.scheme not in ("http", "https") or not url.hostname):
        raise UsageError(f"OTEL_EXPORTER_OTLP_ENDPOINT is {endpoint!r}, not a URL such as {_DEFAULT_ENDPOINT}")
    return _PACKAGES[protocol], f"{endpoint.replace(url.netloc, url.netloc.rpartition('@')[2])} by {protocol}"


def _resource() -> "Resource":
    """The sender of the spans: from OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES, otherwise lit-serve."""
    from opentelemetry.sdk.resources import Resource

    from lit_infer import __version__

    found = Resource.create()
    if not str(found.attributes["service.name"]).startswith("unknown_service"):  # the SDK's default
        return found
    return found.merge(Resource({"service.name": "lit-serve", "service.version": __version__}))


def _first(variables: tuple[str, ...]) -> str:
    return next((value for variable in variables if (value := environ.get(variable, "").strip())), "")
