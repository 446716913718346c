"""The end of an online run: W&B has what was logged, or a line says what is missing and how to send it."""

import atexit
import time
from pathlib import Path
from typing import Any

from lit_infer import artifacts, console
from lit_infer.artifacts.wandb_run import upload_s
from lit_infer.errors import LitError


class Uploads:
    """The artifacts that a run has logged. wandb uploads them during the training, and gives up silently."""

    def __init__(self, run: Any) -> None:
        self._run = run
        self._log = run.log_artifact
        self._logged: list[Any] = []
        run.log_artifact = self._log_artifact
        atexit.register(self.finish)  # runs before wandb's own, which was registered earlier

    def finish(self) -> None:
        """Wait for pending uploads, as long as a slow connection needs, end the run, and say what is missing."""
        if self._run.offline or self._run.disabled:
            return
        entity, project, folder = self._run.entity, self._run.project, Path(self._run.dir).parent
        if missing := self._missing():
            name, why = missing
            console.note(
                f"tracking: W&B does not have {entity}/{project}/{name}: {why}. {how_to_send(entity, project, name)}"
            )
        if why := self._end():
            rest = f"wandb sync --include-online {short(folder)}"
            console.note(f"tracking: W&B is missing some of the run's metrics and files: {why}. Send them with: {rest}")

    def _log_artifact(
        self,
        artifact_or_path: Any,
        name: str | None = None,
        type: str | None = None,  # noqa: A002 - wandb's signature
        aliases: list[str] | None = None,
        tags: list[str] | None = None,
    ) -> Any:
        self._logged.append(self._log(artifact_or_path, name=name, type=type, aliases=aliases, tags=tags))
        return self._logged[-1]

    def _missing(self) -> tuple[str, str] | None:
        """The first artifact that did not arrive, and why; None if all are."""
        size = sum(artifact.size for artifact in self._logged)
        if self._logged:
            console.note(f"tracking: uploading what is left of {size / 1e6:,.1f} MB of artifacts")
        until = time.monotonic() + upload_s(size)
        for artifact in self._logged:
            name = artifact.name.partition(":")[0]
            try:
                artifact.wait(timeout=max(0.0, until - time.monotonic()))  # only once: a wait that ends cancels it
            except KeyboardInterrupt:
                return name, "interrupted"
            except Exception as error:
                late = type(error).__name__ == "WaitTimeoutError"
                return name, f"not finished within {upload_s(size):.0f} s" if late else (
                    first_line(error) or repr(error)
                )
        return None

    def _end(self) -> str:
        """Why the run's end did not arrive; empty if it did."""
        try:
            self._run.finish()
        except KeyboardInterrupt:
            return "interrupted"
        except Exception as error:
            return first_line(error) or repr(error)
        return ""


def short(folder: Path) -> str:
    """A folder, relative to here where that is shorter."""
    return str(folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder)


def first_line(error: Exception) -> str:
    """The first line; wandb's errors have several."""
    return str(error).strip().partition("\n")[0]


def how_to_send(entity: str, project: str, name: str) -> str:
    """How to send a checkpoint later. Not by `wandb sync`, which sends the artifacts of offline runs only."""
    try:
        found = artifacts.folder_registry().resolve(artifacts.Reference(artifacts.LOCAL, project, name, "best"))
    except LitError:
        return f"Log it again: wandb artifact put --type model --name {entity}/{project}/{name} model.ckpt"
    return f"Send the best with: lit-registry push {found.reference} --to {entity}/{project} --alias best"
