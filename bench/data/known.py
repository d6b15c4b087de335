"""Facts of the known data sets, to which every copy of them is held."""

from __future__ import annotations

from bench.data import shapes
from bench.data.dataset import Channels, Dataset, combine


def _known(
    name: str, classes: int, sizes: dict[str, int], splits: dict[str, str], mean: Channels, std: Channels
) -> Dataset:
    return Dataset(name, classes, sizes, combine(classes, **splits), mean, std, name in shapes.SIZES, splits)


KNOWN = {
    known.name: known
    for known in (
        # mean and std of CIFAR are those by which the published networks' inputs were normalised
        _known(
            "cifar10",
            10,
            {"train": 50_000, "test": 10_000},
            {
                "train": "da608f5910d7046b9dd4b969acdcc882783be137ae727ba9874d50db68cfb849",
                "test": "a5ca90916492aec3c710d36530679f2b21e2bd89c77dfc47aeaf1b37da6ffa9d",
            },
            mean=(0.49139968, 0.48215827, 0.44653124),
            std=(0.24703233, 0.24348505, 0.26158768),
        ),
        _known(
            "cifar100",
            100,
            {"train": 50_000, "test": 10_000},
            {
                "train": "4fbf99ccb6b22ea1de92e89688e13169d1fc4fabaf4727e69d95a1c795c21170",
                "test": "ac8c5e7c51cda523534e852febdb4b602546d770351b2529384bde2cda082f9f",
            },
            mean=(0.50705882, 0.48666667, 0.44078431),
            std=(0.26745098, 0.25568627, 0.27607843),
        ),
        _known(
            "shapes10",
            10,
            shapes.SIZES["shapes10"],
            {
                "train": "93627d10019e96d62407c578ba00d34c26c07baa6d858c4f8057ae3483d162ab",
                "test": "0b55c05da4b65a64637cae914f0f3c169b04b84c0ddb658a21c56a8d177f4d64",
            },
            mean=(0.4944228, 0.49638093, 0.498788),
            std=(0.28226891, 0.28287884, 0.28192236),
        ),
        _known(
            "shapes100",
            100,
            shapes.SIZES["shapes100"],
            {
                "train": "c5094b71d9594f5272e558169d295f1fa72f68103ead3f0801ce063dcafe2b68",
                "test": "6ad499697daec618075accfe0701551beaf3dbb7f1d64c8cb3e13dcde9a277c2",
            },
            mean=(0.49271879, 0.49438269, 0.49733515),
            std=(0.28282724, 0.28209573, 0.28250421),
        ),
    )
}
