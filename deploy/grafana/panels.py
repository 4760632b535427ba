"""What all dashboards are made of: graphs and numbers over Prometheus, and their frame."""

from collections.abc import Sequence
from string import ascii_uppercase

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models

Panel = timeseries.Panel | stat.Panel
Query = tuple[str, str]  # an expression, and its legend

SOURCE = models.DataSourceRef(type_val="prometheus", uid="${datasource}")
SECONDS, RATIO, BYTES, COUNT = "s", "percentunit", "bytes", "short"
PER_SECOND, PER_MINUTE = "reqps", "cpm"


def quantile(share: float, histogram: str, by: str = "", selector: str = "") -> str:
    """The expression of a quantile of `histogram`, for each value of the label `by`."""
    labels = f"le, {by}" if by else "le"
    rate = f"rate({histogram}_bucket{selector}[$__rate_interval])"
    return f"histogram_quantile({share}, sum by ({labels}) ({rate}))"


def quantiles(histogram: str, selector: str = "") -> list[Query]:
    """Its middle and its slow end."""
    return [
        (quantile(share, histogram, selector=selector), f"p{share * 100:.0f}")
        for share in (0.5, 0.95, 0.99)
    ]


def mean(histogram: str, by: str = "") -> str:
    """The expression of a histogram's mean, for each value of the label `by`."""
    group = f" by ({by})" if by else ""
    over, count = (f"rate({histogram}_{part}[$__rate_interval])" for part in ("sum", "count"))
    return f"sum{group} ({over}) / sum{group} ({count})"


def rate(counter: str, by: str = "", per_minute: bool = False) -> str:
    """The expression of a counter's speed over all processes, for each value of the label `by`."""
    group = f" by ({by})" if by else ""
    return f"sum{group} (rate({counter}[$__rate_interval])){' * 60' if per_minute else ''}"


def graph(
    title: str, description: str, unit: str, queries: Sequence[Query], *, stacked: bool = False
) -> timeseries.Panel:
    """Lines over time, half the page wide."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(description)
        .unit(unit)
        .datasource(SOURCE)
        .min(0)
        .span(12)
        .height(8)
        .fill_opacity(30 if stacked else 8)
        .legend(
            common.VizLegendOptions()
            .display_mode(common_models.LegendDisplayMode.LIST)
            .placement(common_models.LegendPlacement.BOTTOM)
            .show_legend(True)
        )
        .tooltip(common.VizTooltipOptions().mode(common_models.TooltipDisplayMode.MULTI))
    )
    if stacked:
        panel = panel.stacking(common.StackingConfig().mode(common_models.StackingMode.NORMAL))
    for letter, (expression, legend) in zip(ascii_uppercase, queries, strict=False):
        panel = panel.with_target(_query(expression, legend, letter))
    return panel


def number(title: str, description: str, unit: str, expression: str) -> stat.Panel:
    """The newest value, six to a row."""
    return (
        stat.Panel()
        .title(title)
        .description(description)
        .unit(unit)
        .datasource(SOURCE)
        .span(4)
        .height(4)
        .no_value("none yet")
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .with_target(_query(expression, title, "A"))
    )


def page(uid: str, title: str, description: str, panels: Sequence[Panel]) -> models.Dashboard:
    """A whole dashboard; who looks at it chooses the Prometheus."""
    builder = (
        dashboard.Dashboard(f"Tessera / {title}")
        .uid(f"tessera-{uid}")
        .description(description)
        .tags(["tessera"])
        .readonly()
        .refresh("10s")
        .time("now-1h", "now")
        .timezone("browser")
        .link(
            dashboard.DashboardLink("Tessera")
            .type(models.DashboardLinkType.DASHBOARDS)
            .tags(["tessera"])
            .as_dropdown(True)
            .keep_time(True)
        )
        .with_variable(
            dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus")
        )
    )
    for number_of_panel, panel in enumerate(panels, start=1):
        builder = builder.with_panel(panel.id(number_of_panel))
    return builder.build()


def _query(expression: str, legend: str, letter: str) -> prometheus.Dataquery:
    query = prometheus.Dataquery().expr(expression).legend_format(legend)
    return query.datasource(SOURCE).ref_id(letter)
