package main

import (
	"runtime/debug"
	"slices"
	"strings"
)

// How much garbage may lie for each byte in use, in percent.
const (
	// batchGC: collecting took a third of a batch job's time at Go's usual 100.
	batchGC = 400
	// serveGC keeps serve with 200,000 accounts below 300 MB. A backlog leaves so little
	// garbage that collecting it sooner costs next to nothing.
	serveGC = 55
)

// collectAt has the collector begin at so much garbage, until restore. GOGC in the
// environment, which the runtime has read, is left as it is.
func collectAt(environ []string, percent int) (restore func()) {
	if slices.ContainsFunc(environ, func(v string) bool { return strings.HasPrefix(v, "GOGC=") }) {
		return func() {}
	}
	before := debug.SetGCPercent(percent)
	return func() { debug.SetGCPercent(before) }
}
