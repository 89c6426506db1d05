"""What names of licences are taken to say."""

from __future__ import annotations

import pytest

from services.core.licences import HandingOn, handing_on, remark


@pytest.mark.parametrize(
    ("licence", "says"),
    [
        (None, HandingOn.UNSTATED),
        ("  ", HandingOn.UNSTATED),
        ("PhysioNet Credentialed Health Data License 1.5.0", HandingOn.FORBIDDEN),
        ("Stanford University Dataset Research Use Agreement", HandingOn.FORBIDDEN),
        ("PadChest Dataset Research Use Agreement", HandingOn.FORBIDDEN),
        ("Emory data use agreement", HandingOn.FORBIDDEN),
        ("RSNA competition terms: research and education", HandingOn.FORBIDDEN),
        ("CC BY 4.0, but redistribution is not allowed: do not redistribute", HandingOn.FORBIDDEN),
        ("NIH: no restrictions, attribution required", HandingOn.ALLOWED),
        ("NIH CC: no restrictions on use, attribution required (mirror: CC0)", HandingOn.ALLOWED),
        ("NIH CC: no restrictions on use, attribution required", HandingOn.ALLOWED),
        ("CC BY-NC-ND 4.0", HandingOn.ALLOWED),
        ("cc0", HandingOn.ALLOWED),
        ("Apache-2.0", HandingOn.ALLOWED),
        ("as agreed with the ethics board", HandingOn.UNREAD),
        ("<script>CC BY 4.0</script>", HandingOn.UNREAD),
    ],
)
def test_only_well_known_names_are_permission(licence: str | None, says: HandingOn) -> None:
    assert handing_on(licence) is says


def test_conditions_of_creative_commons_are_carried_along() -> None:
    nd = "no derivatives: only unaltered copies may be shared"
    assert remark("CC BY-NC-ND 4.0") == f"attribution, not for commercial use, {nd}"
    assert remark("CC BY 4.0") == "attribution"
    assert remark("PhysioNet Credentialed Health Data License 1.5.0") == remark(None) == remark("CC0 1.0") == ""
