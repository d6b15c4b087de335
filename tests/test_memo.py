"""What is remembered of tensors: it follows every change of them, above all those that training makes."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from tiny import images, run, setup, stored, student
from torch import Tensor, nn

from bench.quant.convert import weights_held
from bench.quant.grid import channel_grid
from bench.quant.layers import QuantizedActivation, QuantizedLinear
from bench.quant.memo import Memo
from methods.gdfq import GDFQ


class Counted:
    """A memo of the doubles of tensors that counts how often they are made."""

    def __init__(self) -> None:
        self.memo: Memo[list[Tensor]] = Memo()
        self.made = 0

    def get(self, *tensors: Tensor) -> list[Tensor]:
        return self.memo.get(tensors, lambda: self._make(tensors))

    def _make(self, tensors: tuple[Tensor, ...]) -> list[Tensor]:
        self.made += 1
        return [2 * tensor.detach() for tensor in tensors]


def stepped(optimizer: Callable[..., torch.optim.Optimizer], **options: object) -> Callable[[nn.Linear], None]:
    """A change of a layer: one step of an optimizer."""

    def step(layer: nn.Linear) -> None:
        layer.weight.grad = torch.ones_like(layer.weight)
        optimizer([layer.weight], lr=0.1, **options).step()

    return step


def loaded(layer: nn.Linear) -> None:
    layer.load_state_dict({"weight": torch.randn(2, 4)})


def replaced(layer: nn.Linear) -> None:
    layer.weight = nn.Parameter(torch.randn(2, 4))


def overwritten(layer: nn.Linear) -> None:
    layer.weight.copy_(torch.randn(2, 4))


def touched(layer: nn.Linear) -> None:
    layer.weight[1, 2] += 1


CHANGES = {
    "copy": overwritten,
    "one element": touched,
    "load_state_dict": loaded,
    "replacement": replaced,
    "SGD": stepped(torch.optim.SGD, foreach=False),
    "SGD, all tensors at once": stepped(torch.optim.SGD, foreach=True),
    "SGD, fused": stepped(torch.optim.SGD, momentum=0.9, nesterov=True, fused=True),
    "Adam, fused": stepped(torch.optim.Adam, fused=True),
}
changes = pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())


def layer() -> QuantizedLinear:
    torch.manual_seed(0)
    return QuantizedLinear.of(nn.Linear(4, 2, bias=False), 3)


def test_things_are_made_once_while_their_tensors_stay() -> None:
    counted, a, b = Counted(), torch.ones(2), torch.ones(3)
    first = counted.get(a, b)
    assert a.sum() == 2 and b.mul(3).sum() == 9  # reading is no change
    assert counted.get(a, b) is first
    assert counted.made == 1


@pytest.mark.parametrize("which", [0, 1])
def test_a_change_in_place_of_any_tensor_has_it_made_again(which: int) -> None:
    counted, tensors = Counted(), (torch.ones(2), torch.ones(3))
    counted.get(*tensors)
    tensors[which].add_(1)
    assert torch.equal(counted.get(*tensors)[which], 2 * tensors[which])
    counted.get(*tensors)
    assert counted.made == 2


@pytest.mark.parametrize("which", [0, 1])
def test_another_tensor_of_the_same_version_has_it_made_again(which: int) -> None:
    counted, tensors = Counted(), [torch.ones(2), torch.ones(3)]
    counted.get(*tensors)
    other = torch.full_like(tensors[which], 5)
    assert other._version == tensors[which]._version
    tensors[which] = other
    assert counted.get(*tensors)[which].unique().tolist() == [10]
    assert counted.made == 2


@changes
@torch.no_grad()
def test_a_quantized_weight_follows_its_latent_weight(change: Callable[[nn.Linear], None]) -> None:
    own = layer()
    for _ in range(2):
        with weights_held(own):
            before = own.quantized_weight()
            assert own.quantized_weight() is before
        change(own)
        assert not torch.equal(own.quantized_weight(), before)
        assert torch.equal(own.quantized_weight(), channel_grid(own.weight, 3).nearest(own.weight))


@torch.no_grad()
def test_a_deep_copy_of_an_activation_follows_its_own_range() -> None:
    """Its range may have observed just as often as the original's had when it was copied."""
    x = torch.linspace(0, 8, 9)
    for observations in range(4):
        own = QuantizedActivation(nn.ReLU(), 2, "corrected")
        own.range.observe(torch.tensor([0.0, 3.0]))
        kept = own(x)
        twin = copy.deepcopy(own)
        for _ in range(observations):
            twin.range.observe(torch.tensor([0.0, 6.0]))
        assert torch.equal(twin(x), twin.grid().nearest(x)), observations
        assert torch.equal(own(x), kept)


def test_a_deep_copy_of_a_student_answers_alike_and_changes_alone() -> None:
    own = student()
    with torch.no_grad():
        before = own(images())
        twin = copy.deepcopy(own)
        assert torch.equal(twin(images()), before)
        for parameter in twin.parameters():
            parameter.mul_(0.5)
        assert not torch.equal(twin(images()), before)
        assert torch.equal(own(images()), before)


def test_a_student_in_training_is_scored_with_the_weights_that_it_has() -> None:
    given = setup(GDFQ(), batch=2, options={"student_rate": 0.003})
    source, learner = GDFQ().source(given), GDFQ().learner(given)
    scores = []
    for stop in range(given.schedule.total + 1):
        run(given, source, learner, start=max(stop - 1, 0), stop=stop)
        with torch.no_grad():
            scores.append(learner.student()(images()))
        assert torch.equal(scores[-1], learner.student()(images()).detach()), stop
    assert not torch.equal(scores[-1], scores[-2])

    states = stored(learner)
    again = GDFQ().learner(given)
    with torch.no_grad():
        again.student()(images())
        again.load(states)
        assert torch.equal(again.student()(images()), scores[-1])
