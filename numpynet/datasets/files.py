"""The published files of a dataset, found on disk or downloaded, and recognised by the hash of their content."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
import zlib
from pathlib import Path

FOLDER_VARIABLE = "NUMPYNET_DATA"
# Where the files of a set are kept below $NUMPYNET_DATA, and where they are published.
PATHS = {
    "fashion-mnist": "fashion-mnist/{file}.gz",
    "mnist": "mnist/{file}.gz",
    "cifar-10": "{file}",
}
URLS = {
    "fashion-mnist": "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/{file}.gz",
    "mnist": "https://ossci-datasets.s3.amazonaws.com/mnist/{file}.gz",
    "cifar-10": "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
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
    # A folder: of its six .bin files in the order of their names, one after the other.
    "cifar-10": {"cifar-10-batches-bin": "013ba16d14ecc4829da62bf2af648ca30f600491ecb3e7f329c827db0dd17522"},
}
DAMAGED = (EOFError, gzip.BadGzipFile, zlib.error, tarfile.TarError)


def content(name: str, file: str) -> bytes:
    """The published content of one file, decompressed: from $NUMPYNET_DATA, else from the cache, else downloaded.

    Raises ValueError for a file that is damaged or not the published one, ConnectionError where a download fails, and
    ImportError where one is needed and pooch is not installed.
    """
    folder = os.environ.get(FOLDER_VARIABLE)
    path = Path(folder, PATHS[name].format(file=file)) if folder else None
    if path is None or not path.exists():
        return _download(name, file).read_bytes()
    remedy = "Replace it by what was published, or delete it to have that downloaded."
    try:
        if path.is_dir():
            found = b"".join(part.read_bytes() for part in sorted(path.glob("*.bin")))
        else:
            found = gzip.decompress(path.read_bytes())
    except DAMAGED as error:
        raise ValueError(f"{path} is truncated or damaged: {error}. {remedy}") from error
    digest = hashlib.sha256(found).hexdigest()
    if digest != SHA256[name][file]:
        raise ValueError(
            f"{path} is not what was published of {name}: the SHA-256 of its content is {digest}, "
            f"expected {SHA256[name][file]}. {remedy}"
        )
    return found


def _download(name: str, file: str) -> Path:
    """The path of the unpacked file in the cache, to which it is downloaded if it is missing or damaged there.

    pooch downloads to a temporary file and moves it into place only when its hash is right.
    """
    place = f"${FOLDER_VARIABLE}/{PATHS[name].format(file=file)}"
    try:
        import pooch  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ImportError(
            f"{name} has to be downloaded, which needs pooch: pip install pooch; "
            f"or put what is published there in {place}"
        ) from error

    def unpacking(url: str, output_file: str, _: object) -> None:
        received = io.BytesIO()
        pooch.HTTPDownloader()(url, received, None)
        Path(output_file).write_bytes(_unpacked(received.getvalue(), url))

    url = URLS[name].format(file=file)
    remedy = f"No file was left behind. Try again, or put what was published in {place}."
    try:
        return Path(
            pooch.retrieve(url, SHA256[name][file], file, pooch.os_cache("numpynet") / name, downloader=unpacking)
        )
    except (*DAMAGED, ValueError) as error:
        raise ValueError(f"{url} did not deliver the published files of {name}: {error}. {remedy}") from error
    except OSError as error:
        raise ConnectionError(f"downloading {url} failed: {error}. {remedy}") from error


def _unpacked(packed: bytes, url: str) -> bytes:
    if not url.endswith(".tar.gz"):
        return gzip.decompress(packed)
    with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as archive:
        members = sorted((m for m in archive if m.name.endswith(".bin")), key=lambda member: member.name)
        return b"".join(file.read() for member in members if (file := archive.extractfile(member)))
