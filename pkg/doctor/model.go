package doctor

import (
	"fmt"
	"time"
)

func (r *report) lag(f *Facts) {
	switch {
	case f.Lag.Err != nil:
		r.bad(Unknown, "lag", f.Kafka.GroupName, f.Lag.Err.Error(), "how late accounts are scored is not known", "tidemark lag")
	case f.Lag.Level == OK:
		r.ok("lag", f.Kafka.GroupName, "%s", f.Lag.What)
	default:
		r.bad(f.Lag.Level, "lag", f.Kafka.GroupName, f.Lag.What, "accounts are scored late", f.Lag.Do)
	}
}

func (r *report) model(f *Facts) {
	m := &f.Model
	if m.Err != nil {
		r.bad(Fail, "model", "model", m.Err.Error(), "serve does not start with it", "tidemark model check")
	} else {
		r.review(f)
		r.inForce(m)
	}
	if f.PeopleKeyed {
		r.ok("people.secret", "people", "set")
	} else {
		r.bad(Warn, "people.secret", "people", "not set", "who reads Redis can try e-mail addresses on the hashes of contacts",
			"set people.secret_file before the first start: openssl rand -hex 32\nlater it takes `tidemark rebuild --switch`")
	}
}

func (r *report) review(f *Facts) {
	m := &f.Model
	switch due := m.Reviewed.Add(m.Every); {
	case m.Reviewed.IsZero() || m.Every == 0:
		r.bad(Warn, "model.review", m.Name, "the model does not say when it was reviewed, or how often it should be", "an ICP of last year describes last year's customers", "add reviewed and review_every to the model")
	case f.Now.After(due):
		r.bad(Warn, "model.review", m.Name, fmt.Sprintf("reviewed on %s, due since %s", m.Reviewed.Format(time.DateOnly), due.Format(time.DateOnly)),
			"an ICP of last year describes last year's customers", "review it with sales, then set reviewed in the model: tidemark model check")
	default:
		r.ok("model.review", m.Name, "reviewed on %s, due on %s", m.Reviewed.Format(time.DateOnly), due.Format(time.DateOnly))
	}
	if m.Warnings > 0 {
		r.bad(Warn, "model.advice", m.Name, fmt.Sprintf("%d warnings", m.Warnings), "what is allowed is not always meant", "tidemark model check")
	}
}

func (r *report) inForce(m *Model) {
	switch m.InForce {
	case "":
		r.ok("model.in_force", m.Name, "no model is in force yet")
	case m.Hash:
		r.ok("model.in_force", m.Name, "in force")
	default:
		r.bad(Warn, "model.in_force", m.Name, "another model is in force than the configured one", "the next instance that starts puts all accounts under the configured model, and ends the others",
			"tidemark model show, beside the model of the running instances; start all instances with the same file")
	}
}
