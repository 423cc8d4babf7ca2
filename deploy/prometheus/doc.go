// Package prometheus holds what Prometheus needs to watch Tidemark: alert rules, their
// unit tests, and the list of all metrics (testdata/metrics.txt). Its tests hold
// the rules, the runbook (deploy/README.md), the dashboard (deploy/grafana) and
// that list against each other and against a running service.
//
// promtool comes from `make servers`. There is no API.
package prometheus
