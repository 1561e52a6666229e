"""What training paints is what the runtime paints."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install dartblur[train]")
onnx = pytest.importorskip("onnx", reason="the export needs it: pip install dartblur[train]")
pytest.importorskip("onnxscript", reason="the export needs it: pip install dartblur[train]")

from dartblur.anonymizers import Blur, Dartblur
from dartblur.anonymizers.generator_file import GeneratorMetadata
from dartblur.anonymizers.windows import WindowGeometry
from dartblur.datasets.labelled import LabelledImage
from dartblur.faces import Faces
from dartblur.nets.unet import FrameGenerator
from dartblur.nets.window import WindowGenerator
from dartblur.training.compositing import Batch, composite_frame, composite_windows
from dartblur.training.config import Data, Objectives
from dartblur.training.data import Batches
from dartblur.training.export import export_window, write
from dartblur.training.updates import balanced_gradient

SIZE = 24
GEOMETRY = WindowGeometry(SIZE)
# Small, large, overlapping, beyond the edge, of a pixel.
BOXES = np.array(
    [[4, 6, 20, 26], [12, 10, 60, 70], [70, -9, 110, 25], [3, 80, 6, 82], [50, 50, 51, 51]],
    np.float32,
)


BLURS = {
    "plain": Blur(),
    "mosaic": Blur("pixelate", cells=5, noise=12.0),
    "blended": Blur(strength=2.0, blended=True),
}
# Of generators; of the others the default.
SETTINGS = {"blended": {"detail": 2, "channels": 3, "rim": 0.12, "noise": 2}}


@pytest.fixture(scope="module", params=BLURS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def generator(kind: str) -> WindowGenerator:
    torch.manual_seed(0)
    net = WindowGenerator(SIZE, width=4, **SETTINGS.get(kind, {}))
    torch.nn.init.normal_(net.last.weight, std=20.0)
    if net.detail is not None:
        torch.nn.init.normal_(net.detail.last.weight, std=2.0)
    return net


@pytest.fixture(scope="module")
def exported(
    kind: str,
    generator: WindowGenerator,
    tmp_path_factory: pytest.TempPathFactory,
    models: dict[str, onnx.ModelProto],
) -> Path:
    path = tmp_path_factory.mktemp("export") / "g.onnx"
    metadata = GeneratorMetadata(BLURS[kind], GEOMETRY, {})
    if str(SETTINGS.get(kind)) in models:
        model = onnx.ModelProto()
        model.CopyFrom(models[str(SETTINGS.get(kind))])
        model.ClearField("metadata_props")
        write(model, path, metadata.properties())
    else:
        export_window(generator, metadata, path)
        models[str(SETTINGS.get(kind))] = onnx.load(path)
    return path


@pytest.fixture(scope="module")
def models() -> dict[str, onnx.ModelProto]:
    """By settings of the generator: another blur is another line of metadata alone."""
    return {}


@pytest.fixture(scope="module")
def picture() -> LabelledImage:
    rng = np.random.default_rng(0)
    image = cv2.resize(rng.integers(0, 256, (12, 12, 3), np.uint8), (96, 96))
    return LabelledImage("drawn", np.asarray(image, np.uint8), Faces(BOXES), Faces(BOXES))


@pytest.fixture(scope="module")
def batch(kind: str, picture: LabelledImage) -> Batch:
    plain = Data(crop=96, batch=1, scale=(1.0, 1.0), colour=0.0, grown=0.0)
    for number in range(20):
        made = Batches([picture], plain, BLURS[kind], GEOMETRY, (0, 0)).batch(number)
        if np.array_equal(pixels(made.clear), picture.image):
            return made
    raise AssertionError("every draw was mirrored")


def pixels(images: torch.Tensor) -> np.ndarray:
    return images[0].round().byte().permute(1, 2, 0).numpy()


def test_training_and_runtime_agree(
    generator: WindowGenerator, exported: Path, picture: LabelledImage, batch: Batch
) -> None:
    served = Dartblur(exported)(picture.image, picture.faces)
    with torch.no_grad():
        trained = composite_windows(generator, batch).image
    assert np.abs(pixels(trained).astype(int) - served).max() <= 1
    assert np.abs(served.astype(int) - pixels(batch.blurred)).max() > 10


def test_export_agrees_with_torch(generator: WindowGenerator, exported: Path) -> None:
    ort = pytest.importorskip("onnxruntime")
    session = ort.InferenceSession(exported, providers=["CPUExecutionProvider"])
    for sizes in (torch.randn(1), torch.randn(7), -0.5 - torch.rand(3), 0.6 + torch.rand(2)):
        windows = torch.rand(len(sizes), 3, SIZE, SIZE) * 255
        seeds = torch.randint(0, 2**31, (len(sizes),))
        inputs = {"windows": windows, "log_size": sizes, "seed": seeds}
        with torch.no_grad():
            expected = generator(**inputs).numpy()
        given = {name: values.numpy() for name, values in inputs.items()}
        np.testing.assert_allclose(session.run(None, given)[0], expected, atol=1e-3)


@pytest.mark.parametrize("whole", [False, True])
def test_outside_the_boxes_the_input_stays(
    generator: WindowGenerator, batch: Batch, whole: bool
) -> None:
    if whole:
        painted = composite_frame(FrameGenerator(0.125), batch)
    else:
        painted = composite_windows(generator, batch)
    outside = torch.ones(96 * 96, dtype=torch.bool)
    outside[batch.pixel] = False
    made, clear = (x.detach()[0].flatten(1)[:, outside] for x in (painted.image, batch.clear))
    assert torch.equal(made, clear)


def test_balanced_objectives_count_alike(generator: WindowGenerator, batch: Batch) -> None:
    seen = composite_windows(generator, batch).leaf(batch)
    weights = Objectives(operational=1.0, posthoc=3.0)
    target = torch.randn_like(seen.image)
    losses = {
        "operational": 1e4 * (seen.image * target).mean(),
        "posthoc": 1e-4 * seen.image.mean(),
    }
    gradient = balanced_gradient(seen, batch, weights, losses)
    inside = gradient[0].flatten(1)[:, batch.pixel]
    assert float(gradient.abs().sum()) == pytest.approx(float(inside.abs().sum()))
    # Weight 3 and a loss a hundred million times smaller still leads.
    assert float(inside.mean()) > 0
    assert 2 < float(inside.norm()) < 4
