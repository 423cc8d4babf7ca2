// Package helm holds the chart for Kubernetes. Its tests hold it against the alert
// rules, the reference configuration and, by helm itself (`make test-chart`), the
// schema of its values. There is no API.
package helm

//go:generate cp ../prometheus/rules.yaml tidemark/files/rules.yaml
