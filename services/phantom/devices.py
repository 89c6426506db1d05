"""Hardware on the frontal film, as line integrals."""

import numpy as np

from services.phantom.drawing import Array, dome, tube
from services.phantom.truth import Findings


def frontal(X: Array, Z: Array, findings: Findings) -> Array:
    """Pacemaker, endotracheal tube, central line and sternal wires that ``findings`` names."""
    out = np.zeros_like(X)
    if findings.pacemaker:
        out += 1.9 * dome(1 - ((X - 8.6) / 2.3) ** 4 - ((Z - 8.8) / 2.0) ** 4)
        for xs, zs, radius in (
            ([7.2, 4.5, 1.2, -1.4, -1.2, 1.5, 4.2], [9.2, 10.2, 8.2, 4, -3, -6.4, -6.9], 0.10),  # ventricular lead
            ([7.4, 4.7, 1.0, -1.9, -2.0, -2.6], [8.8, 9.8, 7.8, 3.6, -0.5, -1.6], 0.09),  # atrial lead
        ):
            out += 1.2 * tube(X, Z, np.array(xs), np.array(zs), radius)
    if findings.ett:
        xs, zs = np.array([0.15, 0.05, 0]), np.array([19, 12, 7.7])
        out += 1.5 * tube(X, Z, xs, zs, 0.18) + 0.3 * tube(X, Z, xs, zs, 0.5)
    if findings.cvc:
        out += 1.6 * tube(X, Z, np.array([-4.5, -3.2, -2.2, -1.9]), np.array([15, 11, 6, 1.2]), 0.18)
    if findings.sternotomy:
        for k in range(6):  # steel loops around the sternum, wider than the spine's bright middle
            ring = np.hypot((X - 0.2) * 0.55, Z - 7.5 + 2.3 * k) - 0.75
            out += 2.6 * np.exp(-((ring / 0.11) ** 2))
    return out


def lateral(Y: Array, Z: Array, findings: Findings, chest_depth: float) -> Array:
    """The pacemaker's box under the anterior chest wall: all that a lateral phantom shows."""
    if not findings.pacemaker:
        return np.zeros_like(Y)
    return 1.9 * dome(1 - ((Y + chest_depth - 1) / 0.6) ** 4 - ((Z - 8.8) / 2) ** 4)
