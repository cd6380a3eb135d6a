"""The queries of the dashboard of Grafana, evaluated by a Prometheus that has read what cronward wrote."""

import json
import re

from report import equal
from scenario_examples import example


def queries():
    """Of each panel its title and the expressions behind it, with all hosts and jobs chosen."""
    dashboard = json.loads(example("grafana-dashboard.json"))
    chosen = lambda text: text.replace("$instance", ".*").replace("$task", ".*")
    return {
        panel["title"]: {target["refId"]: chosen(target["expr"]) for target in panel["targets"]}
        for panel in dashboard["panels"]
    }, {
        variable["name"]: chosen(variable["query"])
        for variable in dashboard["templating"]["list"]
        if variable["type"] == "query"
    }


def check_dashboard(check, jobs):
    """Every query has an answer, and it is the right one of a job that has just run."""
    panels, variables = queries()
    value = jobs.prometheus.value

    with check("the dashboard counts alerts, failures, hosts that nobody watches and histories that cannot be read"):
        jobs.check()
        equal(jobs.run("board", "exit 0"), 0, "status")
        jobs.until("the success", 'cronward_runs_total{task="board",outcome="ok"}', 1.0)
        before = {title: value(panels[title]["A"]) for title in ("Open alerts", "Failures within a day")}
        equal(jobs.run("board", "exit 3"), 3, "status")
        jobs.until("the alert", panels["Open alerts"]["A"], before["Open alerts"] + 1)
        jobs.until("no host without a check", panels["Hosts that nobody watches"]["A"], 0.0)
        equal(value(panels["Histories that cannot be read"]["A"]), 0.0, "histories")
        failures = value(panels["Failures within a day"]["A"])
        # Prometheus makes up for the time that it has not seen, so that it is no whole number of runs.
        assert failures > before["Failures within a day"], f"{failures} after {before}"

    with check("the table of the dashboard has a line for each job, with every column"):
        found = {}
        for column, expression in panels["Jobs"].items():
            series = jobs.prometheus.query(expression)
            assert series, f"nothing for {expression}"
            [found[column]] = [(labels, number) for labels, number in series if labels["task"] == "board"]
        equal(found["A"][0]["outcome"], "failed", "last outcome")
        equal((found["D"][1], found["F"][1]), (1.0, 1.0), "failures in a row, and the alert")
        assert 0 <= found["B"][1] < 60 and 0 < found["C"][1] < 60 and 0 <= found["E"][1] < 60 and found["G"][1] > 0, found
        for labels, _ in found.values():
            equal(labels["instance"], found["A"][0]["instance"], "host")

    with check("every other panel of the dashboard has something to show, and each legend its labels"):
        dashboard = json.loads(example("grafana-dashboard.json"))
        legends = {
            panel["title"]: re.findall(r"\{\{(\w+)\}\}", panel["targets"][0].get("legendFormat", ""))
            for panel in dashboard["panels"]
        }
        for title, expressions in panels.items():
            for expression in expressions.values():
                series = jobs.prometheus.query(expression)
                assert series, f"'{title}' shows nothing: {expression}"
                missing = [name for name in legends[title] for labels, _ in series if name not in labels]
                equal(missing, [], f"labels that '{title}' lacks")

    with check("the variables of the dashboard offer the hosts and the jobs"):
        for name, query in variables.items():
            metric, label = re.fullmatch(r"label_values\((.+), (\w+)\)", query).groups()
            equal(label, name, "label")
            values = jobs.prometheus.api(f"label/{label}/values", **{"match[]": metric})
            assert ("board" in values) == (label == "task") and values, values
    equal(jobs.run("board", "exit 0"), 0, "status")
