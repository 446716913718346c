"""When an alias moves: fetch what it means now, prove it, warm it up, and let it take over without losing a request."""

import logging
import threading

from lit_infer.errors import LitError
from lit_infer.server.models import canary, sources
from lit_infer.server.models.repository import Repository
from lit_infer.server.models.slot import Slot

log = logging.getLogger("lit_serve")


def start(repository: Repository, *, every: float) -> threading.Thread:
    """Look at all aliases every so many seconds, until the repository is closed."""
    refused: dict[str, str] = {}

    def watch() -> None:
        while not repository.wait(every):
            look(repository, refused)

    thread = threading.Thread(target=watch, name="lit-watch", daemon=True)
    thread.start()
    return thread


def look(repository: Repository, refused: dict[str, str]) -> None:
    """Look once. `refused`: the digest that was refused last, by the source's model; it is not tried again."""
    for slot in repository.moving:
        _look_at(repository, slot, refused)


def _look_at(repository: Repository, slot: Slot, refused: dict[str, str]) -> None:
    model, served = slot.source.model, slot.served
    try:
        found = sources.resolve(slot.source)
    except Exception as error:  # a registry that does not answer now may answer next time
        log.warning("%s: the registry does not answer: %s", model, error)
        return
    if found is None or found.digest in (served and served.digest, refused.get(model)):
        return
    version = found.reference.alias
    number = sources.number(version)
    if slot.source.share and number == repository.find(slot.name).version:
        repository.rest(slot, number)  # there is nothing to be tried before one of them moves
        return
    log.info("%s is %s now; opening it", model, version)
    try:
        repository.replace(slot)
    except Exception as error:
        refused[model] = found.digest
        reason = str(error) if isinstance(error, LitError) else f"{type(error).__name__}: {error}"
        log.error("%s: %s is refused, version %s goes on: %s", model, version, slot.version, reason)
    else:
        log.info("%s: version %s answers now: %s", slot.name, slot.version, canary.told(slot.source))
