"""Which of a module's outputs is which, where a person says it: `boxes=pred_boxes:cxcywh:relative,scores=logits`.

It is said in the facts (`outputs`, of a checkpoint or of `--spec`) or by `--outputs`, which counts more. A task has a
`Role` for each thing that it takes from a module; what a form says goes into the facts of its answers, as if it had
been said there.
"""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from lit_infer.errors import UsageError
from lit_infer.manifest import DeploymentFacts

_EXAMPLE = "boxes=pred_boxes:cxcywh:relative,scores=logits:sigmoid"


@dataclass(frozen=True)
class Role:
    """What a task takes from a module's outputs."""

    name: str
    forms: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """What may be said of it, and what that is in `DeploymentFacts.answers`."""
    also: Mapping[str, str | None] = field(default_factory=dict)
    """Other names for it, and the form that such a name says."""
    fact: str | None = None
    """The fact of the answers that names the same output, in specs as they were before."""


def parsed(text: str) -> dict[str, str]:
    """`--outputs` as the spec has it. Raises UsageError for what is not NAME=OUTPUT."""
    found: dict[str, str] = {}
    for one in text.split(","):
        name, equals, taken = (part.strip() for part in one.partition("="))
        if not (name and equals):
            raise UsageError(f"--outputs {one.strip()!r}: expected NAME=OUTPUT, as in {_EXAMPLE}")
        if name in found:
            raise UsageError(f"--outputs: {name} is said twice")
        found[name] = taken
    return found


def paths(facts: DeploymentFacts) -> dict[str, str]:
    """By role the output that is it, without its form."""
    return {name: taken.partition(":")[0] for name, taken in facts.outputs.items()}


def recorded(taken: Mapping[str, tuple[str | None, Sequence[str]]]) -> dict[str, str]:
    """By role what was taken and in which form, as one says it; what has no name, as of a lone tensor, is left out."""
    return {role: ":".join((path, *forms)) for role, (path, forms) in taken.items() if path is not None}


def line(outputs: Mapping[str, str]) -> str:
    """As `--outputs` takes it."""
    return ",".join(f"{role}={taken}" for role, taken in outputs.items())


def stated(facts: DeploymentFacts, roles: Sequence[Role] | None, given: str | None) -> DeploymentFacts:
    """The facts with `--outputs`, and with what all forms say among the answers' facts.

    `roles`: the task's; None: any name is an output's own, in no form. Raises UsageError for names and forms that the
    task does not know, and for facts that say something else.
    """
    flag = _named(parsed(given), roles, facts, where="--outputs") if given is not None else {}
    spec = _named(facts.outputs, roles, facts, where="outputs")
    answers = dict(facts.answers)
    for role in roles or ():
        if role.fact is not None and (own := answers.get(role.fact)) is not None and role.name not in flag:
            _check_same(role, own, spec)
            spec.setdefault(role.name, own)
    merged = {**spec, **flag}
    for name, taken in merged.items():
        for fact, value in _said(name, taken, roles, facts).items():
            if name not in flag and answers.get(fact, value) != value:
                raise UsageError(
                    f"outputs: {name}: {taken} and answers: {fact}: {answers[fact]} say different things: leave one out"
                )
            answers[fact] = value
    return replace(facts, outputs=merged, answers=answers)


def _check_same(role: Role, own: str, spec: Mapping[str, str]) -> None:
    taken = spec.get(role.name, own).partition(":")[0]
    if taken != own:
        raise UsageError(
            f"outputs: {role.name}: {taken} and answers: {role.fact}: {own} say different things: leave one out"
        )


def _named(
    outputs: Mapping[str, str], roles: Sequence[Role] | None, facts: DeploymentFacts, *, where: str
) -> dict[str, str]:
    """By the roles' own names. Raises UsageError for others, and for two names of one role."""
    if roles is None:
        for name, taken in outputs.items():
            if not name.isidentifier() or ":" in taken:
                raise UsageError(f"{where}: {name}={taken}: task {facts.task} has outputs as they are: logits=0.logits")
        return dict(outputs)
    known = {name: (role, form) for role in roles for name, form in {role.name: None, **role.also}.items()}
    found: dict[str, str] = {}
    for name, taken in outputs.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            guess = f" (is {near[0]} meant?)" if near else ""
            raise UsageError(f"{where}: {name}{guess}: task {facts.task} has {', '.join(role.name for role in roles)}")
        role, form = known[name]
        if role.name in found:
            raise UsageError(f"{where}: {name} and another name say what {role.name} is: leave one out")
        found[role.name] = taken if form is None or form in taken.split(":")[1:] else f"{taken}:{form}"
    return found


def _said(name: str, taken: str, roles: Sequence[Role] | None, facts: DeploymentFacts) -> dict[str, Any]:
    """The facts that the forms of one output say."""
    forms = taken.split(":")[1:]
    role = next((one for one in roles or () if one.name == name), Role(name))
    found: dict[str, Any] = {}
    for form in forms:
        if form not in role.forms:
            known = ", ".join(role.forms) or "no form"
            raise UsageError(f"outputs: {name}: {taken}: {form} is no form of {name}; task {facts.task} has {known}")
        for fact, value in role.forms[form].items():
            if found.setdefault(fact, value) != value:
                raise UsageError(f"outputs: {name}: {taken}: {' and '.join(forms)} exclude each other")
    if role.fact is not None:
        found[role.fact] = taken.partition(":")[0]
    return found
