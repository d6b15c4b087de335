"""Quantization as it really is: levels by census, widths layer by layer, and evaluation that leaves no trace."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import nn

from bench.conformance.digests import digests, unequal
from bench.conformance.report import Problem, first_of_each_place
from bench.conformance.run import Run, stirred
from bench.conformance.trial import Trial
from bench.quant import census as census_of
from bench.quant.convert import ACTIVATIONS
from bench.quant.describe import QuantizedTensor, describe

QUANTIZE = "turn the whole network with bench.quant.convert.quantize(model, setup.cell.bits, rule)"


def census(trial: Trial) -> list[Problem]:
    """No group has more values than its width allows; a full-precision student has no quantizer."""
    student = trial.reference.learner.student()
    if not trial.card.quantizes:
        told = "is quantized, but the card says quantizes=False"
        return [Problem(tensor.name, told, "leave it as it is") for tensor in describe(student)]
    lines = (line.partition(": ") for line in census_of.take(student, trial.images()).violations)
    return first_of_each_place(Problem(where, what, QUANTIZE) for where, _, what in lines)


def bits(trial: Trial) -> list[Problem]:
    """Every convolution, linear layer and activation function has the cell's width, at two widths."""
    if not trial.card.quantizes:
        return []
    runs = [trial.reference]
    for width in trial.widths[1:]:
        with stirred(1):
            runs.append(trial.start(width))
            runs[-1].take(next(runs[-1].setup.schedule.walk()))
    return first_of_each_place(problem for run in runs for problem in _uneven(run))


def evaluation(trial: Trial) -> list[Problem]:
    """The student is in eval mode, gives one answer to one question, and is the same after it."""
    run, images = trial.reference, trial.images()
    student = run.learner.student()
    found = []
    if training := [name or "the whole" for name, module in student.named_modules() if module.training]:
        found.append(Problem("student", f"is in train mode ({training[0]})", "return self.model.eval()"))
    before = _everything(run, student)
    with torch.no_grad():
        once, again = student(images), student(images)
    if once.shape != (len(images), run.setup.classes):
        found.append(Problem("student", f"gives {tuple(once.shape)}", f"return (B, {run.setup.classes}) logits"))
    if not torch.equal(once, again):
        found.append(Problem("student", "gives other logits for the same images", "take randomness out of it"))
    if changed := unequal(before, _everything(run, run.learner.student())):
        problem = f"evaluating it changes {len(changed)} values, e.g. {changed[0]}"
        found.append(Problem("student", problem, "freeze ranges and statistics while it is not learning"))
    return found


def _uneven(run: Run) -> list[Problem]:
    """Layers whose width is not the cell's."""
    student, width = run.learner.student(), run.setup.cell.bits
    wanted, described = {"weight": width.w, "activation": width.a}, describe(student)
    found = [
        Problem(t.name, f"{t.kind} has {t.bits} bits in a cell of {width}", "give it those of setup.cell.bits")
        for t in described
        if t.bits != wanted[t.kind]
    ]
    for name, module in _left(student, described):
        found.append(Problem(name, f"{type(module).__name__} is not quantized in a cell of {width}", QUANTIZE))
    return found


def _left(student: nn.Module, described: Sequence[QuantizedTensor]) -> Iterator[tuple[str, nn.Module]]:
    """Layers without a quantizer: of activation functions, unless every layer quantizes its own input."""
    weights, activations = ([t.name for t in described if t.kind == kind] for kind in ("weight", "activation"))
    at_inputs = all(any(name.startswith(f"{layer}.") for name in activations) for layer in weights)
    wanted = (nn.Conv2d, nn.Linear) if at_inputs else (nn.Conv2d, nn.Linear, *ACTIVATIONS)
    within = tuple(f"{name}." for name in activations)
    for name, module in student.named_modules():
        if isinstance(module, wanted) and name not in weights and not name.startswith(within):
            yield name, module


def _everything(run: Run, student: nn.Module) -> Mapping[str, str]:
    return digests({"source": run.source.state(), "learner": run.learner.state(), "student": student.state_dict()})
