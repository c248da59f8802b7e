"""botocore's session: one per process, with what the functions use of it.

A session as botocore makes it imports and registers what the clients of all AWS services may need.
That is most of a cold start, so the session here has less, by botocore's public parameters. The
clients are botocore's own.
"""

from __future__ import annotations

import gc
import logging
import os
from functools import cache
from importlib import import_module
from typing import Any

from functions.deferred_imports import Names, deferred

#: What botocore imports at its start and no function uses, with the names that it binds.
UNUSED: dict[str, Names] = {
    # The texts of `help(client)`.
    "botocore.docs.bcdoc.restdoc": ("DocumentStructure",),
    "botocore.docs.method": ("document_model_driven_method",),
    "botocore.docs.paginator": ("document_paginate_method",),
    "botocore.docs.service": ("ServiceDocumenter",),
    "botocore.docs.waiter": ("document_wait_method",),
    "botocore.waiter": (),
    # Client-side monitoring, and the retry modes other than the standard one.
    "botocore.monitoring": (),
    "botocore.retries.adaptive": (),
    "botocore.retryhandler": (),
    # Configuration files, and credentials of a process or a prompt. See `_set_credentials`.
    "configparser": (),
    "shlex": ("split",),
    "getpass": ("getpass",),
    "subprocess": ("Popen",),
    # Times in responses and in credentials that expire.
    "calendar": (),
    "dateutil.parser": ("parse",),
    "dateutil.tz": ("tzlocal", "tzutc"),
    # Addresses of hosts: of credentials' servers, and in certificates without names.
    "ipaddress": ("IPv4Address", "IPv6Address", "ip_address"),
    # Responses of S3. `ParseError` is a subclass of `SyntaxError`, which botocore then catches.
    "xml.etree.ElementTree": {"ParseError": SyntaxError},
    # urllib3 asks for the version of h2, which is not installed, when HTTP/2 is switched on.
    "importlib.metadata": ("version",),
    # Proxies: see `proxies`.
    "urllib.request": ("getproxies", "proxy_bypass"),
    "tempfile": (),
    "mimetypes": (),
    "urllib3.util.ssltransport": ("SSLTransport",),
    # Endpoint rules of operations with several resources; paginators.
    "jmespath": (),
    # The parameters of event handlers: see `_Emitter`.
    "inspect": (),
    # Checks of parameters: `parameter_validation=False`.
    "botocore.validate": ("ParamValidator", "validate_parameters"),
}

# `import xml.etree.ElementTree as …` reads the deferred module from its package.
import_module("xml.etree")

with deferred(UNUSED):
    from botocore.awsrequest import AWSPreparedRequest
    from botocore.config import Config
    from botocore.exceptions import UnknownServiceError
    from botocore.handlers import BUILTIN_HANDLERS, REGISTER_FIRST, REGISTER_LAST
    from botocore.hooks import EventAliaser, HierarchicalEmitter
    from botocore.loaders import Loader
    from botocore.session import Session
    from botocore.utils import EVENT_ALIASES


# Imported objects stay for the life of the process, so the collector can skip them.
gc.freeze()

# At each start botocore logs at INFO where it found its credentials and endpoint.
logging.getLogger("botocore").setLevel(logging.WARNING)

__all__ = ["AWSPreparedRequest", "Config", "needs_rules", "proxies", "session_for"]


def session_for(service: str) -> Session:
    """A session that makes clients of ``service``."""
    emitter = _Emitter()
    events: Any = emitter
    if service in EVENT_ALIASES:
        # The names of this service only: botocore compares each event with those of all.
        events = EventAliaser(emitter, {service: EVENT_ALIASES[service]})
    # Before the session is made, because others (Powertools) add handlers to each new session.
    _register_handlers(events, service)
    session = Session(event_hooks=emitter, include_builtin_handlers=False)
    session.register_component("event_emitter", events)
    if not needs_rules(session):
        session.register_component("data_loader", _models())
    _set_credentials(session)
    return session


class _Emitter(HierarchicalEmitter):
    """botocore's emitter of events, which registers and calls handlers with less work.

    A request emits 11 events to 17 handlers. botocore passes the arguments of each event through
    three calls, and writes a message at the level DEBUG for each handler.
    """

    #: botocore's: the handlers of an event by its name. It is emptied when handlers change.
    _lookup_cache: dict[str, list[Any]]

    def _verify_accept_kwargs(self, func: Any) -> None:
        """botocore refuses a handler without ``**kwargs``. To see whether it has them, it imports
        ``inspect``, which takes as long as botocore's own client.
        """

    def emit(self, event_name: str, **kwargs: Any) -> Any:
        handlers = self._lookup_cache.get(event_name)
        if handlers is None:
            # The first event of this name: botocore looks for its handlers.
            return super().emit(event_name, **kwargs)
        if not handlers:
            return []
        kwargs["event_name"] = event_name
        return [(handler, handler(**kwargs)) for handler in handlers]

    def emit_until_response(self, event_name: str, **kwargs: Any) -> Any:
        handlers = self._lookup_cache.get(event_name)
        if handlers is None:
            return super().emit_until_response(event_name, **kwargs)
        kwargs["event_name"] = event_name
        last: tuple[Any, Any] = (None, None)
        for handler in handlers:
            last = (handler, handler(**kwargs))
            if last[1] is not None:
                break
        return last


class _Models(Loader):
    """botocore's models, without the endpoint rules of DynamoDB.

    The first client of a process reads the rules, and each request evaluates them. Without rules
    botocore takes the endpoint of the service and region for all calls of a client.
    """

    def load_service_model(
        self, service_name: str, type_name: str, api_version: str | None = None
    ) -> Any:
        if (service_name, type_name) == ("dynamodb", "endpoint-rule-set-1"):
            raise UnknownServiceError(service_name=service_name, known_service_names="")
        return super().load_service_model(service_name, type_name, api_version)


def needs_rules(session: Session) -> bool:
    """Whether DynamoDB has another endpoint than the region's own: FIPS, IPv6, the account's."""
    settings = session.get_component("config_store")
    variants = ("use_fips_endpoint", "use_dualstack_endpoint")
    return "AWS_ACCOUNT_ID" in os.environ or any(
        settings.get_config_variable(name) for name in variants
    )


@cache
def _models() -> Loader:
    """One for all sessions: it keeps the partitions and endpoints that it has read."""
    return _Models()


def _register_handlers(events: EventAliaser, service: str) -> None:
    """Register those of botocore's event handlers that concern clients of ``service``.

    An event is ``name`` or ``name.service`` or ``name.service.Operation``. Handlers of other
    services cannot be called by this client. Registering them would take longer than creating the
    client.
    """
    names = {service, EVENT_ALIASES.get(service, service)}
    for event, handler, *position in BUILTIN_HANDLERS:
        _, *rest = event.split(".")
        if rest and rest[0] not in names:
            continue
        if position == [REGISTER_FIRST]:
            events.register_first(event, handler)
        elif position == [REGISTER_LAST]:
            events.register_last(event, handler)
        else:
            events.register(event, handler)


def _set_credentials(session: Session) -> None:
    """Give the session the credentials of Lambda's environment variables, as botocore reads them.

    Without them, or with an expiry, botocore's chain of providers looks for credentials.
    """
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    if all(os.environ.get(name) for name in names) and not os.environ.get(
        "AWS_CREDENTIAL_EXPIRATION"
    ):
        session.set_credentials(
            os.environ["AWS_ACCESS_KEY_ID"],
            os.environ["AWS_SECRET_ACCESS_KEY"],
            os.environ.get("AWS_SESSION_TOKEN"),
            account_id=os.environ.get("AWS_ACCOUNT_ID"),
        )


def proxies() -> dict[str, str] | None:
    """The ``proxies`` of a client's configuration: none, or None to look for them.

    Looking for them imports ``urllib.request``, which reads the variables ``*_proxy``.
    """
    return None if any(name.lower().endswith("_proxy") for name in os.environ) else {}
