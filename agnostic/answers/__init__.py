"""What a model says of a sample, and which scalar of it is explained: one module for each kind of answer.

`predict` lists what the model says. `question` turns what a person typed into a target, where that depends on the
sample: a box that was found on it, the region of a class, the likeness to another sample.
"""

from agnostic.answers.prediction import Prediction
from agnostic.answers.predictions import predict, probabilities, untouched
from agnostic.answers.questions import OneTarget, Question, question

__all__ = ["OneTarget", "Prediction", "Question", "predict", "probabilities", "question", "untouched"]
