//go:build race

package desk_test

// fortnights is how many are simulated by default: under the race detector each takes a
// minute, and it sees in one what it would see in two.
const fortnights = 1
