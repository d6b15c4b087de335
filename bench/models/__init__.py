"""Full-precision networks: built by name, read from and written to files, kept as teachers.

Importing this package imports no torch; `bench.models.weights` does.
"""

from bench.models.card import TeacherCard
from bench.models.registry import MODELS, build, check, names
from bench.models.teachers import Teacher, find, from_file, publish

__all__ = ["MODELS", "Teacher", "TeacherCard", "build", "check", "find", "from_file", "names", "publish"]
