"""The vocabulary of phantom reports: several names for everything, and the words for size and side.

``UNSEEN`` wordings never enter training: they test that a text tower learned words, not templates.
"""

NOUNS: dict[str, tuple[str, ...]] = {
    "effusion": ("pleural effusion", "effusion", "pleural fluid", "fluid in the pleural space", "hydrothorax",
                 "pleural fluid collection", "layering pleural effusion", "pleural liquid"),
    "consolidation": ("consolidation", "airspace opacity", "pneumonia", "airspace consolidation", "focal opacity",
                      "infiltrate", "air space disease", "lobar consolidation", "lower lung opacity"),
    "pneumothorax": ("pneumothorax", "pleural air", "air in the pleural space", "collapsed lung", "ptx",
                     "extrapleural free air",
        "free pleural air",
        "free air", "lung collapse with pleural air"),
    "atelectasis": ("atelectasis", "linear atelectasis", "basilar atelectasis", "plate-like atelectasis",
                    "subsegmental atelectasis", "band-like opacity", "volume loss", "discoid atelectasis"),
    "nodule": ("nodule", "pulmonary nodule", "lung nodule", "rounded opacity", "lung mass", "mass", "coin lesion",
               "nodular opacity", "lung lesion", "pulmonary mass"),
    "cardiomegaly": ("cardiomegaly", "enlarged heart", "cardiac enlargement", "enlarged cardiac silhouette",
                     "enlargement of the heart", "big heart", "increased heart size", "cardiac silhouette enlargement"),
    "edema": ("pulmonary edema", "edema", "interstitial edema", "vascular congestion", "pulmonary vascular congestion",
              "fluid overload", "perihilar haze", "congestive heart failure", "pulmonary oedema"),
    "emphysema": ("emphysema", "hyperinflation", "hyperinflated lungs", "copd", "flattened diaphragms",
                  "hyperexpanded lungs", "emphysematous change", "chronic obstructive pulmonary disease"),
    "pacemaker": ("pacemaker", "cardiac pacemaker", "pacemaker with leads", "pacer", "dual chamber pacemaker",
                  "pulse generator", "cardiac device", "pacing leads"),
    "ett": ("endotracheal tube", "et tube", "ett", "breathing tube", "endotracheal tube in the trachea"),
    "cvc": ("central venous catheter", "central line", "central venous line", "cvc", "venous catheter",
            "internal jugular catheter", "central catheter"),
    "sternotomy": ("sternotomy wires", "sternal wires", "median sternotomy", "median sternotomy wires", "sternotomy",
                   "wires of a sternotomy"),
    "device": ("support device", "device", "medical hardware", "line or tube", "implanted device", "lines and tubes"),
}  # fmt: skip

UNSEEN: dict[str, tuple[str, ...]] = {
    "effusion": ("collection of fluid in the pleural space", "layering fluid"),
    "consolidation": ("opacity of the airspace", "focal pneumonia"),
    "pneumothorax": ("free air in the pleural space", "collapse of the lung with free pleural air"),
    "atelectasis": ("plate-like opacity with volume loss", "linear band-like atelectasis"),
    "nodule": ("rounded lesion", "nodular lung lesion"),
    "cardiomegaly": ("the heart is enlarged", "increased size of the cardiac silhouette"),
    "edema": ("interstitial fluid overload", "congestion with perihilar edema"),
    "emphysema": ("obstructive disease with hyperinflation", "hyperinflated emphysematous lungs"),
    "pacemaker": ("dual chamber cardiac device with leads", "generator and pacing leads"),
    "ett": ("tube in the trachea", "endotracheal breathing tube"),
    "cvc": ("jugular venous line", "central jugular line"),
    "sternotomy": ("median wires", "wires after sternotomy"),
}

# Words for (small, moderate, large); a finding of grades prefers the second set, one of sizes the first.
SIZES = {
    "small": ("small", "tiny", "minimal", "trace", "little", "slight"),
    "moderate": ("moderate", "moderate-sized", "medium", "moderately large"),
    "large": ("large", "massive", "big", "extensive", "very large", "huge"),
}
GRADES = {
    "small": ("mild", "slight", "minor", "minimal", "mildly prominent"),
    "moderate": ("moderate", "moderately severe", "medium"),
    "large": ("severe", "marked", "extensive", "gross", "massive"),
}
SIZED = frozenset({"effusion", "pneumothorax", "nodule"})

SIDE_PATTERNS = (  # {n} noun, {s} size (may be empty), {d} side
    "{s} {d} {n}", "{d} {s} {n}", "{d}-sided {s} {n}", "{s} {n} on the {d}", "{s} {n} on the {d} side",
    "{s} {n} in the {d} lung", "{s} {n} in the {d} hemithorax", "{n} on the {d}, {s}", "{s} {d} {n}", "{s} {d} {n}",
    "{s} {n} at the {d} base", "{s} {n}, {d}",
)  # fmt: skip
SIDE_SENTENCES = (
    "on the {d} there is {x}",
    "{d} lung: {x}",
    "{d} chest with {x}",
    "on the {d}, {x}",
    "the {d} side shows {x}",
    "{d} hemithorax with {x}",
)
BOTH_PATTERNS = (
    "bilateral {s} {n}", "{s} bilateral {n}", "{s} {n} bilaterally", "{s} {n} on both sides",
    "{s} {n} in both lungs", "{s} right and left {n}", "both right and left {n}, {s}",
)  # fmt: skip
PLAIN_PATTERNS = ("{s} {n}", "{s} {n}", "{n}, {s}", "{s} {n} is present")

POSITIVE_FRAMES = (
    "{x}", "{x}", "{x}", "there is {x}", "{x} is seen", "{x} is present", "{x} is noted", "{x} is identified",
    "findings of {x}", "evidence of {x}", "again seen is {x}", "stable {x}", "new {x}", "unchanged {x}",
    "shows {x}", "demonstrates {x}", "x-ray with {x}", "chest x-ray showing {x}", "patient with {x}", "film with {x}",
    "persistent {x}", "{x} as before", "appearance consistent with {x}", "image of {x}",
)  # fmt: skip
NEGATIVE_FRAMES = (
    "no {x}", "no {x}", "no {x}", "no {x}", "there is no {x}", "no evidence of {x}", "without {x}", "{x} is absent",
    "negative for {x}", "free of {x}", "no {x} is seen", "no {x} is identified", "without evidence of {x}",
    "absence of {x}", "no visible {x}", "no appreciable {x}", "not {x}", "{x} is not seen", "no definite {x}",
    "there are no signs of {x}", "{x} has resolved", "resolution of {x}",
)  # fmt: skip
HEDGED_FRAMES = (
    "possible {x}",
    "questionable {x}",
    "{x} cannot be excluded",
    "may represent {x}",
    "equivocal {x}",
    "suspected {x}",
)

CLEAR_LUNGS = (
    "the lungs are clear",
    "lungs are clear",
    "clear lungs",
    "both lungs are clear",
    "lung fields are clear",
    "no focal lung abnormality",
    "lungs clear bilaterally",
)
NORMAL_HEART = (
    "heart size is normal",
    "normal heart size",
    "the heart is normal in size",
    "normal cardiac silhouette",
    "the heart is not enlarged",
    "cardiac silhouette is not enlarged",
    "cardiac size within normal limits",
)
NORMAL = (
    "normal chest radiograph",
    "normal chest",
    "no acute cardiopulmonary abnormality",
    "normal film",
    "no acute cardiopulmonary process",
    "unremarkable chest",
    "no abnormality",
    "normal study",
    "no findings",
    "no acute disease",
    "normal chest x-ray",
    "healthy chest",
    "normal",
    "nothing abnormal",
)
CLEAR_PLEURA = (
    "no effusion or pneumothorax",
    "no pleural effusion or pneumothorax",
    "pleural spaces are clear",
    "no pneumothorax or pleural effusion",
    "costophrenic angles are sharp and no pneumothorax",
)
NO_DEVICE = (
    "no support devices",
    "no lines or tubes",
    "no device",
    "no hardware",
    "without devices",
    "no medical device",
    "no implanted devices",
    "no tubes, lines or devices",
)
VIEWS = {
    "PA": (
        "PA view",
        "upright PA view",
        "PA chest radiograph",
        "PA",
        "upright PA",
        "posteroanterior view",
        "erect PA film",
    ),
    "AP": (
        "AP portable view",
        "portable AP chest radiograph",
        "AP",
        "portable",
        "bedside film",
        "AP view",
        "portable chest radiograph",
        "anteroposterior view",
    ),
    "LATERAL": (
        "lateral view",
        "lateral chest radiograph",
        "lateral",
        "lateral projection",
        "side view",
        "lateral film",
    ),
    "FRONTAL": ("frontal view", "frontal chest radiograph", "frontal", "frontal projection"),
}
SEXES = {"F": ("woman", "female", "female patient", "in a woman"), "M": ("man", "male", "male patient", "in a man")}
FILLERS = (
    "the bones are intact", "no acute osseous abnormality", "mediastinal contours are unremarkable",
    "visualized upper abdomen is unremarkable", "comparison is made to the prior study", "no comparison available",
    "the trachea is midline", "osseous structures are unremarkable", "clinical correlation is recommended",
    "hilar contours are stable", "soft tissues are unremarkable", "no air beneath the diaphragm",
    "follow up after treatment as clinically indicated", "degenerative changes of the spine", "aorta is tortuous",
    "no displaced rib fracture", "findings discussed by telephone", "technically adequate study",
)  # fmt: skip
LISTS = (
    ("consolidation", "effusion", "pneumothorax"),
    ("effusion", "pneumothorax"),
    ("consolidation", "edema"),
    ("consolidation", "effusion"),
    ("edema", "effusion"),
    ("nodule", "consolidation"),
    ("pneumothorax", "consolidation"),
    ("effusion", "pneumothorax", "edema"),
    ("ett", "cvc"),
    ("cardiomegaly", "edema"),
    ("atelectasis", "consolidation"),
)
