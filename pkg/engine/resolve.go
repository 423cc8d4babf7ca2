package engine

import (
	"context"
	"fmt"

	"tidemark/scoring"
)

// resolve gives an account to each input that came with a domain only. It
// returns how many inputs may run now: an input that needs the aliases waits
// until the profiles before it are committed, so that who has a domain depends on
// the order of the inputs and on nothing else.
func (e *Engine) resolve(ctx context.Context, inputs []Input) (int, error) {
	n, domains := unresolved(inputs)
	if len(domains) == 0 {
		return n, nil
	}
	accounts, err := e.lookup(ctx, domains)
	if err != nil {
		return 0, err
	}
	for i := range inputs[:n] {
		if in := &inputs[i]; in.Event.Account == "" {
			in.Event = named(in.Event, accounts)
		}
	}
	return n, nil
}

func (e *Engine) lookup(ctx context.Context, domains []string) (map[string]string, error) {
	for attempt := 0; ; attempt++ {
		accounts, err := e.aliases.Resolve(ctx, domains)
		if err == nil {
			return accounts, nil
		}
		if !pause(ctx, attempt) {
			return nil, fmt.Errorf("look up aliases: %w", err)
		}
	}
}

// unresolved are the domains to look up among the inputs that may run now.
func unresolved(inputs []Input) (n int, domains []string) {
	claimed := false
	for i, in := range inputs {
		switch ev := in.Event; {
		case ev.Account == "" && claimed:
			return i, domains
		case ev.Account == "":
			domains = append(domains, ev.Domain)
		case ev.Kind == scoring.KindProfile || ev.Kind == scoring.KindTombstone:
			claimed = true
		}
	}
	return len(inputs), domains
}

// named is the event with its account: the one that claims the domain, else the
// domain itself. The event is shared, so the copy is changed.
func named(e *scoring.Event, accounts map[string]string) *scoring.Event {
	out := *e
	out.Account = e.Domain
	if account, ok := accounts[e.Domain]; ok {
		out.Account = account
	}
	return &out
}
