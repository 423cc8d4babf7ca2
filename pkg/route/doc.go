// Package route decides who acts on an MQA and by when: rules in, owners and
// deadlines out. It is pure as scoring is: time is an argument, nothing waits, nothing
// is stored or sent, and the same inputs at the same instants give the same events.
//
// A Plan is compiled from a routing file (ReadFile, Parse). A Desk is all that is
// remembered: the MQAs in hand, whose turn it is, how much each rep was given today.
// Plan.Change, Plan.Command and Plan.Tick change a Desk and return a Step: the events
// to publish and what of the Desk is to be stored. Whoever stores must do so at once
// with the position of the input, and drop the Desk where that did not happen.
//
// It promises: an open MQA has exactly one owner at every instant, an account has at
// most one MQA on the desk, no rep is given more MQAs in a local day than their cap
// (by rules; a person may insist), a queue is served best first, and a deadline that
// passed unkept is told exactly once, however often the process was killed.
//
// DESIGN.md has the reasons. The API is internal to Tidemark and may change.
package route
