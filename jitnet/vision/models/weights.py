"""Names of trained weights: jitnet downloads none, and says where each comes from."""

from __future__ import annotations

from enum import Enum
from typing import Any

SITE = "https://download.pytorch.org/models/"
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's colours
CROP = 224
RESIZE = {"IMAGENET1K_V1": 256, "IMAGENET1K_V2": 232}


class ImageNetWeights(Enum):
    """Weights trained on ImageNet; a member's value is the file that holds them."""

    @property
    def url(self) -> str:
        """Where PyTorch keeps the file."""
        return f"{SITE}{self.value}"

    def transforms(self) -> Any:
        """Return what makes an image the network's input, as it was when these were trained."""
        from ..transforms import (  # needs Pillow, which models do not
            CenterCrop,
            Compose,
            Normalize,
            Resize,
            ToTensor,
        )

        resize = Resize(RESIZE[self.name])
        return Compose([resize, CenterCrop(CROP), ToTensor(), Normalize(MEAN, STD)])


def imagenet(name: str, *files: str) -> Any:
    """Return the names of a network's weights: first and second version, the last by default."""
    versions = {f"IMAGENET1K_V{number}": file for number, file in enumerate(files, 1)}
    make: Any = ImageNetWeights  # called with members, an Enum is made, not looked up
    return make(name, {**versions, "DEFAULT": files[-1]})


def refuse_weights(known: Any, weights: Any, options: dict[str, Any]) -> None:
    """Raise RuntimeError if weights are asked for: by name, or in old code by pretrained=True."""
    if options.pop("pretrained", False) or weights is True:
        weights = known.DEFAULT
    if weights is None or weights is False:
        return
    chosen = (
        known[weights] if isinstance(weights, str) and weights in known.__members__ else weights
    )
    if not isinstance(chosen, known):
        names = ", ".join(known.__members__)
        raise ValueError(f"weights is None or one of {known.__name__} ({names}), got {weights!r}")
    raise RuntimeError(
        f"jitnet does not download weights. Fetch {chosen.url}, make the model with weights=None "
        f"and load them: model.load_state_dict(jitnet.load({chosen.value!r}))"
    )
