"""`lit-registry list|show|promote|push|gc`: artifacts by name, in W&B or in the folder registry."""

import json
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated

import typer

from lit_infer import console
from lit_infer.artifacts.providers import PROVIDERS

if TYPE_CHECKING:
    from lit_infer.artifacts import Reference

app = typer.Typer(
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help=f"""Look up, promote and upload artifacts.

    {" ".join(row.summary for row in PROVIDERS.values())} The first line on stderr says which it was, and why.""",
    epilog="""Examples:

\b
  lit-registry list
  lit-registry show local/digits/digits-cnn:best
  lit-registry promote acme/digits/cnn-export:latest --alias production
  lit-registry push local/digits/digits-cnn-export:production --to acme/digits
  lit-registry gc --dry-run
""",
)

Ref = Annotated[str, typer.Argument(metavar="REF", help="entity/project/name:alias, or a W&B page's address.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Only results and errors.")]

_LIST = """Examples:

\b
  lit-registry list
  lit-registry list acme/digits
  lit-registry list '*-export' --all --json | jq .[].reference
"""

_SHOW = """Examples:

\b
  lit-registry show local/digits/digits-cnn-export
  lit-registry show acme/digits/digits-cnn:v3 --json
"""

_PROMOTE = """Examples:

\b
  lit-registry promote local/digits/digits-cnn-export:latest --alias production
  lit-registry promote acme/digits/digits-cnn-export:v4 --alias production --if-better val_acc
"""

_PUSH = """Examples:

\b
  lit-registry push local/digits/digits-cnn-export:latest --to acme/digits
  WANDB_ENTITY=acme lit-registry push local/digits/digits-cnn:best --alias best
"""

_GC = """Examples:

\b
  lit-registry gc --dry-run
  lit-registry gc
"""


@app.callback()
def _root(
    _: Annotated[
        bool, typer.Option("--version", callback=console.show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


@app.command("list", epilog=_LIST)
def list_versions(
    pattern: Annotated[
        str,
        typer.Argument(
            metavar="PATTERN",
            help="A quoted shell pattern: of a whole name, or of its part before or after a slash.",
        ),
    ] = "*",
    everything: Annotated[bool, typer.Option("--all", "-a", help="Include versions without an alias.")] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """List collections and their versions, the newest first."""
    from lit_infer import artifacts
    from lit_infer.artifacts import parse, report

    registry = artifacts.registry(_within(pattern))
    names = [name for name in registry.collections() if _matches(name, pattern)]
    found = {name: registry.versions(parse(name)) for name in names}
    shown = {name: [each for each in versions if everything or each.aliases] for name, versions in found.items()}
    if as_json:
        typer.echo(json.dumps([report.plain(each) for versions in shown.values() for each in versions], indent=2))
        return
    for name, versions in shown.items():
        console.out.print(name, style="bold", markup=False)
        console.out.print(report.versions_table(versions))
        if left := len(found[name]) - len(versions):
            console.out.print(f"… and {left} without an alias (--all shows them)", style="dim")
    if not quiet:
        console.note(f"nothing here matches {pattern!r}" if not names else f"next: lit-registry show {names[0]}")


@app.command(epilog=_SHOW)
def show(reference: Ref, as_json: Json = False, quiet: Quiet = False) -> None:
    """Show all that is known of one version."""
    del quiet  # `console.run` looks at it
    from lit_infer.artifacts import parse, registry, report

    asked = parse(reference)
    version = registry(asked).resolve(asked)
    if as_json:
        typer.echo(json.dumps(report.plain(version), indent=2))
    else:
        console.out.print(report.facts_table(version))


@app.command(epilog=_PROMOTE)
def promote(
    reference: Ref,
    alias: Annotated[str, typer.Option("--alias", help="The alias to move, for instance production.")],
    if_better: Annotated[
        str | None, typer.Option("--if-better", metavar="METRIC", help="Only if its score beats the present holder's.")
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Move an alias, but only to a version that has earned it.

    A bundle needs a graph that passed its checks and none that failed; a checkpoint needs a score. Else the alias
    stays where it is, and the command exits 1.
    """
    from lit_infer.artifacts import parse, registry, report, scores
    from lit_infer.artifacts.promote import promote as move

    asked = parse(reference)
    done = move(registry(asked), asked, alias=alias, if_better=if_better)
    before = done.before.reference.alias if done.before else None
    if as_json:
        typer.echo(json.dumps({**report.plain(done.version), "moved": done.is_new, "before": before}, indent=2))
        return
    past = f"was {before}" if before else "is new"
    score = f", {scores.text(done.score)}" if done.score else ""
    said = f"{alias} is {done.version.reference}{score}"
    console.out.print(f"{said} ({past})" if done.is_new else f"{said} (it was already)", markup=False)
    if not quiet:
        console.note(f"next: lit-infer images/ --model {done.version.reference.at(alias)}")


@app.command(epilog=_PUSH)
def push(
    reference: Ref,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="ENTITY/PROJECT",
            help="Where to; else WANDB_ENTITY, and WANDB_PROJECT or its own project.",
        ),
    ] = None,
    alias: Annotated[list[str] | None, typer.Option("--alias", help="An alias to give it there. Repeatable.")] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Upload a version from the folder registry to another registry.

    The versions that it was made from go first, so that the lineage is there too. What is there already is not sent
    again.
    """
    from lit_infer import progress
    from lit_infer.artifacts import folder_registry, parse, registry, report
    from lit_infer.artifacts.push import push as send

    asked = parse(reference)
    target = _destination(asked, to)
    source = folder_registry()
    source.resolve(asked)  # a name that does not exist is reported before any server is asked
    with console.listening(quiet=quiet):
        progress.note(f"from the folder registry {source.root}")
        done = send(source, asked, to=registry(target), where=(target.entity, target.project), aliases=alias or ())
    if as_json:
        typer.echo(json.dumps([{"from": str(each.source), **report.plain(each.version)} for each in done], indent=2))
    else:
        console.out.print(str(done[-1].version.reference), markup=False)
        if not quiet:
            console.note(f"next: lit-registry promote {done[-1].version.reference} --alias production")


@app.command(epilog=_GC)
def gc(
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Only say what would be removed.")] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Remove versions that nothing refers to.

    Only from the folder registry. A version stays if it has an alias, if a version that stays was made from it, or if
    a process is using it.
    """
    from lit_infer.artifacts import folder_registry, report
    from lit_infer.artifacts.gc import collect

    registry = folder_registry()
    if not quiet:
        console.note(f"folder registry {registry.root} (other registries keep what they have)")
    found = collect(registry, dry_run=dry_run)
    if as_json:
        names = {"removed": found.removed, "in_use": found.in_use}
        facts = {name: [str(each.reference) for each in versions] for name, versions in names.items()}
        rest = {"leftovers": found.leftovers, "bytes": found.bytes, "dry_run": dry_run}
        typer.echo(json.dumps({**facts, **rest}, indent=2))
        return
    for version in found.removed:
        console.out.print(str(version.reference), markup=False)
    if not quiet:
        for version in found.in_use:
            console.note(f"{version.reference} stays: a process is using it")
        verb = "would be removed" if dry_run else "removed"
        leftovers = f", and {found.leftovers} leftovers of killed writers" if found.leftovers else ""
        count = f"{len(found.removed)} version{'' if len(found.removed) == 1 else 's'}"
        console.note(f"{count} {verb}, {report.size(found.bytes)}{leftovers}")


def _within(pattern: str) -> "Reference | None":
    """The entity and project that a pattern names in full; None where it leaves them open."""
    from lit_infer.artifacts import Reference

    parts = pattern.split("/")
    is_named = any(parts[0] == row.entity for row in PROVIDERS.values())
    if is_named or (len(parts) in (2, 3) and not any(set("*?[") & set(part) for part in parts[:2])):
        return Reference(parts[0], parts[1] if len(parts) > 1 else "any", "any", "latest")
    return None


def _matches(name: str, pattern: str) -> bool:
    """Whether a pattern fits a whole name, its beginning up to a slash or its end after one."""
    return any(fnmatchcase(name, each) for each in (pattern, f"{pattern}/*", f"*/{pattern}"))


def _destination(asked: "Reference", to: str | None) -> "Reference":
    """The collection that a version is pushed to; refused where that is the folder registry itself."""
    from lit_infer.artifacts import provider_for
    from lit_infer.artifacts.reference import checked, completing, default
    from lit_infer.errors import UsageError

    entity, slash, project = (to or "").partition("/")
    if to is not None and (not (entity and slash and project) or "/" in project):
        raise UsageError(f"--to {to!r}: expected entity/project, as in --to acme/digits")
    entity, project = entity or default("entity") or asked.entity, project or default("project") or asked.project
    target = checked(entity, project, asked.name, "latest")
    if not provider_for(target)[0].is_fallback:
        return target
    usual, reason = provider_for()
    if usual.is_fallback:
        others = " or ".join(row.name for row in PROVIDERS.values() if not row.is_fallback)
        raise UsageError(f"pushing {asked} needs {others}, which is off: {reason}")
    raise UsageError(f"where should {asked} go? Give --to entity/project, or set {' or '.join(completing('entity'))}")


def main() -> None:
    """The console script."""
    console.run(app)
