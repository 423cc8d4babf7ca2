package verify

import (
	"tidemark/scoring"
	"tidemark/scoring/naive"
)

// standing is where an account is by its published history.
type standing struct {
	tier    int
	entered int64
	left    []int64 // by tier
}

func (s *standing) move(to int, at int64) {
	for i := s.tier; i < to; i++ {
		s.left[i] = at
	}
	s.tier, s.entered = to, at
}

// slack keeps thresholds that are only approached from counting as crossed.
const slack = 1e-6

// verdict is rules 1 to 3 of SPEC 4 for an instant, told only what is beyond doubt:
// a figure within the slack of a threshold stays on the side where it may stay.
func (s *standing) verdict(spec scoring.Spec, at int64, r naive.Reading) int {
	for i := range s.tier {
		if at >= s.left[i]+spec.Tiers[i].Cooldown && attains(spec, i, r, slack) {
			return i
		}
	}
	tier := spec.Tiers[s.tier]
	if tier.Min == nil || at < s.entered+tier.MinDwell {
		return s.tier
	}
	if r.Score >= *tier.Min-tier.Hysteresis-slack && requires(spec, s.tier, r, -slack) {
		return s.tier
	}
	to := s.tier + 1
	for !attains(spec, to, r, 0) {
		to++
	}
	return to
}

func attains(spec scoring.Spec, i int, r naive.Reading, margin float64) bool {
	tier := spec.Tiers[i]
	return tier.Min == nil || r.Score >= *tier.Min+margin && requires(spec, i, r, margin)
}

func requires(spec scoring.Spec, i int, r naive.Reading, margin float64) bool {
	need := spec.Tiers[i].Requires
	if r.People < need.People || r.Roles < need.Roles {
		return false
	}
	for _, f := range need.Groups {
		for g, group := range spec.Groups {
			if group.Name == f.Group && r.Groups[g] < f.Min+margin {
				return false
			}
		}
	}
	return true
}
