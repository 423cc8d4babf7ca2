//go:build race

package scoring_test

// underRace is a divisor for how many histories are drawn: the race detector makes
// each some ten times slower, and nothing here runs concurrently but the tests.
const underRace = 20
