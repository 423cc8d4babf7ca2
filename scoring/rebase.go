package scoring

// Rebase gives an account that was scored anew from its whole history the numbers
// of what was published of it before: the latest tier change had this seq and took
// it to this tier (0 and "" if there was none). Where the history leads to another
// tier, a crossing at instant t, or at the clock if that is later, says so to
// subscribers, under the next seq. The state keeps the history's own instants.
func (m *Model) Rebase(a *Account, seq uint64, tier string, t int64) Outcome {
	before := a.Seq
	a.Seq = seq
	if tier == "" {
		tier = m.LastTier()
	}
	out := Outcome{Changed: before != seq}
	if m.Tier(a) == tier {
		return out
	}
	if a.Begun {
		t = max(t, a.Clock)
	}
	a.Seq++
	out.Changed = before != a.Seq
	f := out.folio()
	out.add(m, a, m.correction(a, tier, t, f), f)
	return out
}

// correction is the crossing from the tier that subscribers believe in to the true
// one.
func (m *Model) correction(a *Account, from string, t int64, f *folio) Crossing {
	r := m.borrow()
	defer m.lend(r)
	m.read(r, a, t)
	to := &m.tiers[m.tier(a)]
	x := Crossing{
		Seq: a.Seq, At: t, From: from, To: to.name, MQA: to.mqa, Score: r.score,
		Cause: Cause{Kind: CauseRebuild}, Receipt: m.receipt(a, r, f), Profile: a.profile, Model: m,
	}
	// A tier that this model does not have counts as the last.
	old := m.last()
	for i := range m.tiers {
		if m.tiers[i].name == from {
			old = i
		}
	}
	x.Up = m.tier(a) < old
	x.MQA = to.mqa && !m.tiers[old].mqa
	figure := to.min
	if !x.Up {
		figure = m.tiers[old].min - m.tiers[old].hysteresis
	}
	if x.Up || r.score < figure {
		x.Threshold = &figure
	}
	return x
}
