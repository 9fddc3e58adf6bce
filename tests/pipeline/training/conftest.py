"""A tiny network, and clips to train it on."""

import pytest

from pipeline.training.recipe import Recipe
from tests.world.noise import Noise, tiny_recipe


@pytest.fixture
def recipe() -> Recipe:
    """Eight steps of a network of one block."""
    return tiny_recipe()


@pytest.fixture
def noise() -> Noise:
    """Data that needs no files."""
    return Noise()
