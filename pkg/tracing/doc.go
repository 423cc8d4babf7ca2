// Package tracing follows events from the record that they came in to the tier change
// that they led to, as spans of OpenTelemetry, and sends these to a collector by
// OTLP over HTTP.
//
// It promises never to wait for the collector: what it does not take, or takes too
// slowly, is dropped and counted, and an outage is two lines of log. A process
// without a Tracer does nothing for all this. It leaves to others where the trace
// context comes from and goes to: headers of Kafka's records are pkg/app's.
// OpenTelemetry's SDK has its home here. The API is internal and may change.
package tracing
