"""The report of a run: one HTML file that needs nothing else, for the eye; metrics.json is for machines."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from services.analytics import picture
from services.analytics.atlas import NOTE, cluster_names
from services.analytics.sample import UNKNOWN, Sample

if TYPE_CHECKING:
    from services.analytics.pipeline import View

_STYLE = (Path(__file__).parent / "report.css").read_text
_PICTURES = 12  # findings drawn per model


def page(
    manifest: Mapping[str, Any],
    films: Sample,
    labels: Sequence[str],
    views: Sequence[View],
) -> str:
    """The whole document. Everything from data is escaped; there is no script in it."""
    asked = manifest["asked"]
    facts = [
        ("films", f"{manifest['films']:,}"), ("patients", f"{manifest['patients']:,}"),
        ("filter", asked["filter"] or "every film"), ("k", asked["k"]), ("seed", asked["seed"]),
        ("sample", manifest["sample_sha256"][:12]), ("made", manifest["finished_at"]),
    ]  # fmt: skip
    body = [
        f"<h1>Run {_e(manifest['run_id'][:8])}</h1><p class=note>{NOTE}</p>",
        "<dl>" + "".join(f"<div><dt>{_e(k)}</dt><dd>{_e(v)}</dd></div>" for k, v in facts) + "</dl>",
        f"<p>{_e(manifest['sample_note'])}</p>",
        _agreement(views),
        _comparison(views),
        *(_model(view, films, labels) for view in views),
        _how(manifest),
    ]
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>Hilum run {_e(manifest['run_id'][:8])}</title><style>{_STYLE()}</style></head>"
        f"<body>{''.join(body)}</body></html>"
    )


def _agreement(views: Sequence[View]) -> str:
    names = list(dict.fromkeys(label for view in views for label in view.agreement))
    if not names:
        return (
            "<h2>Neighbour agreement</h2><p>No finding is stated, present and absent, of enough films to be measured."
            " Films nobody stated anything of are unknown, not absent.</p>"
        )
    rows = []
    for label in names:
        for view in views:
            found = view.agreement.get(label)
            if found is None:
                continue
            sure = " class=sure" if found.lift_low > 0 else ""
            present = "" if label.startswith("(") or found.present is None else (
                f"{found.present:.2f} <small>by chance {found.present_chance:.2f}</small>"
            )  # fmt: skip
            rows.append(
                f"<tr><th>{_e(_words(label))}</th><td>{_e(view.spec.name)}</td><td class=n>{found.films:,}</td>"
                f"<td class=n>{found.purity:.3f} <small>{found.purity_low:.3f}–{found.purity_high:.3f}</small></td>"
                f"<td class=n>{found.chance:.3f}</td><td{sure}>{_bar(found.lift, found.lift_low, found.lift_high)}</td>"
                f"<td class=n>{present}</td></tr>"
            )
    return (
        "<h2>Neighbour agreement</h2><p>Of a film's neighbours that are of other patients and whose state is known, the"
        " share with the same state; chance is that share among all such films. Intervals are 95 %, from"
        " resampling patients. Uncertain and unknown statements are left out. Rows in parentheses are no findings:"
        " high agreement there says that the space also sorts by how or of whom a film was taken.</p><table><thead><tr>"
        "<th>label<th>model<th>films<th>agreement<th>chance<th>above chance<th>among films that have it</tr></thead><tbody>"
        + "".join(rows)
        + "</tbody></table>"
    )


def _comparison(views: Sequence[View]) -> str:
    rows = []
    for first, second in combinations(views, 2):
        against: Mapping[str, Any] = first.metrics["against"]  # type: ignore[assignment]
        for label, pair in against.get(second.spec.name, {}).items():
            sure = " class=sure" if pair["low"] > 0 or pair["high"] < 0 else ""
            rows.append(
                f"<tr><th>{_e(_words(label))}</th><td>{_e(first.spec.name)} − {_e(second.spec.name)}</td>"
                f"<td{sure}>{_bar(pair['difference'], pair['low'], pair['high'])}</td></tr>"
            )
    if not rows:
        return ""
    return (
        "<h2>Models compared</h2><p>Difference in agreement above chance on the same films, paired over the same draws of"
        " patients. With many rows, some intervals leave zero by chance alone.</p><table><thead><tr><th>label<th>models"
        f"<th>difference</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    )


def _model(view: View, films: Sample, labels: Sequence[str]) -> str:
    figures: Mapping[str, Any] = view.metrics
    first = next(iter(view.partitions.values()))
    names = sorted(set(cluster_names(first)))
    recall = f"recall {figures['recall']:.3f} on {figures['recall_films']} films"
    graph = "exact" if figures["graph"] == "exact" else recall
    stated = {name: int((films.labels[name] != UNKNOWN).sum()) for name in labels if name in films.labels}
    drawn = sorted(stated, key=lambda name: -stated[name])[:_PICTURES]
    pictures = "".join(
        f"<figure><img alt='' width=250 height=250 src='{picture.by_state(view.place, films.labels[name])}'>"
        f"<figcaption>{_e(_words(name))} <small>stated of {stated[name]:,}</small></figcaption></figure>"
        for name in drawn
    )
    clusters = "".join(
        f"<tr><td class=n>{c['resolution']:g}</td><td class=n>{c['clusters']}</td><td class=n>{c['sizes'][0]:,} … "
        f"{c['sizes'][-1]:,}</td><td class=n>{c['modularity']:.3f}</td><td class=n>{_number(c['silhouette'])}</td>"
        f"<td class=n>{_number(c['davies_bouldin'])}</td></tr>"
        for c in figures["partitions"]
    )
    purity = "".join(
        f"<tr><th>{_e(_words(label))}</th><td class=n>{p['films']:,}</td><td class=n>{_number(p['purity'])}</td>"
        f"<td class=n>{_number(p['baseline'])}</td><td class=n>{_number(p['ami'])}</td></tr>"
        for label, p in figures["partitions"][0]["labels"].items()
    )
    legend = "".join(
        f"<span><i style='background:{c}'></i>{t}</span>"
        for c, t in ((picture.PRESENT, "present"), (picture.UNCERTAIN, "uncertain"), (picture.ABSENT, "absent"),
                     (picture.UNKNOWN, "unknown"))
    )  # fmt: skip
    return (
        f"<section><h2>{_e(view.spec.name)}</h2><p><small>fingerprint {view.spec.fingerprint[:12]} · {view.spec.dim} numbers"
        f" a film · graph {graph}</small></p><div class=maps><figure><img alt='map by cluster' width=440 height=440"
        f" src='{picture.by_cluster(view.place, first.members, names)}'><figcaption>{len(names)} clusters at resolution"
        f" {next(iter(view.partitions)):g}; trustworthiness {figures['trustworthiness']:.3f}, {figures['map_neighbours_kept']:.0%} of"
        f" neighbours are neighbours on the map</figcaption></figure><div><table><thead><tr><th>resolution<th>clusters"
        f"<th>sizes<th>modularity<th>silhouette<th>Davies–Bouldin</tr></thead><tbody>{clusters}</tbody></table>"
        f"<table><thead><tr><th>label<th>films<th>cluster purity<th>one cluster<th>AMI</tr></thead><tbody>{purity}</tbody>"
        f"</table></div></div>"
        + (f"<p class=legend>{legend}</p><div class=small>{pictures}</div>" if drawn else "")
        + "<p><small>Distances between far groups on a map mean little, and the size of a group means nothing.</small></p>"
        "</section>"
    )


def _how(manifest: Mapping[str, Any]) -> str:
    software = ", ".join(f"{name} {version}" for name, version in manifest["versions"].items())
    return (
        "<h2>How it was made</h2><p>One cosine kNN graph for each model; clusters (Leiden), map (UMAP), agreement and atlas"
        f" all come from it. manifest.json holds what was asked and the hash of every part.</p><p><small>{_e(software)}</small></p>"
    )


def _bar(value: float, low: float, high: float) -> str:
    """A value with its interval on a line from −1 to 1, as inline SVG, and in figures."""
    x0, x, x1 = (60 + 58 * float(np.clip(v, -1, 1)) for v in (low, value, high))
    return (
        f'<svg width="120" height="14" role="img" aria-label="{value:+.3f}"><path d="M2 7H118" stroke="#dfe7e8"/>'
        f'<path d="M60 2V12" stroke="#9fb3b7"/><path d="M{x0:.1f} 7H{x1:.1f}" stroke="#0b6e75" stroke-width="3"/>'
        f'<circle cx="{x:.1f}" cy="7" r="3.5" fill="#0b6e75"/></svg> {value:+.3f} <small>{low:+.3f} to {high:+.3f}</small>'
    )


def _words(label: str) -> str:
    return label.replace("_", " ")


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _e(value: object) -> str:
    return html.escape(str(value))
