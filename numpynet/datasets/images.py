"""MNIST and Fashion-MNIST, from the published idx files."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import zlib
from pathlib import Path

import numpy as np

from numpynet.datasets.splits import Dataset, Split, permutation
from numpynet.module import Array

FOLDER_VARIABLE = "NUMPYNET_DATA"
URLS = {
    "fashion-mnist": "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
    "mnist": "https://ossci-datasets.s3.amazonaws.com/mnist/",
}
# Of the decompressed content: mirrors offer the same content differently compressed.
SHA256 = {
    "fashion-mnist": {
        "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    },
    "mnist": {
        "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
}
CLOTHES = (
    "T-shirt",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


def fashion_mnist(*, scale: bool = True, flat: bool = True, validation: int = 5000, seed: int = 0) -> Dataset:
    """28 by 28 pixels of clothing in 10 classes: 55,000 rows to train, 5,000 to validate, 10,000 to test.

    Inputs have shape (N, 784), or (N, 1, 28, 28) when not `flat`, with values in 0..1, or the raw 0..255 when
    not `scale`. `seed` draws the `validation` rows from the 60,000 published training rows; the test rows are
    those published. No two of the 70,000 rows are equal.

    Files: $NUMPYNET_DATA/fashion-mnist/*-ubyte.gz where there, else downloaded once, into the user's cache
    (needs `numpynet[datasets]`). Raises ValueError on a file whose content is not the published one, and
    ConnectionError where a download fails; neither leaves a downloaded file behind.

    Source: Xiao, Rasul and Vollgraf 2017, https://arxiv.org/abs/1708.07747 (MIT licence).
    """
    return _dataset("fashion-mnist", CLOTHES, scale, flat, validation, seed)


def mnist(*, scale: bool = True, flat: bool = True, validation: int = 5000, seed: int = 0) -> Dataset:
    """28 by 28 pixels of handwritten digits; sizes, options, files and errors as for `fashion_mnist`.

    No two of the 70,000 rows are equal. Source: LeCun, Cortes and Burges 1998, from NIST's databases 1 and 3.
    """
    return _dataset("mnist", tuple("0123456789"), scale, flat, validation, seed)


def _dataset(name: str, classes: tuple[str, ...], scale: bool, flat: bool, validation: int, seed: int) -> Dataset:
    def split(pixels: Array, targets: Array) -> Split:
        inputs = np.divide(pixels, 255 if scale else 1, dtype=np.float32)
        return Split(inputs.reshape(-1, *((784,) if flat else (1, 28, 28))), targets.astype(np.int64))

    pixels, targets = _published(name, "train")
    if not 0 <= validation < len(targets):
        raise ValueError(
            f"{name} can spare 0 to {len(targets) - 1} of its {len(targets)} training rows for validation, "
            f"got {validation}"
        )
    rows = permutation(len(targets), seed)
    train, held_out = (split(pixels[part], targets[part]) for part in (rows[validation:], rows[:validation]))
    return Dataset(name, train, held_out, split(*_published(name, "t10k")), classes)


def _published(name: str, part: str) -> tuple[Array, Array]:
    """Pixels (N, 784) and targets (N,), both uint8."""
    # An idx file is a header, 4 bytes and 4 more for each dimension, then values; the hash vouches for it.
    pixels = np.frombuffer(_content(name, f"{part}-images-idx3-ubyte"), np.uint8, offset=16)
    targets = np.frombuffer(_content(name, f"{part}-labels-idx1-ubyte"), np.uint8, offset=8)
    return pixels.reshape(-1, 784), targets


def _content(name: str, file: str) -> bytes:
    """The published content of one file: from $NUMPYNET_DATA, else from the cache, else downloaded."""
    folder = os.environ.get(FOLDER_VARIABLE)
    path = Path(folder, name, f"{file}.gz") if folder else None
    if path is None or not path.exists():
        return _download(name, file).read_bytes()
    remedy = "Replace it by the published file, or delete it to have that downloaded."
    try:
        content = gzip.decompress(path.read_bytes())
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path} is truncated or damaged: {error}. {remedy}") from error
    found = hashlib.sha256(content).hexdigest()
    if found != SHA256[name][file]:
        raise ValueError(
            f"{path} is not the published {name} file: the SHA-256 of its decompressed content is {found}, "
            f"expected {SHA256[name][file]}. {remedy}"
        )
    return content


def _download(name: str, file: str) -> Path:
    """The decompressed file in the cache, downloaded if it is missing or damaged there.

    pooch downloads to a temporary file and moves it into place only when its hash is right.
    """
    try:
        import pooch
    except ImportError as error:
        raise ImportError(
            f"{name} has to be downloaded, which needs pooch: pip install 'numpynet[datasets]'; "
            f"or put {file}.gz in ${FOLDER_VARIABLE}/{name}/"
        ) from error

    def decompressing(url: str, output_file: str, _: object) -> None:
        received = io.BytesIO()
        pooch.HTTPDownloader()(url, received, None)
        Path(output_file).write_bytes(gzip.decompress(received.getvalue()))

    url = f"{URLS[name]}{file}.gz"
    remedy = f"No file was left behind. Try again, or put the published file in ${FOLDER_VARIABLE}/{name}/."
    try:
        return Path(
            pooch.retrieve(url, SHA256[name][file], file, pooch.os_cache("numpynet") / name, downloader=decompressing)
        )
    except (EOFError, gzip.BadGzipFile, zlib.error, ValueError) as error:
        raise ValueError(f"{url} did not deliver the published {name} file: {error}. {remedy}") from error
    except OSError as error:
        raise ConnectionError(f"downloading {url} failed: {error}. {remedy}") from error
