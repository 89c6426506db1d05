"""Every family against the authors' recipe. transformers and torchvision load only after these two."""

import services.encoders.offline
import services.encoders.torchvision_compat  # noqa: F401
