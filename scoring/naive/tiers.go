package naive

import "tidemark/scoring"

// slack: by time alone a threshold must be passed by more than this.
const slack = 1e-9

// atLeast reports whether a figure is at or above a threshold. By time alone
// (before is the figure at the account's clock) it changes sides only by passing
// the threshold by more than the slack.
func atLeast(now float64, before *float64, threshold float64) bool {
	switch {
	case before == nil:
		return now >= threshold
	case *before >= threshold:
		return now >= threshold-slack
	default:
		return now > threshold+slack
	}
}

// verdict is rules 1 to 3 of SPEC 4 at instant t: the tier to be in, and the
// score's threshold that decided (nil where a requirement did). The base is the
// reading at the account's clock where only time has passed since, else nil.
func (a *Account) verdict(t int64, r Reading, base *Reading) (int, *float64) {
	tiers, c := a.m.spec.Tiers, a.tier
	for i := range c {
		if a.attains(i, t, r, base) {
			return i, tiers[i].Min
		}
	}
	if c == len(tiers)-1 {
		return c, nil
	}
	floor := *tiers[c].Min - tiers[c].Hysteresis
	low := !atLeast(r.Score, score(base), floor)
	if !low && a.requires(c, r, base) || t < a.entered+tiers[c].MinDwell {
		return c, nil
	}
	to := c + 1
	for !a.attains(to, t, r, base) {
		to++
	}
	if low {
		return to, &floor
	}
	return to, nil
}

func score(base *Reading) *float64 {
	if base == nil {
		return nil
	}
	return &base.Score
}

func (a *Account) attains(i int, t int64, r Reading, base *Reading) bool {
	tier := a.m.spec.Tiers[i]
	if tier.Min == nil {
		return true
	}
	if i < a.tier && t < a.left[i]+tier.Cooldown {
		return false
	}
	return atLeast(r.Score, score(base), *tier.Min) && a.requires(i, r, base)
}

func (a *Account) requires(i int, r Reading, base *Reading) bool {
	need := a.m.spec.Tiers[i].Requires
	if r.People < need.People || r.Roles < need.Roles {
		return false
	}
	for _, f := range need.Groups {
		g := groupOf(a.m.spec, f.Group)
		var before *float64
		if base != nil {
			before = &base.Groups[g]
		}
		if !atLeast(r.Groups[g], before, f.Min) {
			return false
		}
	}
	return true
}

func groupOf(spec scoring.Spec, name string) int {
	for g, x := range spec.Groups {
		if x.Name == name {
			return g
		}
	}
	return -1
}
