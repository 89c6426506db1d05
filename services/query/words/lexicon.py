"""What findings are called: the names of CheXpert's fourteen, of NIH's further eight, and of some more.

Keys are those of `core.labels`. A phrase is written as `scan.pattern` reads it: ``~`` any ending, ``...`` up to three
words between, ``(a|b)`` either. Which names belong to which label follows Irvin et al. 2019 (CheXpert); the phrases are
Hilum's own. A lung that is called clear has no opacity: in CheXpert's hierarchy that is the parent of oedema,
consolidation, pneumonia, atelectasis and lesion.
"""

from __future__ import annotations

from collections.abc import Mapping

FINDINGS: Mapping[str, tuple[str, ...]] = {
    "pleural_effusion": (
        "(pleural )?effusion~", "hydrothora~", "ha?emothora~", "hydropneumothora~", "pleural (fluid|liquid)s?",
        "(fluid|liquid) ... pleural (space|cavit)~", "pleural space fluid", "layering fluid",
        "(free|loculated) fluid", "pleural fluid collection~", "fluid collection~", "pleural collection~", "empyema~",
        "fluid at ... bas(e|es)",
    ),
    "pneumothorax": (
        "pneumothora~", "hydropneumothora~", "ptx", "pneumo thorax", "(free )?(extra)?pleural (free )?airs?",
        "(free )?air ... pleural (space|cavit)~", "collapsed lung~", "lung~ ... collapsed",
        "(lung collapse|collapse of the lung) with (free )?pleural airs?", "apical (air|lucency)",
    ),
    "cardiomegaly": (
        "cardiomegaly", "megalocardia",
        "(enlarged|enlargement|enlarging|big|large|dilated|widened|prominent) ... (heart|cardiac (silhouette|"
        "shadow|contour|size))( size| silhouette| shadow)?",
        "(heart|cardiac (silhouette|shadow|contour|size))( size| silhouette| shadow)?( is| are| remains| appears|"
        " being| looks)? ... (enlarged|widened|big|dilated|enlargement)",
        "(heart|cardiac)( size| silhouette)?( is| appears| remains)? ... (increased|prominent)( in size)?",
        "increased (heart|cardiac) (size|silhouette)", "increased size ... (heart|cardiac silhouette)",
        "(heart|cardiac silhouette)( is| remains| appears)? ... large", "cardiac enlargement",
        "increased cardiothoracic (ratio|index)", "ventricular enlargement",
    ),
    "enlarged_cardiomediastinum": (
        "(enlarged|widened|widening|wide|enlargement|prominent) ... (cardio)?mediastin~( silhouette| contour~)?",
        "mediastin~( is| appears)? ... (widened|enlarged|widening|enlargement)", "cardiomediastinal enlargement",
        "(cardio)?mediastinal (silhouette|contour~)( is| are| appears)? ... (enlarged|widened|prominent)",
    ),
    "edema": (
        "o?edema", "(pulmonary|interstitial|alveolar|perihilar) o?edema", "(pulmonary |vascular |venous )+congestion",
        "congestion", "congested", "(congestive )?(heart|cardiac) failure", "chf", "fluid overload", "kerley",
        "perihilar haze", "(pulmonary )?vascular (engorgement|redistribution|prominence)", "cephali[sz]ation",
        "congestive (change~|process)", "volume overload",
        "(prominent|prominence|engorged|engorgement|increased|indistinct) ... (pulmonary )?(vascularity|"
        "vasculature|vascular markings?|vessels)",
        "(vascularity|vasculature|vascular markings?|vessels)( is| are| appears| appear)? ... (prominent|"
        "engorged|increased|congested|indistinct)",
        "pulmonary venous hypertension",
    ),
    "consolidation": ("consolidat~", "(airspace|lobar|focal) consolidation~", "air bronchogram~"),
    "pneumonia": (
        "(broncho)?pneumonia~", "pneumonitis", "infection~", "infectious (process|infiltrate~|disease)", "covid~",
    ),
    "lung_opacity": (
        "(lung |pulmonary |airspace |air space |focal |patchy |hazy |basilar )*(opacit~|opacification~)",
        "(airspace|air space|alveolar) (disease~|process|infiltrat~|densit~)", "infiltrat~", "airspace disease~",
        "(increased|interstitial|hazy|patchy|streaky|ill defined|vague|basilar) densit~", "shadowing",
        "interstitial (marking~|prominence|pattern|thickening|disease|change~|lung disease)", "reticulation",
        "reticul~ (pattern|marking~|change~)", "white out", "whiteout", "ground glass", "haziness",
    ),
    "atelectasis": (
        "atelecta~", "(linear |basilar |plate like |discoid |subsegmental |band like )+(atelecta~|opacit~|densit~)",
        "volume loss", "loss of volume", "(lobar|lobe|segmental) collapse",
        "collapse of the (left |right )?(upper|lower|middle) lobe",
    ),
    "lung_lesion": (
        "(lung |pulmonary |calcified )*(nodul~|mass|masses|tumou?r~|neoplasm~)", "nodular (opacit~|densit~|lesion~)",
        "(lung|pulmonary|cavitary|coin|rounded|nodular|focal|round|spiculated)( lung)? lesion~", "lesion~",
        "round(ed)? (opacit~|densit~)", "(lung |bronchogenic )?(carcinoma|cancer)", "malignan~", "metasta~",
        "cavitat~", "cavitary (lesion~|mass~)",
    ),
    "pleural_other": (
        "pleural (thickening|scar~|plaque~|calcification~|mass~|disease)", "(pleural|apical|biapical) (cap|caps)",
        "fibrothora~", "pleuro parenchymal scar~", "thickening ... pleura~", "pleural parenchymal scar~",
    ),
    "fracture": ("(rib |clavic~ |vertebral |displaced |compression )*fractur~", "broken (rib~|bone~|clavicle)", "fx"),
    "support_devices": (
        "(endotracheal|et|ng|nasogastric|orogastric|feeding|enteric|tracheostomy|chest|pleural|breathing|"
        "thoracostomy|dobhoff)( drainage)? (tube~|drain~)",
        "ett", "tube~ in the trachea", "endotracheal breathing tube~", "pigtail~( catheter~)?", "tubes?",
        "lines? (and|or) tubes?", "tubes?,? (lines?)?,? (and|or) (devices?|lines?)",
        "(central|venous|jugular|subclavian|dialysis|picc|arterial|iv|swan ganz|indwelling|vascular) ... "
        "(catheter~|lines?|cvc|access)",
        "catheter~", "cvc", "picc", "port a cath~", "mediport~", "portacath~", "(chemo|infusion) port~",
        "(cardiac |dual chamber |permanent |dual lead )*(pacemaker~|pacer~|defibrillator~|icd|aicd)( (leads?|"
        "wires?|generator))*",
        "pacemaker with leads", "pac(er|ing|emaker) (leads?|wires?)", "pulse generator~",
        "generator and pacing leads", "(dual chamber )?cardiac device~( with leads)?",
        "(median |sternal |midline )*sternotomy( wires?)?", "wires of a sternotomy", "wires after sternotomy",
        "(sternal|sternotomy|median|cerclage) wires?",
        "(support|medical|implanted|monitoring|life support) (device~|hardware|apparatus)", "device~", "hardware",
        "tracheostomy", "intra aortic balloon pump", "iabp", "(prosthetic|artificial) (heart )?valve~",
        "valve (replacement|prosthes~)", "(surgical )?(clip|clips|staple|staples)", "stent~", "intubated",
        "intubation", "lead wires?", "monitor(ing)? leads?",
    ),
    "emphysema": (
        "emphysem~( change~| lung~)?", "(subcutaneous|mediastinal|soft tissue) emphysema", "copd",
        "hyperinflat~( lung~)?", "hyperexpan~( lung~)?", "hyperaerat~", "hyperdistention", "hyperlucen~",
        "(chronic )?obstructive( pulmonary| lung)? disease~( with hyperinflation)?",
        "(flattened|flattening ...|flat) (hemi)?diaphragm~", "(hemi)?diaphragm~( is| are)? ... flattened",
        "bull(a|ae|ous)( change~| disease)?", "air trapping",
    ),
    "fibrosis": ("(pulmonary |interstitial )*fibro(sis|tic)( change~)?", "honeycomb~"),
    "hernia": ("(hiatal |hiatus |diaphragmatic )?hernia~",),
    "granuloma": ("(calcified )?granulom~( disease~| infection~)?",),
    "low_lung_volumes": (
        "(low|decreased|diminished|small) ... lung volumes?",
        "lung volumes?( is| are| remain~)? ... (low|decreased|diminished|small)", "hypoinflat~", "underinflat~",
        "hypoventilat~", "(poor|shallow) inspirat~( effort)?",
    ),
    "scar": ("scar(s|ring|red)?", "cicatri~"),
    "bone_lesion": ("(bony|osseous|bone|lytic|sclerotic|blastic) (lesion~|metasta~)",),
    "scoliosis": ("(levo|dextro)?scolio~", "(levo|dextro)curvature", "curvature ... spine", "spin(e|al) curvature"),
    "pneumoperitoneum": (
        "pneumoperitoneum", "free air", "(free )?(intraperitoneal|subdiaphragmatic|abdominal) (free )?air",
        "(free )?air (beneath|under|below) ... (hemi)?diaphragm~",
        "free (intraperitoneal|subdiaphragmatic|abdominal) (air|gas)",
    ),
    "pneumomediastinum": ("pneumomediastin~", "mediastinal air"),
    "pericardial_effusion": ("pericardial (effusion~|fluid)",),
    "tuberculosis": ("tubercul~", "tb"),
    "lymphadenopathy": ("(hilar |mediastinal )*(lymph)?adenopath~", "enlarged ... lymph nodes?"),
    "degenerative_change": (
        "degenerative ... change~", "degenerative (disease|disc disease)", "spondylo~", "osteophyt~", "arthrit~",
        "osteoarthrit~",
    ),
    "aortic_atherosclerosis": (
        "(aortic |vascular )?atherosclero~( calcification~| change~| disease)?",
        "calcifi~ ... (aorta|aortic (arch|knob))", "aortic ... calcifi~",
        "(aorta|aortic (arch|knob))( is)? ... calcified",
    ),
    "tortuous_aorta": (
        "(tortuo~|unfolding|unfolded|ectasia) ... aorta", "(tortuo~|unfolding|ectasia) (of|to) ... aorta",
        "(thoracic )?aorta( is| appears)? ... (tortuous|ectatic|unfolded)", "aortic (tortuosity|ectasia)",
        "ectatic ... aorta",
    ),
    "elevated_diaphragm": (
        "elevat~ ... (hemi)?diaphragm~", "(hemi)?diaphragm~( is)? ... elevated", "(diaphragm~ )?eventration",
    ),
}  # fmt: skip
"""Finding → phrases that name it."""

VAGUE: Mapping[str, tuple[str, ...]] = {
    "pleural_effusion": (
        "blunt~ ... (costophrenic|cp|lateral|posterior) (angle~|sulc~|recess~)", "(costophrenic|cp) ... blunt~",
        "blunting",
    ),
    "cardiomegaly": (
        "borderline ... (heart|cardiac)( size| silhouette| enlargement)?", "borderline cardiomegaly",
        "(heart|cardiac)( size| silhouette)?( is| appears| remains)? ... borderline( in size| enlarged)?",
        "(heart|cardiac)( size| silhouette)?( is| appears| remains)? ... upper limits? (of )?normal( in size)?",
        "upper limits? (of )?normal heart size",
    ),
}  # fmt: skip
"""Finding → phrases that only suggest it: they are read as doubt."""

_WELL = "(clear|normal|unremarkable|intact|free of disease)"
_NORMAL = "(normal|unremarkable|not enlarged|not increased|within normal limits|not grossly enlarged)"
NORMAL: Mapping[tuple[str, ...], tuple[str, ...]] = {
    ("lung_opacity",): (
        "(lung~|lung fields?|lung volumes and fields)( is| are| appear| appears| remain| remains| both)? ... "
        "clear( of)?",
        "clear ... (lung~|lung fields?)", "no focal lung abnormalit~", "no focal pulmonary abnormalit~",
        "(airspace~|hemithora~)( is| are)? clear", "lungs clear",
    ),
    ("cardiomegaly",): (
        f"(heart|cardiac)( size| silhouette| shadow| contour~)?( is| are| appears| remains)? ... {_NORMAL}( in "
        "size| limits)?",
        "normal ... (heart|cardiac)( size| silhouette| shadow| contour~)?", "normal sized? heart",
        "(heart|cardiac)( size| silhouette)?( is)? (in|within) the normal range",
    ),
    ("cardiomegaly", "enlarged_cardiomediastinum"): (
        "(cardiomediastinal|(heart|cardiac)( silhouette| size)?,?( and|/) (the )?mediastin~)( silhouette~| "
        f"contour~| structures?| size)*( is| are| appear| appears| remain| remains)? ... {_NORMAL}( in size| "
        "limits)?",
        "normal ... cardiomediastinal( silhouette~| contour~)?",
    ),
    ("enlarged_cardiomediastinum",): (
        "mediastin~( silhouette~| contour~| structures?)?( is| are| appear| appears| remain| remains)? ... "
        f"{_NORMAL}( limits)?",
        "normal ... mediastin~( silhouette~| contour~)?",
    ),
    ("pleural_effusion",): (
        "(costophrenic|cp) (angle~|sulc~|recess~)( is| are| appear)? ... (sharp|clear|well defined|preserved)",
        "sharp ... (costophrenic|cp) (angle~|sulc~)",
    ),
    ("pleural_effusion", "pneumothorax"): (
        "pleural (space~|surface~|cavit~)( is| are)? ... (clear|normal|unremarkable)", "clear pleural space~",
    ),
    ("edema",): (
        "(pulmonary )?(vascularity|vasculature|vascular markings?|vessels)( is| are| appears| appear)? ... "
        "(normal|unremarkable|within normal limits)( limits)?",
        "normal ... (pulmonary )?(vascularity|vasculature)",
        "pulmonary vascular(ity| engorgement)( is| are| appears?)? within ... (normal|limits of normal)",
    ),
    ("fracture",): (
        "(bones?|osseous structures?|ribs?|bony (structures?|thorax)|skeletal structures?)( is| are| appear)? "
        "... (intact|unremarkable|normal)",
        "no (acute )?(osseous|bony|bone|skeletal) (abnormalit~|finding~|lesion~)",
    ),
}  # fmt: skip
"""Findings → phrases that say there is none of them."""

HEALTHY = (
    "no (acute |active |significant |evidence of |definite |visible |other |new |radiographic |evidence for |"
    "xxxx )*(cardiopulmonary|cardiac|pulmonary|chest|thoracic|intrathoracic|cardiothoracic|radiographic) "
    "(abnormalit~|process~|disease~|finding~|patholog~|change~)",
    "no (acute |active |significant |visible )*(abnormalit~|disease~|finding~|process~|patholog~)",
    "(normal|unremarkable|negative|healthy) (pa |ap |frontal |two view |2 view |portable )*(chest|film|study|"
    "radiograph~|x ray~|xray|examination|exam|cxr)( radiograph~| x ray~| x~ray| film| examination)?",
    "(chest|film|study|radiograph~|x ray|examination|exam|cxr)( is| was)? ... (normal|unremarkable|within normal "
    "limits)",
    "nothing (abnormal|acute)", "without (acute )?(abnormalit~|disease|cardiopulmonary (disease|abnormalit~))",
    r"(?:^|(?<=^not\x20))(normal|unremarkable|healthy)(?=\W*$)",
)  # fmt: skip
"""Phrases that say there is nothing at all: ``no_finding``, present."""

NAMES: Mapping[str, str] = {
    "edema": "pulmonary edema", "lung_lesion": "lung nodule", "pleural_other": "pleural thickening",
    "enlarged_cardiomediastinum": "widened mediastinum", "support_devices": "support device",
    "no_finding": "normal chest",
    "fracture": "rib fracture", "hernia": "hiatal hernia", "fibrosis": "pulmonary fibrosis",
}  # fmt: skip
"""Finding → what it is called in a sentence, where its key is no such name."""

MIDLINE = frozenset({"cardiomegaly", "enlarged_cardiomediastinum", "edema", "emphysema", "no_finding", "fibrosis",
                     "pneumomediastinum", "pericardial_effusion", "scoliosis", "tortuous_aorta"})  # fmt: skip
"""Findings that do not lie on one side: they take none from their neighbours."""


def name_of(finding: str) -> str:
    """``pleural_effusion`` → ``pleural effusion``."""
    return NAMES.get(finding, finding.replace("_", " "))
