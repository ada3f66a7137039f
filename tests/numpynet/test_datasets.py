"""Datasets: the published rows, disjoint splits, files that are refused, orders that repeat."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest

from numpynet import Array
from numpynet.datasets import (
    Dataset,
    Split,
    batch_order,
    blobs,
    circles,
    digits,
    files,
    load,
    order_hash,
)

IMAGES = "train-images-idx3-ubyte"


def split(values: Sequence[int], targets: Sequence[int] | None = None) -> Split:
    inputs = np.asarray(values, np.float32).reshape(-1, 1)
    return Split(inputs, np.zeros(len(inputs), np.int64) if targets is None else np.asarray(targets))


def dataset(train: Sequence[int], validation: Sequence[int] = (), test: Sequence[int] = ()) -> Dataset:
    return Dataset("toy", split(train), split(validation), split(test), ("a", "b"))


class TestSplits:
    def test_validation_rows_taken_from_the_training_rows_are_refused(self) -> None:
        with pytest.raises(ValueError, match=r"toy: .* 3 of the validation rows occur in train$"):
            dataset(range(10), [7, 8, 9], [20])

    def test_every_pair_of_splits_that_shares_rows_is_named(self) -> None:
        shares = "1 of the validation rows occur in train, 2 of the test rows occur in validation"
        with pytest.raises(ValueError, match=shares):
            dataset([0, 1], [1, 2], [2, 2])

    def test_a_row_with_another_target_is_still_the_same_row(self) -> None:
        with pytest.raises(ValueError, match="must not share rows"):
            Dataset("toy", split([1], [0]), split([1], [1]), split([]), ("a", "b"))

    def test_equal_rows_within_a_split_and_empty_splits_are_fine(self) -> None:
        assert len(dataset([1, 1, 2]).validation) == 0

    def test_targets_that_are_no_class_are_refused(self) -> None:
        with pytest.raises(ValueError, match="train targets are 0 to 2, the 2 classes 0 to 1"):
            Dataset("toy", split([1, 2], [0, 2]), split([]), split([]), ("a", "b"))

    @pytest.mark.parametrize(
        ("inputs", "targets"),
        [
            (np.zeros((2, 1)), np.zeros(2, np.int64)),
            (np.zeros(2, np.float32), np.zeros(2, np.int64)),
            (np.zeros((2, 1), np.float32), np.zeros(2, np.int32)),
            (np.zeros((2, 1), np.float32), np.zeros(3, np.int64)),
            (np.zeros((2, 1), np.float32), np.zeros((2, 1), np.int64)),
        ],
    )
    def test_other_shapes_and_dtypes_are_refused(self, inputs: Array, targets: Array) -> None:
        with pytest.raises(ValueError, match="Split takes"):
            Split(inputs, targets)


class TestEmbeddedAndGenerated:
    @pytest.mark.parametrize("flat", [True, False])
    def test_digits_are_the_rows_of_scikit_learn(self, flat: bool) -> None:
        from sklearn.datasets import load_digits

        theirs, ours = load_digits(), digits(flat=flat).splits.values()
        assert [s.inputs.shape for s in ours] == [(n, *((64,) if flat else (1, 8, 8))) for n in (1197, 200, 400)]
        rows = np.concatenate([np.column_stack([s.inputs.reshape(-1, 64) * 16, s.targets]) for s in ours])
        expected = np.column_stack([theirs.data, theirs.target])
        np.testing.assert_array_equal(rows[np.lexsort(rows.T)], expected[np.lexsort(expected.T)])

    def test_a_seed_draws_the_split(self) -> None:
        first, again, other = digits(seed=1), digits(seed=1), digits(seed=2)
        np.testing.assert_array_equal(first.test.inputs, again.test.inputs)
        assert not np.array_equal(first.test.inputs, other.test.inputs)

    @pytest.mark.parametrize("seed", [42, 0])
    @pytest.mark.parametrize(("n", "centers", "cluster_std"), [(1024, 2, 1.0), (1024, 2, 2.5), (101, 3, 0.5)])
    def test_blobs_are_those_of_scikit_learn_to_the_bit(
        self, n: int, centers: int, cluster_std: float, seed: int
    ) -> None:
        from sklearn.datasets import make_blobs

        points, targets = make_blobs(n, centers=centers, cluster_std=cluster_std, random_state=seed)
        ours = blobs(n, centers, cluster_std, seed).train
        np.testing.assert_array_equal(ours.inputs, points.astype(np.float32))
        np.testing.assert_array_equal(ours.targets, targets)

    @pytest.mark.parametrize("seed", [42, 0])
    @pytest.mark.parametrize(("n", "factor", "noise"), [(1024, 0.5, 0.05), (101, 0.8, 0.3)])
    def test_circles_are_those_of_scikit_learn_to_the_bit(self, n: int, factor: float, noise: float, seed: int) -> None:
        from sklearn.datasets import make_circles

        points, targets = make_circles(n, factor=factor, noise=noise, random_state=seed)
        ours = circles(n, factor, noise, seed).train
        np.testing.assert_array_equal(ours.inputs, points.astype(np.float32))
        np.testing.assert_array_equal(ours.targets, targets)

    def test_held_out_blobs_come_from_the_same_clusters(self) -> None:
        data = blobs()
        for label in (0, 1):
            means = [s.inputs[s.targets == label].mean(axis=0) for s in data.splits.values()]
            assert np.ptp(means, axis=0).max() < 5 / np.sqrt(512)  # five standard errors of a mean

    def test_circles_without_noise_are_refused(self) -> None:
        with pytest.raises(ValueError, match="must not share rows"):
            circles(noise=0)

    @pytest.mark.parametrize("name", ["digits", "blobs", "circles"])
    def test_load_finds_a_dataset_by_its_name(self, name: str) -> None:
        assert load(name, seed=3).name == name

    def test_load_names_what_there_is(self) -> None:
        with pytest.raises(ValueError, match="no dataset is called 'iris'; there are digits, blobs, circles, fas"):
            load("iris")


class TestOrder:
    def test_an_epoch_visits_every_row_once(self) -> None:
        batches = batch_order(10, 4, seed=0, epoch=0)
        assert [len(rows) for rows in batches] == [4, 4, 2]
        assert sorted(np.concatenate(batches)) == list(range(10))

    def test_seed_and_epoch_fix_the_order(self) -> None:
        hashes = {order_hash(batch_order(100, 10, seed, epoch)) for seed in (0, 1) for epoch in (0, 1) for _ in "ab"}
        assert len(hashes) == 4

    def test_the_order_is_the_same_with_every_numpy(self) -> None:
        batches = batch_order(1197, 128, seed=42, epoch=7)
        assert order_hash(batches) == "3db21e33e2fdf3d1ec1a398e9fd1587afe29637c9eeae6f6922c69ad851a9430"

    def test_the_hash_knows_where_a_batch_ends(self) -> None:
        assert order_hash([np.array([1, 2])]) != order_hash([np.array([1]), np.array([2])])

    def test_the_hash_does_not_depend_on_the_integer_type(self) -> None:
        assert order_hash([np.array([1, 2], np.int32)]) == order_hash([np.array([1, 2], ">i8")])

    def test_nothing_to_visit_is_no_batch(self) -> None:
        assert batch_order(0, 4, 0, 0) == []

    @pytest.mark.parametrize(("batch_size", "seed"), [(0, 0), (4, -1)])
    def test_batch_sizes_below_one_and_negative_seeds_are_refused(self, batch_size: int, seed: int) -> None:
        with pytest.raises(ValueError, match=r"batch size of 1 or more|non-negative"):
            batch_order(10, batch_size, seed, 0)


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """A tiny MNIST with 30 training and 10 test rows: its idx files by name, published under their hashes."""
    rng = np.random.default_rng(0)
    contents = {}
    for part, n in (("train", 30), ("t10k", 10)):
        pixels, targets = rng.integers(0, 256, (n, 28, 28), np.uint8), rng.integers(0, 10, n, np.uint8)
        for kind, values in (("images-idx3", pixels), ("labels-idx1", targets)):
            header = np.array([0x800 + values.ndim, *values.shape], ">i4").tobytes()
            contents[f"{part}-{kind}-ubyte"] = header + values.tobytes()
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    monkeypatch.setitem(files.SHA256, "mnist", hashes)
    return contents


@pytest.fixture
def folder(published: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tiny MNIST in $NUMPYNET_DATA/mnist."""
    (tmp_path / "mnist").mkdir()
    for name, content in published.items():
        (tmp_path / "mnist" / f"{name}.gz").write_bytes(gzip.compress(content))
    monkeypatch.setenv("NUMPYNET_DATA", str(tmp_path))
    return tmp_path / "mnist"


class TestFiles:
    @pytest.mark.parametrize(("flat", "shape"), [(True, (784,)), (False, (1, 28, 28))])
    @pytest.mark.parametrize(("scale", "divisor"), [(True, 255), (False, 1)])
    def test_pixels_and_targets_are_those_of_the_file(
        self, published: dict[str, bytes], folder: Path, flat: bool, shape: tuple[int, ...], scale: bool, divisor: int
    ) -> None:
        data = load("mnist", validation=5, flat=flat, scale=scale)
        assert [len(s) for s in data.splits.values()] == [25, 5, 10]
        assert data.test.inputs.shape == (10, *shape)
        pixels = np.frombuffer(published["t10k-images-idx3-ubyte"], np.uint8, offset=16)
        expected = pixels.astype(np.float32) / np.float32(divisor)
        np.testing.assert_array_equal(data.test.inputs.ravel(), expected)
        assert bytes(data.test.targets.tolist()) == published["t10k-labels-idx1-ubyte"][8:]

    def test_training_and_validation_rows_are_the_published_training_rows(
        self, published: dict[str, bytes], folder: Path
    ) -> None:
        data = load("mnist", validation=5, scale=False)
        rows = np.concatenate([data.train.inputs, data.validation.inputs]).astype(np.uint8)
        pixels = np.frombuffer(published[IMAGES], np.uint8, offset=16).reshape(30, 784)
        assert sorted(map(bytes, rows)) == sorted(map(bytes, pixels))

    @pytest.mark.parametrize("validation", [-1, 30])
    def test_a_validation_split_that_leaves_nothing_is_refused(self, folder: Path, validation: int) -> None:
        with pytest.raises(ValueError, match=f"0 to 29 of its 30 training rows for validation, got {validation}"):
            load("mnist", validation=validation)

    def test_how_a_mirror_compressed_the_file_does_not_matter(self, published: dict[str, bytes], folder: Path) -> None:
        (folder / f"{IMAGES}.gz").write_bytes(gzip.compress(published[IMAGES], 1, mtime=1))
        assert len(load("mnist", validation=0).train) == 30

    @pytest.mark.parametrize(
        ("damage", "said"),
        [
            (lambda packed: packed[: len(packed) // 2], "truncated or damaged"),
            (lambda packed: b"", "is not what was published of mnist"),
            (lambda packed: b"<html>404</html>", "truncated or damaged"),
            (lambda packed: packed[:99] + bytes([packed[99] ^ 1]) + packed[100:], "truncated or damaged"),
            (
                lambda packed: gzip.compress(b"others"),
                "is not what was published of mnist: the SHA-256 .*expected",
            ),
        ],
        ids=["truncated", "empty", "html", "flipped bit", "another file"],
    )
    def test_a_damaged_file_is_named_with_the_remedy(
        self, folder: Path, damage: Callable[[bytes], bytes], said: str
    ) -> None:
        path = folder / f"{IMAGES}.gz"
        path.write_bytes(damage(path.read_bytes()))
        with pytest.raises(ValueError, match=rf"{IMAGES}\.gz .*Replace it by what was published, or delete") as e:
            load("mnist")
        e.match(said)

    @pytest.mark.parametrize("name", ["fashion-mnist", "mnist"])
    def test_the_published_files_give_70_000_different_rows(self, name: str) -> None:
        if not Path(os.environ.get("NUMPYNET_DATA", "nowhere"), name).is_dir():
            pytest.skip(f"no $NUMPYNET_DATA/{name}")
        data = load(name)
        assert [s.inputs.shape for s in data.splits.values()] == [(n, 784) for n in (55_000, 5_000, 10_000)]
        assert (data.train.inputs.min(), data.train.inputs.max()) == (0, 1)
        assert len({row.tobytes() for s in data.splits.values() for row in s.inputs}) == 70_000


COLOURS = "cifar-10-batches-bin"


@pytest.fixture
def colours(monkeypatch: pytest.MonkeyPatch) -> Array:
    """A tiny CIFAR-10 with 30 training and 6 test rows: (36, 3073) bytes, published under their hash."""
    rows = np.random.default_rng(0).integers(0, 256, (36, 3073), np.uint8)
    rows[:, 0] %= 10
    monkeypatch.setitem(files.SHA256, "cifar-10", {COLOURS: hashlib.sha256(rows.tobytes()).hexdigest()})
    return rows


def parts_of(colours: Array) -> dict[str, bytes]:
    names = [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]
    return dict(zip(names, (part.tobytes() for part in np.split(colours, 6)), strict=True))


@pytest.fixture
def bins(colours: Array, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tiny CIFAR-10 in $NUMPYNET_DATA/cifar-10-batches-bin."""
    (tmp_path / COLOURS).mkdir()
    for name, content in parts_of(colours).items():
        (tmp_path / COLOURS / name).write_bytes(content)
    monkeypatch.setenv("NUMPYNET_DATA", str(tmp_path))
    return tmp_path / COLOURS


def archive_of(parts: dict[str, bytes]) -> bytes:
    """As published: a folder of binary files and two others, in no order."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in reversed([*parts.items(), ("batches.meta.txt", b"airplane"), ("readme.html", b"<html>")]):
            member = tarfile.TarInfo(f"{COLOURS}/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


class TestColours:
    def test_pixels_and_targets_are_those_of_the_files(self, colours: Array, bins: Path) -> None:
        data = load("cifar-10", standardise=False, validation=4)
        assert [s.inputs.shape for s in data.splits.values()] == [(n, 3, 32, 32) for n in (26, 4, 6)]
        rows = [np.column_stack([s.targets, s.inputs.reshape(-1, 3072)]) for s in data.splits.values()]
        np.testing.assert_array_equal(rows[2], colours[30:])
        trained, published = np.concatenate(rows[:2]), colours[:30]
        np.testing.assert_array_equal(trained[np.lexsort(trained.T)], published[np.lexsort(published.T)])

    def test_channels_are_standardised_by_the_training_rows_alone(self, bins: Path) -> None:
        raw = load("cifar-10", standardise=False, validation=4).splits
        channels = raw["train"].inputs.astype(np.float64)
        mean, deviation = (values.reshape(3, 1, 1) for values in (channels.mean((0, 2, 3)), channels.std((0, 2, 3))))
        for part, found in load("cifar-10", validation=4).splits.items():
            assert found.inputs.dtype == np.float32
            expected = (raw[part].inputs - mean) / deviation
            # The dataset subtracts, divides and rounds its statistics in single precision: a few times 6e-8 of each.
            np.testing.assert_allclose(found.inputs, expected, rtol=1e-6, atol=1e-6)

    @pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"half")])
    def test_a_missing_or_damaged_part_is_noticed(self, bins: Path, damage: Callable[[Path], object]) -> None:
        damage(bins / "data_batch_3.bin")
        with pytest.raises(
            ValueError, match=rf"{COLOURS} is not what was published of cifar-10: the SHA-256 of its co"
        ):
            load("cifar-10")

    def test_the_archive_is_downloaded_once_and_unpacked(
        self, colours: Array, server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        server.answer = lambda handler, _: deliver(handler, archive_of(parts_of(colours)))
        monkeypatch.setitem(files.URLS, "cifar-10", f"http://127.0.0.1:{server.server_port}/cifar-10-binary.tar.gz")
        for _ in range(2):
            assert len(load("cifar-10", validation=4).train) == 26
        assert server.paths == ["/cifar-10-binary.tar.gz"]
        assert files_in(server.cache) == [COLOURS]

    @pytest.mark.parametrize("damage", [lambda packed: packed[: len(packed) // 2], lambda packed: gzip.compress(b"")])
    def test_a_damaged_archive_leaves_no_file(
        self, colours: Array, server: Server, monkeypatch: pytest.MonkeyPatch, damage: Callable[[bytes], bytes]
    ) -> None:
        server.answer = lambda handler, _: deliver(handler, damage(archive_of(parts_of(colours))))
        monkeypatch.setitem(files.URLS, "cifar-10", f"http://127.0.0.1:{server.server_port}/cifar-10-binary.tar.gz")
        with pytest.raises(
            ValueError, match=r"did not deliver the published files of cifar-10: .*\$NUMPYNET_DATA/cifar-10-"
        ):
            load("cifar-10")
        assert files_in(server.cache) == []

    def test_the_published_files_give_60_000_different_rows(self) -> None:
        if not Path(os.environ.get("NUMPYNET_DATA", "nowhere"), COLOURS).is_dir():
            pytest.skip(f"no $NUMPYNET_DATA/{COLOURS}")
        data = load("cifar-10")
        assert [len(s) for s in data.splits.values()] == [49_000, 1_000, 10_000]
        assert np.bincount(data.test.targets).tolist() == [1000] * 10
        pixels = np.frombuffer(files.content("cifar-10", COLOURS), np.uint8).reshape(-1, 3073)[:, 1:]
        # The means over all 50,000 published training rows, as they are commonly subtracted.
        means = pixels[:50_000].reshape(-1, 3, 1024).mean(axis=(0, 2)) / 255
        assert means.round(4).tolist() == [0.4914, 0.4822, 0.4465]
        assert len(set(map(bytes, pixels))) == 60_000


Answer = Callable[[BaseHTTPRequestHandler, bytes], object]


class Server(HTTPServer):
    """What the fixture `server` gives."""

    paths: list[str]
    answer: Answer
    cache: Path


@pytest.fixture
def server(published: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Serves the tiny MNIST on loopback; `answer(handler, body)` may be replaced, `paths` were asked for."""
    pooch = pytest.importorskip("pooch")

    class Handler(BaseHTTPRequestHandler):
        server: Server

        def do_GET(self) -> None:
            self.server.paths.append(self.path)
            self.server.answer(self, gzip.compress(published.get(Path(self.path).stem, b"")))

        def log_message(self, *_: object) -> None:
            pass

    server = Server(("127.0.0.1", 0), Handler)
    server.paths, server.answer, server.cache = [], deliver, tmp_path / "cache"
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    monkeypatch.setitem(files.URLS, "mnist", f"http://127.0.0.1:{server.server_port}/{{file}}.gz")
    monkeypatch.setattr(pooch, "os_cache", lambda _: server.cache)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("NUMPYNET_DATA", str(tmp_path / "empty"))
    yield server
    server.shutdown()
    server.server_close()


def deliver(handler: BaseHTTPRequestHandler, body: bytes, announced: int | None = None) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(announced or len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def files_in(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file()]


class TestDownload:
    def test_every_file_is_downloaded_once(self, server: Server) -> None:
        for _ in range(2):
            assert len(load("mnist", validation=5).train) == 25
        assert sorted(server.paths) == sorted(f"/{name}.gz" for name in files.SHA256["mnist"])
        assert sorted(files_in(server.cache)) == sorted(files.SHA256["mnist"])

    @pytest.mark.parametrize(
        ("answer", "error", "said"),
        [
            (lambda h, body: deliver(h, body[: len(body) // 2], len(body)), ConnectionError, "failed"),
            (lambda h, body: deliver(h, body[: len(body) // 2]), ValueError, "did not deliver"),
            (lambda h, body: deliver(h, gzip.compress(b"others")), ValueError, "did not deliver"),
            (lambda h, body: deliver(h, b"<html>sorry</html>"), ValueError, "did not deliver"),
            (lambda h, body: h.send_error(404), ConnectionError, "404"),
        ],
        ids=["connection lost", "truncated", "another file", "html", "not found"],
    )
    def test_a_failed_download_says_so_and_leaves_no_file(
        self, server: Server, answer: Answer, error: type[Exception], said: str
    ) -> None:
        server.answer = answer
        with pytest.raises(
            error, match=rf"{IMAGES}.gz.*Try again, or put what was published in \$NUMPYNET_DATA/mnist/{IMAGES}.gz"
        ) as e:
            load("mnist")
        e.match(said)
        assert files_in(server.cache) == []

    def test_an_interrupted_download_leaves_no_file(self, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        def interrupt(self: object, url: str, output: BinaryIO, _: object) -> None:
            output.write(b"half")
            raise KeyboardInterrupt

        monkeypatch.setattr("pooch.HTTPDownloader.__call__", interrupt)
        with pytest.raises(KeyboardInterrupt):
            load("mnist")
        assert files_in(server.cache) == []

    def test_a_damaged_file_in_the_cache_is_downloaded_again(self, server: Server) -> None:
        load("mnist", validation=5)
        (server.cache / "mnist" / IMAGES).write_bytes(b"half")
        load("mnist", validation=5)
        assert server.paths.count(f"/{IMAGES}.gz") == 2

    def test_without_pooch_the_error_says_what_to_install(
        self, server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "pooch", None)
        with pytest.raises(ImportError, match="pip install pooch"):
            load("mnist")

    def test_pooch_is_imported_for_downloads_only(self) -> None:
        code = "import sys, numpynet.datasets as d; d.digits(); assert not {'pooch', 'sklearn'} & {*sys.modules}"
        subprocess.run([sys.executable, "-c", code], check=True)
