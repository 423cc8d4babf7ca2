package offline

import "tidemark/scoring"

// Outcomes has take called with each outcome event, whose account is the one that it is
// of then. It is called by several goroutines, and must be asked for before Event.
func (r *Runner) Outcomes(take func(*scoring.Event)) { r.outcome = take }

// Heir is the account that an account was merged into, or itself. It is for after Finish.
func (r *Runner) Heir(account string) string {
	way := r.way(account)
	return way[len(way)-1]
}
