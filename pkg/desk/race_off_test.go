//go:build !race

package desk_test

// fortnights is how many are simulated by default.
const fortnights = 2
