"""What one implementation refuses and another accepts, and why: every known case, measured by `parity.refusals`."""

from __future__ import annotations

from dataclasses import dataclass

from parity.installed import holds_here


@dataclass(frozen=True)
class Known:
    """A wrong thing on which implementations differ, for some pairs; `when` limits it to some versions."""

    wrong: str
    pairs: str
    refused_by: str
    reason: str
    when: str = ""


FLOATING = "numpynet takes floating arrays alone; the frameworks take what a kernel happens to be compiled for"
EXACT_DTYPE = "Keras casts any floating input to the layer's dtype; numpynet and torch do not mix precisions"
EXACT_SHAPE = "numpynet takes the shapes it documents; what else the frameworks take is broadcasting or leading axes"
BROADCASTS = "the frameworks broadcast target and input; a forgotten axis then averages over all pairs of rows"
EMPTY = "the mean of no losses is NaN in torch and TensorFlow; numpynet refuses it (on its sum, too)"
NO_CHECK = "TensorFlow makes rows of the labels with tf.one_hot, which leaves a row for a label out of range empty"
GRADIENT = "numpynet and torch cast the gradient that is sent back; TensorFlow's kernels want their own dtype"
INTERNAL = "torch wants labels in 64 bits, numpynet and TensorFlow take any integers"
ARGUMENT = "Keras checks the momentum's range alone, numpynet and torch every argument but an upper bound"
BY_ROWS = "one-hot rows reach torch as class indices: those in range pass, whatever the width of the rows"

LAYERS = "ReLU LeakyReLU ELU Softplus Sigmoid Tanh SoftMax LogSoftMax Dropout Linear BatchNormalization Scaling"
CRITERIA = "MSECriterion NLLCriterion NLLCriterionUnstable CrossEntropyCriterion"
LIKELIHOODS = "NLLCriterion NLLCriterionUnstable"

KNOWN = [
    Known("integer input", "ReLU Tanh Flatten", "numpynet", FLOATING),
    Known("integer input", "LeakyReLU MSECriterion NLLCriterion Linear", "numpynet torch", FLOATING),
    Known("integer input", "BatchNormalization", "numpynet torch", FLOATING, "keras>=3.6"),
    Known("integer input", "Sigmoid NLLCriterionUnstable Scaling", "numpynet tensorflow", FLOATING),
    Known("boolean input", "Tanh Flatten", "numpynet", FLOATING),
    Known("boolean input", "Linear", "numpynet torch", FLOATING),
    Known("boolean input", "BatchNormalization", "numpynet torch", FLOATING, "keras>=3.6"),
    Known("boolean input", "Sigmoid NLLCriterionUnstable Scaling", "numpynet tensorflow", FLOATING),
    Known("complex input", "Sigmoid Tanh Flatten", "numpynet", FLOATING, "keras>=3.6"),
    Known("complex input", "Sigmoid Tanh Flatten", "numpynet tensorflow", FLOATING, "keras<3.6"),
    Known("complex input", "MSECriterion NLLCriterion Linear", "numpynet torch", FLOATING, "keras>=3.6"),
    Known("complex input", "BatchNormalization", "numpynet torch", FLOATING, "keras>=3.6"),
    Known("complex input", "Scaling", "numpynet tensorflow", FLOATING),
    Known("input of another precision", "Linear BatchNormalization", "numpynet torch", EXACT_DTYPE),
    Known("input of another precision", "Scaling", "numpynet", EXACT_DTYPE),
    Known("gradient of another precision", f"{LAYERS} {CRITERIA}", "tensorflow", GRADIENT),
    Known("gradient of integers", f"{LAYERS} {CRITERIA}", "tensorflow", GRADIENT),
    Known("no features", LIKELIHOODS, "numpynet torch", NO_CHECK),
    Known("a single number", "SoftMax LogSoftMax", "tensorflow", "Keras' softmax wants an axis, the others return 1"),
    Known("a single number", "MSECriterion Scaling", "numpynet", EXACT_SHAPE),
    Known("one dimension too few", "MSECriterion Scaling", "numpynet", EXACT_SHAPE),
    Known(
        "one dimension too few", "Linear", "numpynet tensorflow", "torch takes (in_features,), a row without a batch"
    ),
    Known("one dimension too few", "Flatten", "numpynet torch", "Keras makes (N, 1) of (N,)"),
    Known("one dimension too few", LIKELIHOODS, "numpynet torch", EXACT_SHAPE, "torch>=2.10"),
    Known("one dimension too few", LIKELIHOODS, "numpynet", EXACT_SHAPE, "torch<2.10"),
    Known("one dimension too many", "MSECriterion Linear", "numpynet", EXACT_SHAPE),
    Known("one dimension too many", LIKELIHOODS, "numpynet torch", EXACT_SHAPE),
    Known("empty batch", CRITERIA, "numpynet", EMPTY),
    Known(
        "empty batch", "BatchNormalization", "numpynet torch", "there are no statistics; Keras' moving ones become NaN"
    ),
    Known("batch of one", "BatchNormalization", "numpynet torch", "see batchnorm-single-value"),
    Known("target with one dimension more", "MSECriterion", "numpynet", BROADCASTS),
    Known("target with one dimension more", LIKELIHOODS, "numpynet", BROADCASTS),
    Known("target with one dimension more", "CrossEntropyCriterion", "numpynet torch", BROADCASTS),
    Known("target that broadcasts", "MSECriterion", "numpynet", BROADCASTS),
    Known("target that broadcasts", LIKELIHOODS, "numpynet torch", BROADCASTS),
    Known("a complex target", "MSECriterion", "numpynet", "the frameworks square a complex difference, or cast it"),
    Known("a label too large", LIKELIHOODS, "numpynet torch", NO_CHECK),
    Known("a negative label", LIKELIHOODS, "numpynet torch", NO_CHECK),
    Known("labels of another integer type", f"{LIKELIHOODS} CrossEntropyCriterion", "torch", INTERNAL),
    Known("one-hot rows that are too wide", LIKELIHOODS, "numpynet tensorflow", BY_ROWS),
    Known("no output features", "Linear", "tensorflow", "Keras wants at least one unit", "keras>=3.13"),
    Known("p=1.0", "Dropout", "numpynet", "numpynet wants to keep something; the others return zeros", "keras>=3.14"),
    Known(
        "p=1.0",
        "Dropout",
        "numpynet tensorflow",
        "torch returns zeros, tf.nn.dropout takes rates below 1",
        "keras<3.14",
    ),
    Known("eps=0.0", "BatchNormalization", "torch", "a constant feature would divide by zero", "torch>=2.10"),
    Known("eps=-1.0", "BatchNormalization", "torch", "a small variance would have no root", "torch>=2.10"),
    Known("a negative learning rate", "SGD", "numpynet torch", ARGUMENT),
    Known("a negative weight decay", "SGD", "numpynet torch", ARGUMENT),
    Known("a momentum above 1", "SGD", "tensorflow", ARGUMENT),
    Known("Nesterov without momentum", "SGD", "numpynet torch", "Keras then steps without momentum"),
    Known("Nesterov with dampening", "SGD", "numpynet torch", "Keras has no dampening: see sgd-dampening"),
]


def expected(pair: str, wrong: str) -> Known | None:
    """The entry for a pair and a wrong thing that holds for the installed versions; None where there is none.

    Entries for several versions of one package differ in what that package does, so without it any of them will do.
    """
    for known in KNOWN:
        if known.wrong == wrong and pair in known.pairs.split() and holds_here(known.when, missing=True):
            return known
    return None
