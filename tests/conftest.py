"""Fixtures that every folder may use, and how hypothesis runs here."""

from hypothesis import settings

pytest_plugins = ["tests.fixtures.kafka", "tests.fixtures.postgres"]

# A deadline for one example is a threshold on wall-clock time: a busy machine is no defect.
settings.register_profile("gateway", deadline=None)
settings.load_profile("gateway")
