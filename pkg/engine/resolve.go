package engine

import (
	"context"

	"tidemark/pkg/domain"
	"tidemark/scoring"
)

// part is how many inputs of a round may run together.
type part struct {
	n int
	// loose is true when inputs that came with a domain only are among those
	// before, and who has a domain may change with the next: all shards must stand
	// past them then, or a repeat after a crash could find another account.
	loose bool
	// joins is true when the first input may say who is who, and now is the time.
	joins bool
}

// part resolves the accounts of the inputs that may run now. An input that needs
// the aliases waits until the profiles before it are committed, so that who has a
// domain depends on the order of the inputs and on nothing else; a profile waits
// until the inputs that needed the aliases before it are past in every shard.
func (e *Engine) part(ctx context.Context, inputs []Input) (part, error) {
	p, domains := e.cut(inputs)
	if len(domains) == 0 {
		return p, nil
	}
	var accounts map[string]string
	err := e.retry(ctx, "look up aliases", func() (err error) {
		accounts, err = e.aliases.Resolve(ctx, domains)
		return err
	})
	if err != nil {
		return p, err
	}
	for i := range inputs[:p.n] {
		if in := &inputs[i]; in.Event.Account == "" {
			in.Event = named(in.Event, accounts)
			e.loose = true
		}
	}
	return p, nil
}

// cut is how far the inputs may run together, and the domains to look up there.
func (e *Engine) cut(inputs []Input) (p part, domains []string) {
	claimed, loose, late := false, e.loose, e.model.LateIdentification()
	var declared map[string]bool
	for i := range inputs {
		in := &inputs[i]
		switch ev := in.Event; {
		case in.joins && i == 0 && !e.ragged:
			return part{joins: true}, nil
		case in.joins:
			return part{n: i, loose: true}, domains
		case len(declared) > 0 && declared[e.heir(ev.Account)]:
			return part{n: i}, domains
		case ev.Account == "" && claimed:
			return part{n: i}, domains
		case ev.Account == "":
			for name := ev.Domain; name != ""; name = domain.Parent(name) {
				domains = append(domains, name)
			}
			loose = true
		case ev.Kind == scoring.KindProfile || ev.Kind == scoring.KindTombstone:
			if loose {
				return part{n: i, loose: true}, domains
			}
			claimed = true
			if late && ev.Profile != nil {
				declared = declare(declared, ev)
			}
		}
	}
	return part{n: len(inputs)}, domains
}

// declare adds the domains of a profile to those that profiles declared. What names one
// waits until they are stored: a profile that is read again after a crash must not take
// for events from before it what came behind it.
func declare(declared map[string]bool, ev *scoring.Event) map[string]bool {
	for _, d := range ev.Profile.Domains {
		if d == ev.Account {
			continue
		}
		if declared == nil {
			declared = map[string]bool{}
		}
		declared[d] = true
	}
	return declared
}

// named is the event with its account: the one that claims the domain, or else its
// nearest parent that is claimed, else the domain itself. The event is shared, so the
// copy is changed.
func named(e *scoring.Event, accounts map[string]string) *scoring.Event {
	out := *e
	out.Account = e.Domain
	for name := e.Domain; name != ""; name = domain.Parent(name) {
		if account, ok := accounts[name]; ok {
			out.Account = account
			break
		}
	}
	return &out
}
