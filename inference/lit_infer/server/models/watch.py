"""When an alias moves: fetch the new version, prove it, warm it up, and switch to it without losing a request."""

import logging
import threading

from lit_infer.errors import LitError
from lit_infer.server.models import canary, sources
from lit_infer.server.models.repository import Repository
from lit_infer.server.models.slot import Slot

log = logging.getLogger("lit_serve")


def start(repository: Repository, *, every: float) -> threading.Thread:
    """Check all aliases every `every` seconds, until the repository is closed."""
    refused: dict[str, str] = {}

    def watch() -> None:
        while not repository.wait(every):
            check(repository, refused)

    thread = threading.Thread(target=watch, name="lit-watch", daemon=True)
    thread.start()
    return thread


def check(repository: Repository, refused: dict[str, str]) -> None:
    """Check once. `refused`: by model, the digest that was refused last; it is not tried again."""
    for slot in repository.moving:
        _check_slot(repository, slot, refused)


def _check_slot(repository: Repository, slot: Slot, refused: dict[str, str]) -> None:
    model, served = slot.source.model, slot.served
    try:
        found = sources.resolve(slot.source)
    except Exception as error:  # the registry may answer next time
        log.warning("%s: the registry does not answer: %s", model, error)
        return
    if found is None or found.digest in (served and served.digest, refused.get(model)):
        return
    version = found.reference.alias
    number = sources.number(version)
    if slot.source.share and number == repository.find(slot.name).version:
        repository.pause(slot, number)  # nothing to try before one of them moves
        return
    log.info("%s is now %s; opening it", model, version)
    try:
        repository.replace(slot)
    except Exception as error:
        refused[model] = found.digest
        reason = str(error) if isinstance(error, LitError) else f"{type(error).__name__}: {error}"
        log.error("%s: %s is refused, version %s stays: %s", model, version, slot.version, reason)
    else:
        log.info("%s: switched to version %s: %s", slot.name, slot.version, canary.describe(slot.source))
