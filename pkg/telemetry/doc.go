// Package telemetry holds the shapes of figures that Prometheus's client has not:
// a histogram that takes a whole batch at the cost of one observation. It imports
// nothing of Tidemark's. Its API is internal and may change.
package telemetry
