// Package traffic makes up the demo's world: firms, the people in them, and what
// those people do, day by day.
//
// It promises that a [World] is a function of its seed: the same seed and number
// of firms give the same events, whatever the speed and whenever they are asked
// for. Each firm plays a [Persona], whose highest tier under the reference model is
// known and tested. Time is counted from the world's beginning, a Monday at
// midnight UTC; people work on weekdays, in their region's hours.
//
// [Clock] is the time-lapse and [Pacer] publishes a world's events as it runs.
// The package is for the demo and for tests; its API is not stable.
package traffic
