"""The table of what one implementation refuses and another accepts, and why, measured by `parity.refusals`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from parity.catalogue.kernels import kernels
from parity.frameworks import available
from parity.results.conditions import holds_here


@dataclass(frozen=True)
class Known:
    """One wrong thing on which implementations differ, for some pairs.

    `when` limits it to some versions, `by` to one of the two kinds of kernels of TensorFlow, "oneDNN" and "Eigen".
    """

    wrong: str
    pairs: str
    refused_by: str
    reason: str
    when: str = ""
    by: str = ""

    def refusals(self) -> list[str]:
        """The keys of the refusals that it is about, see `Refusal.key`: one for each of its pairs."""
        return [f"{pair}/{self.wrong}" for pair in self.pairs.split()]


FLOATING = "numpynet takes floating arrays alone; the frameworks take what a kernel happens to be compiled for"
EXACT_DTYPE = "Keras casts any floating input to the layer's dtype; numpynet and torch do not mix precisions"
EXACT_SHAPE = "numpynet takes the shapes it documents; what else the frameworks take is broadcasting or leading axes"
BROADCASTS = "the frameworks broadcast target and input; a forgotten axis then averages over all pairs of rows"
EMPTY = "the mean of no losses is NaN in torch and TensorFlow; numpynet refuses it (on its sum, too)"
NO_CHECK = "TensorFlow makes rows of the labels with tf.one_hot, which leaves a row for a label out of range empty"
GRADIENT = "numpynet and torch cast the gradient that is sent back; TensorFlow's kernels want their own dtype"
INTERNAL = "torch wants labels in 64 bits, numpynet and TensorFlow take any integers"
ARGUMENT = "Keras checks the momentum's range alone, numpynet and torch every argument but an upper bound"
SHARE = "the smoothed target has a negative probability then"
NOTHING = "the mean of no features is NaN; numpynet refuses it"
ROOT = "a small variance would have no root; torch says so since 2.10, of batch normalisation alone"
BY_ROWS = "one-hot rows reach torch as class indices: those in range pass, whatever the width of the rows"

RECTIFIERS = "ReLU LeakyReLU PReLU Maxout ELU SELU"
GATES = "GELU SiLU Softplus Sigmoid HardSigmoid HardSwish Tanh SoftMax LogSoftMax"
NORMALIZATIONS = "BatchNormalization LayerNormalization GroupNormalization"
LAYERS = f"{RECTIFIERS} {GATES} {NORMALIZATIONS} Dropout Linear Scaling"
BINARY = "BinaryCrossEntropyCriterion BinaryCrossEntropyCriterionUnstable"
CRITERIA = f"MSECriterion L1Criterion HuberCriterion {BINARY} NLLCriterion NLLCriterionUnstable CrossEntropyCriterion"
OF_DIFFERENCES = "L1Criterion HuberCriterion"
ELEMENTWISE = f"{OF_DIFFERENCES} BinaryCrossEntropyCriterionUnstable"
LIKELIHOODS = "NLLCriterion NLLCriterionUnstable"
ADAPTIVE = "Adam AdamW RMSprop Adagrad"

KNOWN = [
    Known("integer input", "ReLU Tanh Flatten", "numpynet", FLOATING),
    Known("integer input", "LeakyReLU MSECriterion L1Criterion Linear", "numpynet torch", FLOATING),
    Known("integer input", "BatchNormalization", "numpynet torch", FLOATING, "keras>=3.6"),
    Known("integer input", "GroupNormalization", "numpynet torch", FLOATING, "keras>=3.7"),
    Known("integer input", "LayerNormalization", "numpynet torch", FLOATING),
    Known("integer input", "Maxout", "numpynet", FLOATING),
    Known("integer input", "Sigmoid NLLCriterionUnstable Scaling", "numpynet tensorflow", FLOATING),
    Known("integer input", "BinaryCrossEntropyCriterionUnstable", "numpynet tensorflow", FLOATING),
    Known("complex input", "L1Criterion", "numpynet", FLOATING, "keras>=3.6"),
    Known("complex input", "L1Criterion", "numpynet tensorflow", FLOATING, "keras<3.6"),
    Known("complex input", "HuberCriterion", "numpynet torch", FLOATING, "keras>=3.6"),
    Known("boolean input", "Tanh Flatten", "numpynet", FLOATING),
    Known("boolean input", "Linear", "numpynet torch", FLOATING),
    Known("boolean input", "BatchNormalization", "numpynet torch", FLOATING, "keras>=3.6"),
    Known("boolean input", "GroupNormalization", "numpynet torch", FLOATING, "keras>=3.7"),
    Known("boolean input", "LayerNormalization", "numpynet torch", FLOATING),
    Known("boolean input", "Maxout", "numpynet tensorflow", FLOATING),
    Known("boolean input", "Sigmoid NLLCriterionUnstable Scaling", "numpynet tensorflow", FLOATING),
    Known("complex input", "Sigmoid Tanh Flatten", "numpynet", FLOATING, "keras>=3.6"),
    Known("complex input", "Sigmoid Tanh Flatten", "numpynet tensorflow", FLOATING, "keras<3.6"),
    Known("complex input", "MSECriterion NLLCriterion Linear", "numpynet torch", FLOATING, "keras>=3.6"),
    Known("complex input", "BatchNormalization", "numpynet torch", FLOATING, "keras>=3.6"),
    Known("complex input", "GroupNormalization", "numpynet torch", FLOATING, "keras>=3.6"),
    Known("complex input", "LayerNormalization", "numpynet torch", FLOATING, "keras<3.4"),
    Known("complex input", "LayerNormalization", "numpynet torch", FLOATING, "keras>=3.6"),
    Known("complex input", "SiLU", "numpynet", FLOATING, "keras>=3.6"),
    Known("complex input", "SiLU", "numpynet tensorflow", FLOATING, "keras<3.6"),
    Known("complex input", "Scaling", "numpynet tensorflow", FLOATING),
    Known("input of another precision", "Linear BatchNormalization PReLU", "numpynet torch", EXACT_DTYPE),
    Known("input of another precision", "Scaling", "numpynet", EXACT_DTYPE),
    Known("gradient of another precision", f"{LAYERS} {CRITERIA}", "tensorflow", GRADIENT),
    Known("gradient of integers", f"{LAYERS} {CRITERIA}", "tensorflow", GRADIENT),
    Known("no features", "BatchNormalization", "numpynet tensorflow", "torch returns no elements of none"),
    Known("no features", LIKELIHOODS, "numpynet torch", NO_CHECK),
    Known("no features", "LayerNormalization", "numpynet", NOTHING),
    Known("no features", "GroupNormalization", "numpynet tensorflow", NOTHING, "torch<2.14"),
    Known("a single number", "SoftMax LogSoftMax", "tensorflow", "Keras' softmax wants an axis, the others return 1"),
    Known("a single number", "MSECriterion Scaling", "numpynet", EXACT_SHAPE),
    Known("one dimension too few", "MSECriterion Scaling LayerNormalization", "numpynet", EXACT_SHAPE),
    Known(
        "one dimension too few", "Linear", "numpynet tensorflow", "torch takes (in_features,), a row without a batch"
    ),
    Known("one dimension too few", "Flatten", "numpynet torch", "Keras makes (N, 1) of (N,)"),
    Known("one dimension too few", LIKELIHOODS, "numpynet tensorflow", EXACT_SHAPE, "torch<2.9"),
    *(
        Known(wrong, ELEMENTWISE, "numpynet", EXACT_SHAPE)
        for wrong in ("one dimension too few", "one dimension too many", "a single number")
    ),
    Known("one dimension too many", "MSECriterion", "numpynet", EXACT_SHAPE),
    Known("one dimension too many", LIKELIHOODS, "numpynet torch", EXACT_SHAPE),
    Known("empty batch", CRITERIA, "numpynet", EMPTY),
    Known(
        "empty batch",
        "BatchNormalization",
        "numpynet",
        "there are no statistics; torch leaves its running ones as they are, Keras' moving ones become NaN",
    ),
    Known("batch of one", "BatchNormalization", "numpynet torch", "see batchnorm-single-value"),
    Known("batch of one", "GroupNormalization", "torch", "see groupnorm-single-value"),
    Known("target with one dimension more", f"MSECriterion {ELEMENTWISE}", "numpynet", BROADCASTS),
    Known("target with one dimension more", LIKELIHOODS, "numpynet", BROADCASTS),
    Known("target with one dimension more", "CrossEntropyCriterion", "numpynet torch", BROADCASTS),
    Known("target that broadcasts", f"MSECriterion {ELEMENTWISE}", "numpynet", BROADCASTS),
    Known("target that broadcasts", LIKELIHOODS, "numpynet torch", BROADCASTS),
    Known(
        "a complex target",
        f"MSECriterion {OF_DIFFERENCES} {BINARY}",
        "numpynet",
        "the frameworks square a complex difference, or cast it",
    ),
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
    Known("eps=0.0", "BatchNormalization", "torch", "see batchnorm-without-eps", "torch>=2.10"),
    Known("eps=-1.0", "BatchNormalization", "numpynet torch", ROOT, "torch>=2.10"),
    Known("eps=-1.0", "BatchNormalization", "numpynet", ROOT, "torch<2.10"),
    Known("eps=-1.0", "LayerNormalization GroupNormalization", "numpynet", ROOT),
    Known("an unknown approximation", "GELU", "numpynet torch", "Keras takes whatever is true for the one by tanh"),
    Known("a negative learning rate", f"SGD {ADAPTIVE}", "numpynet torch", ARGUMENT),
    Known("a negative weight decay", f"SGD {ADAPTIVE}", "numpynet torch", ARGUMENT),
    Known("a negative eps", ADAPTIVE, "numpynet torch", ARGUMENT),
    Known("a first beta of 1", "Adam AdamW", "numpynet torch", ARGUMENT),
    Known("a negative second beta", "Adam AdamW", "numpynet torch", ARGUMENT),
    Known("a negative momentum", "RMSprop", "numpynet torch", ARGUMENT),
    Known("a smoothing above 1", "RMSprop", "numpynet", "the squares' average then is negative, its root NaN"),
    Known("a negative accumulator", "Adagrad", "numpynet torch", ARGUMENT),
    Known("delta=0.0", "HuberCriterion", "numpynet torch", "Keras' is 0 everywhere then"),
    Known("delta=-1.0", "HuberCriterion", "numpynet torch", "Keras' falls without bound then"),
    Known("a label smoothing above 1", "CrossEntropyCriterion", "numpynet torch", SHARE),
    Known("a negative label smoothing", "CrossEntropyCriterion", "numpynet", SHARE),
    Known("a negative weight", "CrossEntropyCriterion", "numpynet", "the loss falls without bound then"),
    Known("a momentum above 1", "SGD", "tensorflow", ARGUMENT),
    Known("Nesterov without momentum", "SGD", "numpynet torch", "Keras then steps without momentum"),
    Known("Nesterov with dampening", "SGD", "numpynet torch", "Keras has no dampening: see sgd-dampening"),
    Known("integer input", "Sum Concatenate", "numpynet", FLOATING),
    Known("boolean input", "Concatenate", "numpynet", FLOATING),
    Known("boolean input", "Sum", "numpynet tensorflow", FLOATING),
    Known("complex input", "Sum Concatenate", "numpynet", FLOATING, "keras>=3.6"),
    Known("complex input", "Sum Concatenate", "numpynet tensorflow", FLOATING, "keras<3.6"),
    Known("inputs of two precisions", "Sum Concatenate", "numpynet", EXACT_DTYPE),
    Known(
        "a tuple of one input", "Sum Concatenate", "numpynet", "numpynet takes a branch without another for a mistake"
    ),
    Known("inputs that broadcast", "Sum", "numpynet tensorflow", EXACT_SHAPE),
    Known("inputs of two ranks", "Sum", "numpynet", EXACT_SHAPE),
    Known("empty batch", "Sum", "tensorflow", "Keras takes an array without rows for a bias", "keras>=3.7"),
    Known("integer input", "MaxPool2d AvgPool2d", "numpynet tensorflow", FLOATING),
    Known("integer input", "GlobalAveragePool2d", "numpynet torch", FLOATING),
    Known("integer input", "ZeroPad2d", "numpynet", FLOATING),
    Known("boolean input", "GlobalAveragePool2d", "numpynet torch", FLOATING),
    Known("boolean input", "ZeroPad2d", "numpynet", FLOATING),
    Known("complex input", "GlobalAveragePool2d ZeroPad2d", "numpynet", FLOATING, "keras>=3.6"),
    Known("complex input", "GlobalAveragePool2d ZeroPad2d", "numpynet tensorflow", FLOATING, "keras<3.6"),
    Known("input of another precision", "Conv2d", "numpynet torch", EXACT_DTYPE),
    Known("gradient of another precision", "Conv2d MaxPool2d AvgPool2d", "tensorflow", GRADIENT),
    Known("gradient of integers", "Conv2d MaxPool2d AvgPool2d", "tensorflow", GRADIENT),
    Known("no features", "MaxPool2d AvgPool2d", "torch", "torch's pooling wants a channel at least"),
    Known(
        "one dimension too few",
        "Conv2d MaxPool2d AvgPool2d GlobalAveragePool2d ZeroPad2d",
        "numpynet tensorflow",
        "torch takes (C, H, W), an image without a batch",
    ),
    Known(
        "one dimension too many",
        "GlobalAveragePool2d ZeroPad2d",
        "numpynet tensorflow",
        "torch averages and pads the last two axes, whatever is before them",
    ),
    Known("a stride beside a dilation", "Conv2d", "tensorflow", "see conv-stride-dilation"),
    Known("a kernel larger than the image", "Conv2d", "numpynet torch", "an image without pixels", "keras<3.13"),
    Known(
        "windows larger than the image",
        "MaxPool2d",
        "numpynet torch",
        "TensorFlow's own kernel (Eigen) returns an image without pixels; oneDNN's, which it takes on some processors, "
        "refuses as the others do",
        by="Eigen",
    ),
    Known("windows larger than the image", "AvgPool2d", "numpynet torch", "Keras returns an image without pixels"),
    Known("a negative width", "ZeroPad2d", "numpynet tensorflow", "torch crops by a negative width"),
]


def expected(
    pair: str, wrong: str, installed: Mapping[str, str] | None = None, computed_by: str | None = None
) -> Known | None:
    """The entry for a pair and a wrong thing that holds for the installed versions and TensorFlow's kernels here.

    `installed` and `computed_by` replace these. None where there is no such entry. Entries for several versions of one
    package differ in what that package does, so without it any of them will do.
    """
    for known in of(pair, wrong):
        if not holds_here(known.when, missing=True, installed=installed):
            continue
        if known.by and computed_by is None:
            computed_by = kernels() if "tensorflow" in available() else known.by
        if known.by in ("", computed_by):
            return known
    return None


def of(pair: str, wrong: str) -> list[Known]:
    """Every entry for a pair and a wrong thing, whatever is installed."""
    return [known for known in KNOWN if known.wrong == wrong and pair in known.pairs.split()]
