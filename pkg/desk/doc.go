// Package desk runs a route.Desk upon a store: it loads, lets the rules take an input
// in, and stores what that did in one piece: MQAs, timers, the queue, the position of
// the input, and the events to publish.
//
// It promises that each tier change, command and timer takes effect exactly once,
// however often the process is killed and however many processes try: a commit names
// the commit that it builds on, and is refused where another came in between; then
// the input is taken in again upon what is stored now. Processes need no lease for
// that; one saves them from doing the work twice.
//
// It does not read or write Kafka, and keeps no clock of its own. The API is internal
// to Tidemark and may change.
package desk
