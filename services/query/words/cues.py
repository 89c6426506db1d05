"""The small words around findings: denial, doubt, what only looks like denial, where a scope ends, sides and sizes.

In the manner of NegEx (Chapman et al. 2001) and of CheXpert's three stages (Irvin et al. 2019); the phrases are Hilum's
own, written as `scan.pattern` reads them.
"""

from __future__ import annotations

from collections.abc import Mapping

DENIED = (
    "no", "not", "without", "w/o", "never", "nor", "neither", "none", "absen(t|ce of)", "lack(s|ing)?( of)?",
    "negative for", "neg for", "-ve for", "free of", "free from", "clear of", "devoid of", "den(y|ies|ied)",
    "rather than", "instead of",
    "(no|without|not)( any)?( definite| convincing| radiographic| significant| clear| obvious| appreciable| "
    "visible| acute)*( (evidence|sign|signs|suggestion|indication|findings?|features|appearance|xxxx) (of|for|to "
    "suggest)( an?)?)",
    "(interval |complete )*(resolution|clearing|removal|disappearance) of", "(interval )?(resolved|cleared|removed)",
    "exclud(es|ing)", "rul(es|ed|ing) out", "exclusion of",
    "(isn't|aren't|doesn't|don't|hasn't|wasn't|can't see|cannot see)", "no longer",
    "fails? to (show|reveal|demonstrate)", "anything but", "except(ing)?", "apart from", "other than", "but no",
    "minus",
)  # fmt: skip
"""Denies what follows."""

_SEEN = (
    "(seen|identified|present|visuali[sz]ed|demonstrated|noted|evident|appreciated|detected|found|observed|shown|"
    "visible|apparent|there)"
)
DENIED_AFTER = (
    "((is|are|was|were|has|have) )?(not|never|no longer)( been)?( clearly| definitely| definitively| currently)? "
    f"{_SEEN}",
    "((is|are|was|were) )?absent",
    "((has|have|had|is|are) )?((now|since|completely|totally) )*(resolved|cleared|disappeared|gone)",
    "(is|are) no more", "(has|have)( since| now)? been (removed|excluded|ruled out)",
    "(is|are|was|were) (removed|excluded|ruled out|negative|resolved|gone|cleared)", "ruled out",
    "(isn't|aren't|wasn't) (seen|present|there|visible)", "not present", "negative", "has been taken out",
)  # fmt: skip
"""Denies what stands before it."""

DOUBTED = (
    "possib(le|ly|ility)( of)?", "probabl(e|y)", "likely", "presum(ed|ably)",
    "(may|might|could)( also)?( be| represent| reflect| indicate| suggest)?( due to| secondary to| related to)?",
    "perhaps", "maybe", "question(able|ably|ed|ing)?( of)?", "equivocal( for)?", "suspect(ed)?",
    "suspicio(n|us)( of| for)?",
    "(cannot|can not|can't|could not|unable to|difficult to|hard to|not possible to)( be| entirely| completely| "
    "reliably| fully| definitively)* (exclud~|rule out|ruled out)",
    "(does|do|did) not( entirely)? (exclude|rule out)",
    "(concern(ing)?|worrisome|worry|query|evaluate|evaluation|assess|look|check|screen(ing)?)( for| of)", "rule out",
    "r/o", "versus", "vs", "differential( diagnosis| considerations?)?( (includes?|including))?",
    "correlat(e|ion)( clinically)?( for| with| as to)?", "unlikely", "less likely", "doubtful", "doubt",
    "suggest(s|ive|ing|ion)?( of)?", "cannot tell", "not necessarily", "unclear( whether| if)?", "uncertain",
    "apparent", "should be considered", "consider(ation)?( of)?", "potential(ly)?", "borderline",
)  # fmt: skip
"""Doubts what follows."""

DOUBTED_AFTER = (
    "(cannot|can not|can't|could not|may not)( be)?( entirely| completely| fully| reliably| definitively)* (be "
    ")?([a-z]+ly )?(excluded|ruled out)",
    "((is|are|was|were) )?not( entirely| [a-z]+ly)* (excluded|ruled out)",
    "(is|are|remains?) (possible|suspected|questioned|questionable|not excluded|likely|probable|unlikely|"
    "uncertain|equivocal|unclear|doubtful|a concern|a possibility|considered)",
    "(may|might|could) be (present|there)", "(is|are) in the differential", "suspected", "questioned",
    "would be a consideration", "should be considered",
)  # fmt: skip
"""Doubts what stands before it."""

NO_DENIAL = (
    "(no|not|without)( any)?( significant| definite| interval| substantial| appreciable| obvious| acute| "
    "convincing| real| further| major| much)* (change~|(increase|enlargement|growth) in|decrease~|improve~|"
    "worsen~|progress~|difference|resolution|clearing|larger|smaller|worse|better|reduction)( in| of| from| "
    "to)?( the)?( size of| appearance of| extent of)?( the)?",
    "(has|have|is|are) not( yet| fully| completely| entirely)* (resolved|cleared|disappeared|changed|gone|removed)",
    "not( yet| fully| completely| entirely)* (resolved|cleared|changed)", "unresolved",
    "(incomplete|partial)(ly)? (resolution|clearing|resolved|cleared)( of)?", "not only", "no doubt( of| about)?",
    "without doubt", "not (new|acute)", "no less", "unchanged",
    "(has|have) (nearly|almost|partially|partly|mostly|incompletely) (resolved|cleared)",
)  # fmt: skip
"""Looks like denial and is none."""

LINK = (
    "(consistent|compatible|associated|in keeping|concordant|seen|along|together|as) with", "as well as",
    "to suggest", "with (evidence|signs) of", "without or with", "with or without",
)  # fmt: skip
"""Goes on with what was said: no end of a scope."""

END = (
    "but", "however", "although", "though", "while", "whereas", "yet", "still", "with", "which", "because", "due to",
    "secondary to", "despite", "in addition", "otherwise", "then", "since", "until", "compared (to|with)",
    "is noted( to)?",
)  # fmt: skip
"""Ends the scope of what was denied or doubted."""

BEGIN = (
    "the", "there", "there (is|are)", "an?", "this", "these", "also", "has", "have", "shows?", "again", "new", "now",
    "only", "stable", "unchanged", "persistent", "chronic", "redemonstrated", "increased", "decreased", "improved",
    "resolving",
)  # fmt: skip
"""After a comma or *and*, begins something of its own."""

SIDES: Mapping[str, tuple[str, ...]] = {
    "bilateral": (
        "bilateral(ly)?", "(left and right|right and left|right or left|left or right)( sided)?",
        "both( the)?( (sides|lungs|bases|hemithora~|left and right|right and left|apices))?",
        "(bi)(basilar|basal|basally|apical|hilar)", "bibasilar", "bases", "each side",
        "(left|right)( sided)? (greater than|more than|worse than|larger than|less than|>|<)( the)? (left|right)",
        "either side",
    ),
    "left": ("left( sided)?", "on the left( side)?", "lll", "lul", "lt", "lingula~"),
    "right": ("right( sided)?", "on the right( side)?", "rll", "rul", "rml", "rt"),
}  # fmt: skip

SIZES: Mapping[str, tuple[str, ...]] = {
    "small": (
        "small", "tiny", "trace", "minimal(ly)?", "little", "slight(ly)?", "mild(ly)?", "minor", "minute", "subtle",
        "borderline", "early", "low grade", "faint",
    ),
    "moderate": ("moderate(ly)?( sized| severe| large)?", "medium( sized)?"),
    "large": (
        "large", "massive(ly)?", "big", "huge", "extensive", "severe(ly)?", "marked(ly)?", "gross(ly)?", "very large",
        "tension", "significant(ly)?", "substantial(ly)?", "giant", "florid", "advanced", "considerable",
    ),
}  # fmt: skip
