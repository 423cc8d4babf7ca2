package modelfile

import "tidemark/scoring"

// Conditions compiles expressions for scoring.Compile. What it returns may be
// called by any number of goroutines, and never panics.
func Conditions() scoring.Conditions { return conditions{} }

type conditions struct{}

// Profile compiles an expression in which any name is an attribute.
func (conditions) Profile(expr string) (func(map[string]any) scoring.Truth, error) {
	eval, err := compile(expr, profileScope{})
	if err != nil {
		return nil, err
	}
	return func(attributes map[string]any) scoring.Truth {
		return eval(subject{attributes: attributes})
	}, nil
}

// Event compiles an expression over type, source, strength, properties and
// contact; another name is an error.
func (conditions) Event(expr string) (func(*scoring.Event) scoring.Truth, error) {
	eval, err := compile(expr, eventScope{})
	if err != nil {
		return nil, err
	}
	return func(e *scoring.Event) scoring.Truth { return eval(subject{event: e}) }, nil
}

// compile prefers closures, which are some twenty times faster and cover what
// models mostly say, and leaves the rest to the virtual machine. Its error is
// one line that does not repeat the expression: whoever reports it has that.
func compile(expr string, s scope) (evaluator, error) {
	parsed, err := parse(expr, s)
	if err != nil {
		return nil, err
	}
	if eval := parsed.closures(); eval != nil {
		return eval, nil
	}
	return parsed.machine()
}

// evaluator answers for one subject.
type evaluator func(subject) scoring.Truth

// subject is what an expression is about: an account's profile or an event.
type subject struct {
	attributes map[string]any
	event      *scoring.Event
}

func truth(holds bool) scoring.Truth {
	if holds {
		return scoring.True
	}
	return scoring.False
}
