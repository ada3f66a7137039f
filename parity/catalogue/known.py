"""What is known of refusals: who refuses what another accepts, and why; each family has a table of its own."""

from __future__ import annotations

from dataclasses import dataclass


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
GRADIENT = "numpynet and torch cast the gradient that is sent back; TensorFlow's kernels want their own dtype"
IMAGE = "torch takes (C, H, W), an image without a batch"
ARGUMENT = "Keras checks the momentum's range alone, numpynet and torch every argument but an upper bound"
