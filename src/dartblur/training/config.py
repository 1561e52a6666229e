"""The settings of a generator's training, as they stand in a TOML file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from dartblur.anonymizers import Blur
from dartblur.anonymizers.windows import WindowGeometry
from dartblur.errors import ConfigError
from dartblur.nets.families import FAMILIES, PRETRAINED
from dartblur.training.reference import Start


@dataclass(frozen=True)
class Data:
    """What the nets see.

    image_size: longer side of a picture in pixels. crop: side of the square around a face. batch:
    pictures a round, of one process. scale: range of random resizing, even in its logarithm.
    colour: largest random gain, as a share. grow: boxes of a picture are grown by up to this
    share, in `grown` of all pictures.
    memory_gb: limit of decoded pictures. holdout: every n-th picture is kept for probes. workers:
    processes that make batches. found: least score of f's boxes on the clear picture, which are
    the targets f(x). overlap: intersection over union from which a better box replaces another.
    """

    image_size: int = 320
    crop: int = 224
    batch: int = 8
    scale: tuple[float, float] = (0.9, 1.2)
    colour: float = 0.15
    grow: float = 0.1
    grown: float = 0.3
    memory_gb: float = 4.0
    holdout: int = 10
    workers: int = 0
    found: float = 0.5
    overlap: float = 0.4


@dataclass(frozen=True)
class Generator:
    """The net that is trained, and how.

    detail, rim, noise: of the window generator, see `nets.window`. decay: rate at the
    end as a share of the first, along a cosine. epoch_decay: times this with each epoch of the
    generator that is done. ema: of the weights that are exported; 0 for none. clip: largest norm of
    the gradient.
    """

    kind: Literal["window", "unet"] = "window"
    width: float = 24
    size: int = 48
    channels: int = 1
    limit: float = 64.0
    detail: int = 1
    rim: float = 0.0
    noise: int = 0
    rate: float = 5e-4
    betas: tuple[float, float] = (0.5, 0.999)
    decay: float = 0.05
    epoch_decay: float = 1.0
    warm_up: int = 20
    clip: float = 10.0
    ema: float = 0.995

    @property
    def geometry(self) -> WindowGeometry:
        """How windows are cut."""
        return WindowGeometry(self.size)


@dataclass(frozen=True)
class Objectives:
    """Weights of what the generator is trained for; 0 switches one off.

    prior: in means of `prior_cells` cells along a window. realism: as a discriminator sees it.
    Both: see `training.objectives`.
    cycle goes through the inner step; with `first_order` it is reported and not descended.
    reference_features, adversary_features: feature matching, see `training.objectives`.
    updates: one update for the sum, or one for each as in Algorithm 1. balanced: the weights
    compare gradients of equal norm, see `training.updates`.
    """

    review: float = 1.0
    operational: float = 1.0
    posthoc: float = 1.0
    cycle: float = 2.0
    reference_features: float = 1.0
    adversary_features: float = 0.0
    prior: float = 0.0
    realism: float = 0.0
    margin: float = 20.0
    prior_cells: int = 16
    first_order: bool = False
    updates: Literal["summed", "four"] = "summed"
    balanced: bool = False


@dataclass(frozen=True)
class Inner:
    """The step of f_g that the cycle objective looks through.

    from_block: the first block of the backbone that takes part, 0 to 14 as RetinaFace has them;
    of another family the block as deep in its backbone. Finer maps cost more.
    """

    kind: Literal["adam", "sgd"] = "adam"
    rate: float = 1e-3
    steps: int = 1
    betas: tuple[float, float] = (0.0, 0.999)
    from_block: int = 6


@dataclass(frozen=True)
class Adversaries:
    """The pool of f_g.

    families: what they are, names among `nets.families`, by turns. size: how many live at once;
    they begin with ages spread over a lifetime. lifetime: steps from one fresh start to the next.
    reference: every n-th of f's family starts from f (0: none) at `reference_rate`, the others from
    the backbone, or from random values in another family, at `rate`. steps: updates of adversaries
    a round. burn_in: steps before one judges the generator. epochs: so many in which they learn
    alone, one step a round, before each in which the generator learns alone; 0: all learn in every
    round.
    """

    families: tuple[str, ...] = (PRETRAINED,)
    size: int = 3
    lifetime: int = 300
    rate: float = 2e-3
    reference: int = 3
    reference_rate: float = 1e-3
    steps: int = 2
    burn_in: int = 60
    smoothing: float = 0.0
    clip: float = 10.0
    warm_up: int = 30
    epochs: int = 0


@dataclass(frozen=True)
class Discriminator:
    """What the objective realism asks; see `nets.discriminator`.

    share: of a natural face that is clear; the rest is blurred, so that the result reads so too.
    width: of its heads. clip: largest norm of the gradient.
    """

    width: int = 32
    rate: float = 1e-3
    betas: tuple[float, float] = (0.0, 0.99)
    share: float = 0.7
    clip: float = 10.0


@dataclass(frozen=True)
class Run:
    """How long, and what is kept.

    rounds: in all. prior_rounds: so many of them, the first ones, are for the objectives that need
    no detector in training (review, prior and realism); there are no adversaries until then.
    epoch: its rounds; 0 where nothing goes by epochs. save_minutes: between
    checkpoints. sheet_rounds: from one picture sheet to the next. precision: as Lightning Fabric
    names it.
    """

    rounds: int = 1000
    prior_rounds: int = 0
    epoch: int = 0
    seed: int = 0
    save_minutes: float = 3.0
    sheet_rounds: int = 200
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    device: Literal["auto", "cpu", "cuda", "gpu", "mps"] = "auto"
    threads: int = 0


@dataclass(frozen=True)
class TrainingConfig:
    """A whole training.

    blur: h(x, b), which the generator is shown and paints on.

    Raises:
        ConfigError: something goes by epochs, and nothing says how long these are; or adversaries
            are of no family, or shall begin as f where none is of its family.
    """

    data: Data = field(default_factory=Data)
    blur: Blur = field(default_factory=Blur)
    generator: Generator = field(default_factory=Generator)
    objectives: Objectives = field(default_factory=Objectives)
    inner: Inner = field(default_factory=Inner)
    adversaries: Adversaries = field(default_factory=Adversaries)
    discriminator: Discriminator = field(default_factory=Discriminator)
    start: Start = field(default_factory=Start)
    run: Run = field(default_factory=Run)

    def __post_init__(self) -> None:
        families = self.adversaries.families
        if not families or not set(families) <= set(FAMILIES):
            raise ConfigError(
                f"adversaries.families: {list(families)} must be names among {', '.join(FAMILIES)}"
            )
        if PRETRAINED not in families and self.adversaries.reference:
            raise ConfigError(
                f"adversaries.reference: f is a {PRETRAINED}, and no {' or '.join(families)} can "
                "begin with its values; say 0"
            )
        by_epochs = self.adversaries.epochs or self.generator.epoch_decay != 1
        if by_epochs and self.run.epoch < 1:
            raise ConfigError(
                "adversaries.epochs and generator.epoch_decay need run.epoch, the rounds of one"
            )
